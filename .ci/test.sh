#!/bin/bash
# Runs every test, as root and as an ordinary user. Started by root it does both,
# with a user that it makes; started by an ordinary user it tests as that user.
# PKG (./...) and TESTFLAGS narrow it down.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lib.sh

user=sandbox-test
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

prepare() {
	need_go
	need gcc=gcc libc6-dev=file:/usr/include/stdio.h pkg-config=pkg-config \
		libseccomp-dev=pkg-config:libseccomp git=git tmux=tmux dbus-daemon=dbus-daemon \
		xfsprogs=file:/usr/sbin/mkfs.xfs nginx-light=file:/usr/sbin/nginx desktop-file-utils=desktop-file-validate \
		libglib2.0-bin=gio man-db=man strace=strace \
		openssh-client=ssh-agent zsh=zsh fish=fish ca-certificates=file:/etc/ssl/certs/ca-certificates.crt
	need_sshd
}

# need_sshd: tests start an sshd of their own, as whom they run. The package would
# start one for everybody, now and at every boot: it does neither.
need_sshd() {
	[ ! -x /usr/sbin/sshd ] || [ ! -x /usr/lib/openssh/sftp-server ] || return 0
	(
		policy=/usr/sbin/policy-rc.d
		if [ ! -e $policy ]; then
			trap 'as_root rm -f $policy' EXIT
			as_root sh -c 'printf "#!/bin/sh\nexit 101\n" >"$0" && chmod 755 "$0"' $policy
		fi
		need openssh-server=file:/usr/sbin/sshd openssh-sftp-server=file:/usr/lib/openssh/sftp-server
		as_root sh -c 'systemctl disable ssh.service ssh.socket; update-rc.d ssh disable' >/dev/null 2>&1 || true
	)
}

check() {
	say "gofmt, vet"
	unformatted=$(find . -name '*.go' -not -path './vendor/*' -exec gofmt -l {} +)
	[ -z "$unformatted" ] || die "not as gofmt writes it: $unformatted"
	go vet ./...
}

# run_tests WHO: the caller's own tests; prints what was skipped for want of something.
run_tests() {
	say "tests as $1"
	SANDBOX_TEST_SKIPS=$(mktemp)
	export SANDBOX_TEST_SKIPS
	status=0
	# A caller such as nohup, or a shell that runs this in the background, leaves
	# signals ignored, and every process below would inherit that.
	env --default-signal=HUP,INT,QUIT,TERM,PIPE \
		go test -timeout 30m ${TESTFLAGS:-} ${PKG:-./...} || status=$?
	if [ -s "$SANDBOX_TEST_SKIPS" ]; then
		say "skipped as $1:"
		sort -u "$SANDBOX_TEST_SKIPS" >&2
	fi
	rm -f "$SANDBOX_TEST_SKIPS"
	return $status
}

# readable_go prints a GOROOT the user can execute: root's own Go may lie below /root.
readable_go() {
	root=$(go env GOROOT)
	if ! as_user test -x "$root/bin/go"; then
		copy=/var/cache/$user/$(basename "$root")
		[ -x "$copy/bin/go" ] || { mkdir -p "$copy" && cp -a "$root/." "$copy/" && chmod -R a+rX "$copy"; }
		root=$copy
	fi
	echo "$root"
}

as_user() {
	setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all -- "$@"
}

# The user gets a copy of the tree with the libraries vendored: root's module
# cache is closed to others. Its build cache stays for the next run.
run_tests_as_user() {
	id "$user" >/dev/null 2>&1 || useradd --create-home --user-group --shell /bin/bash "$user"
	home=$(getent passwd "$user" | cut -d: -f6)
	tree=$home/sandbox
	rm -rf "$tree"
	mkdir -p "$tree"
	tar -c --exclude=./.git --exclude=./bin . | tar -x -C "$tree" --no-same-owner
	go mod vendor -o "$tree/vendor"
	chown -R "$user:$user" "$tree"
	goroot=$(readable_go)
	(cd "$tree" && as_user env -i \
		HOME="$home" USER="$user" LOGNAME="$user" SHELL=/bin/bash LANG=C.UTF-8 TERM="${TERM:-dumb}" \
		PATH="$goroot/bin:/usr/local/bin:/usr/bin:/bin" CI="${CI:-}" \
		GOFLAGS="$GOFLAGS -mod=vendor" GOTOOLCHAIN=local TESTFLAGS="${TESTFLAGS:-}" PKG="${PKG:-}" \
		bash .ci/test.sh --only-tests)
}

main() {
	if [ "${1:-}" = --only-tests ]; then
		run_tests "$(id -un)"
		exit
	fi
	prepare
	check
	failed=0
	run_tests "$(id -un)" || failed=1
	if [ "$(id -u)" = 0 ]; then
		run_tests_as_user || failed=1
	else
		say "tests that need root were not run: 'sudo make test' runs them too"
	fi
	[ $failed = 0 ] || die "tests failed"
	say "all tests passed"
	exit # the file may have changed meanwhile: read no further
}

main "$@"
