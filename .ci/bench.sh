#!/bin/bash
# Runs the benchmarks, those against the peers too: both sides in the same run.
# BENCH is a pattern (.), BENCHFLAGS go to go test: "-short" takes few samples.
# PKG narrows it down to packages.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lib.sh

user=sandbox-bench # whom root's benchmarks launch as

main() {
	need_go
	need gcc=gcc libc6-dev=file:/usr/include/stdio.h pkg-config=pkg-config \
		libseccomp-dev=pkg-config:libseccomp bubblewrap=bwrap flatpak=flatpak \
		dbus-daemon=dbus-daemon ostree=ostree nginx=file:/usr/sbin/nginx strace=strace
	if [ "$(id -u)" = 0 ]; then
		id "$user" >/dev/null 2>&1 || useradd --create-home --user-group --shell /bin/bash "$user"
	elif have sudo; then
		sudo -v || say "without sudo the memory of instances is not measured"
	fi
	# The peers first: their table is what people wait for.
	case ${BENCH:-.} in
	. | *Peers*) run ./cmd/sandbox ;;
	esac
	packages=${PKG:-$(go list ./... | grep -v '/cmd/sandbox$')}
	# shellcheck disable=SC2086
	run $packages
}

run() {
	go test -run '^$' -timeout 60m -bench "${BENCH:-.}" ${BENCHFLAGS:-} "$@"
}

main "$@"
exit # the file may have changed meanwhile: read no further
