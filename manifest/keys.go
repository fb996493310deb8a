package manifest

// KeyInfo describes one key of sandbox.toml.
type KeyInfo struct {
	// Path is the key with the tables around it: "id", "build.source.path".
	// NAME stands for a name the packager chooses.
	Path    string
	Type    string
	Summary string
	Default string
	Values  []string // when only these are allowed
	Example string   // as written after the equals sign

	// For lists the kinds of bundle, or below build.source the types of
	// source, that may have the key; empty means all.
	For []string
	// RequiredFor lists those that must have it.
	RequiredFor []string
}

// key is a row of the table: what is known about it and how it is read.
type key struct {
	KeyInfo
	want []nodeKind
	read func(r *reader, n *node, path string)
}

// Keys is the table of all keys, in the order of the reference.
func Keys() []KeyInfo {
	infos := make([]KeyInfo, len(keyTable))
	for i, k := range keyTable {
		infos[i] = k.KeyInfo
	}
	return infos
}

var (
	anyKind = []string{string(App), string(Runtime), string(Extension)}
	onlyApp = []string{string(App)}
	onlyExt = []string{string(Extension)}

	debianSource  = []string{string(SourceDebian)}
	localSources  = []string{string(SourceDir), string(SourceFile), string(SourceArchive)}
	fileSource    = []string{string(SourceFile)}
	archiveSource = []string{string(SourceArchive)}
	summedSources = []string{string(SourceFile), string(SourceArchive)}
)

var (
	wantString = []nodeKind{stringNode}
	wantTable  = []nodeKind{tableNode}
	wantArray  = []nodeKind{arrayNode}
	wantBool   = []nodeKind{booleanNode}
	wantInt    = []nodeKind{integerNode}
)

