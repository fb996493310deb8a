#!/bin/bash
# README's two commands on a machine that has nothing: a minimal Debian with
# make, sudo and this machine's Go, without a compiler, modules or certificates.
# First as an ordinary user with sudo, then as root in another copy of the same,
# in the other order and spared what Go has downloaded and compiled for the user.
# SUITE is the Debian (bookworm); AS (user root) narrows it down, PKG and
# TESTFLAGS are those of make test.
# Needs root. What belongs to this machine's network is carried in: archives,
# names, certificates, proxies.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lib.sh

suite=${SUITE:-bookworm}
deadline=${DEADLINE:-900}
# What a machine must have for a test shows for the user, who takes each of them,
# but few steps where a test walks through all. Root's turn is about how it begins:
# all of its tests have had theirs in `make test`.
few='./manifest ./runtime/terminal'

main() {
	[ "$(id -u)" = 0 ] || exec sudo --preserve-env=PATH,SUITE,AS,PKG,TESTFLAGS,DEADLINE "$PWD/.ci/fresh.sh"
	need_go
	need mmdebstrap=mmdebstrap
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/sandbox-fresh.XXXXXX")
	trap 'rm -rf --one-file-system "$work"' EXIT
	took make_root
	for who in ${AS:-user root}; do
		next_root
		clone "$who"
		[ "$who" = root ] || try "$who" "make demo"
		tests=${PKG:-}
		[ "$who" = user ] || tests=${PKG:-$few}
		try "$who" "make test TESTFLAGS=${TESTFLAGS--short}${tests:+ PKG='$tests'}"
		[ "$who" != root ] || try "$who" "make demo"
	done
	say "all as it should be on a fresh machine"
	exit # the file may have changed meanwhile: read no further
}

make_root() {
	debian_sources "$suite" >"$work/$suite.sources"
	mmdebstrap --quiet --mode=root --variant=minbase --include=make,sudo \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' --dpkgopt=force-unsafe-io \
		"$suite" "$work/bare" "$work/$suite.sources" >&2
	mkdir -p "$work/bare/usr/local/share/ca-certificates" "$work/bare/usr/local/go"
	cp -L /etc/resolv.conf /etc/hosts "$work/bare/etc/"
	cp -rL /usr/local/share/ca-certificates/. "$work/bare/usr/local/share/ca-certificates/"
	{
		for name in GOPROXY GONOPROXY GOSUMDB GONOSUMDB GOPRIVATE; do
			printf '%s=%s\n' "$name" "$(go env "$name")"
		done
		env | grep -iE '^(http|https|ftp|no)_proxy=' || true
	} >"$work/bare/etc/environment"
	chroot "$work/bare" useradd --create-home --shell /bin/bash --user-group user
	echo 'user ALL=(ALL) NOPASSWD: ALL' >"$work/bare/etc/sudoers.d/user"
}

# next_root replaces the root by an unused one.
next_root() {
	cp -a "$work/bare" "$work/next"
	if [ -d "$work/root/home/user" ]; then
		mkdir "$work/next/root/.cache"
		mv "$work/root/home/user/.cache/go-build" "$work/next/root/.cache/"
		mv "$work/root/home/user/go" "$work/next/root/"
		chroot "$work/next" chown -R root:root /root
	fi
	rm -rf --one-file-system "$work/root"
	mv "$work/next" "$work/root"
}

# clone WHO puts what a clone of this tree would hold below the home of WHO.
clone() {
	home=$(chroot "$work/root" getent passwd "$1" | cut -d: -f6)
	mkdir "$work/root$home/sandbox"
	git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
		tar -c --null --files-from=- | tar -x -C "$work/root$home/sandbox" --no-same-owner
	chroot "$work/root" chown -R "$1:$1" "$home/sandbox"
}

# try WHO COMMAND: a failure counts when it comes twice, and is shown twice. Tests
# that have passed are not run again.
try() {
	attempt "$@" || { say "once more"; attempt "$@"; } || die "'$2' as $1 failed on a fresh machine"
}

# attempt WHO COMMAND runs it on a login, and shows what it said when it fails.
attempt() {
	begin=$SECONDS
	machine "$work/root" "$(go env GOROOT)" timeout --kill-after=5 "$deadline" su --login "$1" --command "cd sandbox && $2" \
		</dev/null >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
	grep '^==' "$work/log" >&2 || true
	say "'$2' as $1 took $((SECONDS - begin)) s on a fresh machine"
}

# machine ROOT GOROOT COMMAND… runs it with ROOT as the root of name spaces of
# its own. A chroot would not do: there, users may make no name spaces.
machine() {
	unshare --mount --propagation private --pid --fork --kill-child bash -c '
		set -e
		mount --bind "$1" "$1"
		mount --bind "$2" "$1/usr/local/go"
		mount -o remount,bind,ro "$1/usr/local/go"
		cd "$1"
		mount -t proc proc proc
		mount --rbind /sys sys
		mount --rbind /dev dev
		pivot_root . mnt
		umount --lazy /mnt
		cd /
		shift 2
		"$@"
		exit $? # not by exec: the first process waits for those that nobody waits for' machine "$@"
}

main "$@"
