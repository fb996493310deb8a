// Package permissions is the vocabulary of the project: what an app may do,
// who decided, and what two sets of permissions have in common. It decides and
// never performs; it reads no file and makes no call to the system.
//
// # Words
//
// A permission is kind:subject[:access]. The kinds and their subjects are one
// table (Kinds), from which documentation, completion, lint and the terminal
// UI are made. Parse gives each permission one spelling; what it does not know
// is an error. For files the access is read, write or create, each including
// the one before; without a suffix it is read. For buses the level is see,
// call, talk or own.
//
// # Decisions
//
// An entry allows, denies or asks. Merge lays the layers over each other,
// lowest first: baseline, manifest, administrator, user (all apps), user, this
// run, answer.
//
//  1. A denial in any layer wins, in any order and at any depth: under
//     "files:home:write" a denial of "files:~/.ssh:read" masks ~/.ssh, and a
//     grant of "files:~/.ssh/config:read" does not open it again.
//  2. A denial takes the level it names and those above. "files:~/x:write"
//     denied leaves ~/x readable when something grants reading;
//     "session-bus:own:NAME" denied leaves talking. Permission.Whole is what to
//     deny to leave nothing. Denying talk denies every single call as well.
//  3. Otherwise the last layer that speaks about a place decides about that
//     place: "files:~/x:read" by the user replaces "files:~/x:write" of the
//     manifest. It decides about no other place: "files:~/x:read" takes nothing
//     from a "files:home:write" of another layer. To make a part of a wider
//     grant read-only, deny "files:~/x:write".
//  4. "network:none", allowed, takes away what its own and lower layers grant
//     of the network. It is no denial: a higher layer may grant again.
//  5. An open question is taken out of the grants of its own and lower layers:
//     who allows the home and asks about ~/Private is asked. It is answered by
//     a higher layer that allows all of it. A higher layer that allows a part
//     opens that part. Inside one layer, the narrower of the two counts.
//  6. A limit is what the last layer says. Denied, it is a ceiling that no
//     layer can raise. It cannot be asked about.
//  7. Unset is no opinion; it is not a denial.
//
// # Sets
//
// A Set is what is allowed, the denials carved out. CoversSet orders sets;
// Equal and Diff look at the effect and not at the words. Both are exact: a
// Set is constant between the finitely many places that its rules mention, so
// looking at those places is looking at all.
//
// Without Locations nobody knows whether /home/u/x or xdg-download lies in the
// home. Until Resolve, a Set treats "home" and "~/…", absolute paths and each
// xdg directory as separate places, except that "host" includes all of them
// and that an absolute or xdg path may lie in the home: denied, it is a hole in
// "home", and with the home denied it is not covered. What is enforced is
// decided on a resolved Set (View), where a path is a path; prompts and
// explanations about absolute paths ask Effective.At.
//
// # What grants expose, and what this cannot stop
//
//   - files:host is the host's files outside the reserved trees, as far as the
//     user's rights go, and includes the home.
//   - The project's own state is never reachable by any files grant. The
//     launcher sees to that, not this package: it knows where the state is.
//   - Paths are text here. Symlinks are the launcher's business; it opens what
//     is granted without following links that the app could have made.
//   - network:host shares the host's network namespace, which cannot be
//     filtered. With any denial or open question about the network it shrinks
//     to internet and lan. device:all shrinks to the known devices likewise.
//   - A granted name leads to the internet only (MayConnect), unless lan is
//     granted too or the name is one that only a local resolver knows. A denied
//     name does not stop an app that knows the address and may reach it.
//   - internet and lan leave out loopback, multicast and the metadata services
//     of clouds.
//   - Files that are open when a grant is revoked stay open.
package permissions
