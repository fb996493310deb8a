# Sourced by the other scripts: small functions, no effects.

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# as_root COMMAND…: directly, or through sudo for an ordinary user.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif have sudo; then
		sudo "$@"
	else
		die "cannot run '$*': it needs root, and there is no sudo"
	fi
}

# need PACKAGE=CHECK…: installs the Debian packages whose check fails. A check
# is a program's name, or pkg-config:NAME, or file:PATH. When nothing is
# missing, neither root nor a network is used.
need() {
	missing=
	for pair; do
		check=${pair#*=}
		case $check in
		pkg-config:*) have pkg-config && pkg-config --exists "${check#*:}" ;;
		file:*) [ -e "${check#*:}" ] ;;
		*) have "$check" ;;
		esac || missing="$missing ${pair%%=*}"
	done
	[ -n "$missing" ] || return 0
	have apt-get || die "missing, and no apt-get to install them:$missing"
	say "installing$missing"
	as_root env DEBIAN_FRONTEND=noninteractive sh -c '
		{ apt-get install -qqy --no-install-recommends "$@" 2>/dev/null ||
			{ apt-get update -qq && apt-get install -qqy --no-install-recommends "$@"; }
		} >/dev/null' sh $missing || die "cannot install$missing"
}

# need_go: Go must be there; a version too old fetches the one in go.mod itself.
need_go() {
	have go || PATH=$PATH:/usr/local/go/bin
	have go || die "Go is missing: install Go 1.26 or later"
	go version >/dev/null || die "this Go cannot provide the version named in go.mod"
}

# debian_sources SUITE prints this machine's own list of archives: its entries
# of the distribution itself, for another suite by that one's name.
debian_sources() {
	host=$(. /etc/os-release && echo "$VERSION_CODENAME")
	awk -v RS= -v ORS='\n\n' -v host="$host" '$0 ~ ("(^|\n)Suites:[^\n]*" host) { print }' \
		/etc/apt/sources.list.d/*.sources 2>/dev/null | sed "/^Suites:/s/$host/$1/g"
}

# took COMMAND…: runs it and says how long that took. What fails ends the script.
took() {
	local begin=$SECONDS
	"$@"
	say "$* took $((SECONDS - begin)) s"
}
