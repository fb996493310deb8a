// Package key holds the keys that sign a repository: Ed25519, on disk or in an
// ssh-agent.
//
// A key on disk is two files. NAME.pub is one line in the form of ssh, so that
// it can be sent, compared and given to an agent like any other. NAME.key is a
// small JSON document, mode 0600, whose secret half is sealed with
// XChaCha20-Poly1305 under a key that scrypt made from a passphrase. All the
// rest of the document is bound to the seal: a public half, a name or a work
// factor that somebody changed does not open.
//
// A key without a passphrase is made only when that is asked for by name. It is
// then as safe as the file is.
//
// # What is trusted
//
// The machine that signs. A key file may come from anywhere: its size, work
// factor and every field are checked before anything is computed. The agent is
// the user's own, its answers are bounded and every signature is verified
// before it is handed on, so that a broken agent cannot spoil a repository.
//
// # Limits
//
// Secrets are cleared from memory where we hold them, but the runtime may have
// copied them, and nothing keeps them from being swapped out. Hardware keys of
// ssh (sk-ssh-ed25519) sign more than the message and cannot be used.
package key