// keyTable is plain data: it costs nothing at the start of a program.
var keyTable = []key{
	// What it is.
	{KeyInfo{Path: "id", Type: "string", RequiredFor: anyKind, Example: `"org.gnu.Nano"`,
		Summary: "Reverse domain name of the bundle: at least three parts of ASCII letters, digits, - and _. It never changes."},
		wantString, (*reader).id},
	{KeyInfo{Path: "name", Type: "string", Default: "the last part of the id", Example: `"GNU nano"`,
		Summary: "Name for people, up to 80 characters."}, wantString, (*reader).name},
	{KeyInfo{Path: "version", Type: "string", RequiredFor: anyKind, Example: `"7.2"`,
		Summary: "Version of the contents: letters, digits and . + ~ _ -, up to 64. Shown to people; releases are ordered by the repository."},
		wantString, (*reader).version},
	{KeyInfo{Path: "channel", Type: "string", Default: DefaultChannel, Example: `"stable"`,
		Summary: "The line of releases this one belongs to: lower-case letters, digits and . _ -, up to 32."},
		wantString, (*reader).channel},
	{KeyInfo{Path: "kind", Type: "string", Default: string(App), Values: anyKind, Example: `"app"`,
		Summary: "What the bundle is: something to start, the /usr below others, or an addition to another bundle."},
		wantString, (*reader).kind},
	{KeyInfo{Path: "summary", Type: "string", Example: `"Small, friendly text editor"`,
		Summary: "One line about what it does, up to 200 characters, without a full stop."}, wantString, (*reader).summary},
	{KeyInfo{Path: "license", Type: "string", Example: `"GPL-3.0-or-later"`,
		Summary: "SPDX licence expression."}, wantString, (*reader).license},
	{KeyInfo{Path: "homepage", Type: "string", Example: `"https://nano-editor.org"`,
		Summary: "Web page, http or https."}, wantString, (*reader).homepage},
	{KeyInfo{Path: "arch", Type: "array of strings", Default: "what the programs and libraries among the files are made for, any when there are none", Values: archNames, Example: `["x86_64"]`,
		Summary: "Machines the files run on."}, wantArray, (*reader).arch},
	{KeyInfo{Path: "extends", Type: "string", For: onlyExt, RequiredFor: onlyExt, Example: `"org.gnu.Nano"`,
		Summary: "The bundle that an extension adds to."}, wantString, (*reader).extends},

	// What it starts.
	{KeyInfo{Path: "runtime", Type: "string", For: onlyApp, Default: "none: the bundle brings all it needs", Example: `"org.debian.Platform/12"`,
		Summary: "The runtime that becomes /usr, as ID or ID/CHANNEL."}, wantString, (*reader).runtime},
	{KeyInfo{Path: "command", Type: "string", For: onlyApp, Default: "the only entry of commands", Example: `"nano"`,
		Summary: "What is started: a name looked up in /app/bin and /usr/bin, a path below /app or /usr, or a path relative to /app."},
		wantString, (*reader).command},
	{KeyInfo{Path: "args", Type: "array of strings", For: onlyApp, Default: "[]", Example: `["--restricted"]`,
		Summary: "Arguments put before those of the user."}, wantArray, (*reader).args},
	{KeyInfo{Path: "commands", Type: "table", For: onlyApp, Default: "the command under its own name", Example: `{ nano = "nano" }`,
		Summary: "The names that start the application from PATH. An empty table gives none."}, wantTable, (*reader).commands},
	{KeyInfo{Path: "commands.NAME", Type: "string", For: onlyApp, Example: `"/usr/bin/rnano"`,
		Summary: "What this name starts, written as command is."}, wantString, nil},
	{KeyInfo{Path: "env", Type: "table", Default: "{}", Example: `{ EDITOR = "nano" }`,
		Summary: "Environment variables that the application starts with."}, wantTable, (*reader).env},
	{KeyInfo{Path: "env.NAME", Type: "string", Example: `"nano"`,
		Summary: "Value of the variable. Variables that sandbox itself sets, such as HOME, are refused."}, wantString, nil},

	// What it may do.
	{KeyInfo{Path: "permissions", Type: "table", For: onlyApp, Default: "{}", Example: `{ "files:~/Documents:write" = "edit your documents" }`,
		Summary: "What the application may do besides running: see the reference of permissions."}, wantTable, (*reader).permissions},
	{KeyInfo{Path: "permissions.NAME", Type: "string or table", For: onlyApp, Example: `"edit your documents"`,
		Summary: "NAME is kind:subject or kind:subject:access, in quotes. The value is the reason, or a table with the keys below."},
		[]nodeKind{stringNode, tableNode}, nil},
	{KeyInfo{Path: "permissions.NAME.reason", Type: "string", For: onlyApp, Example: `"check for updates"`,
		Summary: "A sentence for the person who decides, up to 300 characters."}, wantString, nil},
	{KeyInfo{Path: "permissions.NAME.optional", Type: "boolean", For: onlyApp, Default: "false", Example: `true`,
		Summary: "The application works without it: the user is asked at the first use."}, wantBool, nil},
	{KeyInfo{Path: "limits", Type: "table", For: onlyApp, Default: "{}", Example: `{ memory = "512M", pids = 100 }`,
		Summary: "Bounds on what the application may consume."}, wantTable, (*reader).limits},
	{KeyInfo{Path: "limits.NAME", Type: "string or number", For: onlyApp, Example: `"512M"`,
		Summary: "NAME and value are those of the permission limit:NAME=VALUE."},
		[]nodeKind{stringNode, integerNode, floatNode}, nil},

	// How it is made.
	{KeyInfo{Path: "build", Type: "table", Default: "{}", Summary: "How sandbox build makes the files.", Example: "{}"}, wantTable, (*reader).build},
	{KeyInfo{Path: "build.steps", Type: "array of strings", Default: "[]", Example: `["make install DESTDIR=$DEST"]`,
		Summary: "Shell lines run inside the sandbox, after the sources are in place."}, wantArray, (*reader).steps},
	{KeyInfo{Path: "build.source", Type: "array of tables", Default: "[]", Example: `[]`,
		Summary: "Where the files come from, each in a [[build.source]] of its own."}, wantArray, (*reader).sources},
	{KeyInfo{Path: "build.source.type", Type: "string", RequiredFor: sourceTypes, Values: sourceTypes, Example: `"debian"`,
		Summary: "Packages of Debian, a directory, a file, or an archive (tar with gz, xz or zst; zip)."}, wantString, (*reader).sourceType},
	{KeyInfo{Path: "build.source.suite", Type: "string", For: debianSource, RequiredFor: debianSource, Example: `"bookworm"`,
		Summary: "Debian suite to take packages from."}, wantString, (*reader).suite},
	{KeyInfo{Path: "build.source.packages", Type: "array of strings", For: debianSource, RequiredFor: debianSource, Example: `["nano"]`,
		Summary: "Debian package names; what they depend on and the runtime lacks is added."}, wantArray, (*reader).packages},
	{KeyInfo{Path: "build.source.path", Type: "string", For: localSources, RequiredFor: localSources, Example: `"src/tool.tar.gz"`,
		Summary: "Path below the directory of the manifest, without . or .. in it."}, wantString, (*reader).sourcePath},
	{KeyInfo{Path: "build.source.dest", Type: "string", For: localSources, Example: `"share/tool"`,
		Default: "the top; for a file its own name there",
		Summary: "Path below files/ (/app for an application) to put it at."}, wantString, (*reader).dest},
	{KeyInfo{Path: "build.source.sha256", Type: "string", For: summedSources, RequiredFor: archiveSource,
		Example: `"0000000000000000000000000000000000000000000000000000000000000000"`,
		Summary: "SHA-256 of the file, 64 lower-case hexadecimal digits."}, wantString, (*reader).sha256},
	{KeyInfo{Path: "build.source.executable", Type: "boolean", For: fileSource, Default: "false", Example: `true`,
		Summary: "Mode 0755 instead of 0644."}, wantBool, (*reader).executable},
	{KeyInfo{Path: "build.source.strip", Type: "integer", For: archiveSource, Default: "0", Example: `1`,
		Summary: "Leading path elements to drop from each name in the archive, 0 to 16."}, wantInt, (*reader).strip},

	// What it shows.
	{KeyInfo{Path: "export", Type: "table", For: onlyApp, Default: "{}", Example: "{}",
		Summary: "Files that the host may show. Each element is a path inside, or a table of path and the name to export it under."},
		wantTable, (*reader).export},
	{KeyInfo{Path: "export.desktop", Type: "array of strings or tables", For: onlyApp, Default: "[]", Example: `[{ path = "/usr/share/applications/nano.desktop", name = "org.gnu.Nano.desktop" }]`,
		Summary: "Desktop entries. The name outside is ID.desktop or ID.SUFFIX.desktop."}, wantArray, (*reader).exportArray},
	{KeyInfo{Path: "export.opens", Type: "array of strings", For: onlyApp, Default: "[]", Example: `["text/plain", "x-scheme-handler/magnet"]`,
		Summary: "Types of files that desktop entries may claim, and schemes of addresses, as x-scheme-handler/NAME. Users see them before they install; a claim that is not here is left out."}, wantArray, (*reader).opens},
	{KeyInfo{Path: "export.icons", Type: "array of strings or tables", For: onlyApp, Default: "[]", Example: `["share/icons/hicolor/scalable/apps/org.gnu.Nano.svg"]`,
		Summary: "Icons, png or svg. The name outside is the ID, perhaps with .SUFFIX or -symbolic."}, wantArray, (*reader).exportArray},
	{KeyInfo{Path: "export.man", Type: "array of strings or tables", For: onlyApp, Default: "[]", Example: `["share/man/man1/nano.1"]`,
		Summary: "Manual pages. The name outside starts with the name of a command."}, wantArray, (*reader).exportArray},
	{KeyInfo{Path: "export.mime", Type: "array of strings or tables", For: onlyApp, Default: "[]", Example: `["share/mime/packages/org.gnu.Nano.xml"]`,
		Summary: "Packages of shared-mime-info. The name outside is ID.xml or ID.SUFFIX.xml."}, wantArray, (*reader).exportArray},
	{KeyInfo{Path: "export.metainfo", Type: "array of strings or tables", For: onlyApp, Default: "[]", Example: `["share/metainfo/org.gnu.Nano.metainfo.xml"]`,
		Summary: "AppStream descriptions. The name outside is ID.metainfo.xml."}, wantArray, (*reader).exportArray},
	{KeyInfo{Path: "export.completions", Type: "array of strings or tables", For: onlyApp, Default: "[]", Example: `["share/bash-completion/completions/nano"]`,
		Summary: "Shell completions. They are code that runs in the user's shell, outside the sandbox. The name outside is NAME, NAME.bash, NAME.fish or _NAME of a command."}, wantArray, (*reader).exportArray},
	{KeyInfo{Path: "export.NAME.path", Type: "string", For: onlyApp, Example: `"share/man/man1/nano.1"`,
		Summary: "Path below /app or /usr, or relative to /app."}, wantString, nil},
	{KeyInfo{Path: "export.NAME.name", Type: "string", For: onlyApp, Default: "the last element of path", Example: `"org.gnu.Nano.desktop"`,
		Summary: "Name under which the file is exported."}, wantString, nil},
}
