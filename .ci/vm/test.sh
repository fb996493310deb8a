#!/bin/bash
# Tests on a machine of their own: boots Debian in qemu, logs an ordinary user
# in and runs the compiled tests there (docs/VM.md). SUITE is the Debian
# (bookworm), PKG the packages, RUN a pattern of tests, TESTFLAGS more flags of
# theirs (-test.v), CMDLINE more parameters for the kernel, SHELL_IN_VM a command to run instead of tests.
# ONLY=machine takes those that need a real machine, whatever PKG says.
set -euo pipefail
cd "$(dirname "$0")/../.."
. .ci/lib.sh

packages=${PKG:-./cmd/sandbox ./cmd/sandbox-tool ./internal/e2e ./runtime ./runtime/cgroup ./runtime/terminal}
apps="org.debian.Platform $(ls testdata/apps)"
if [ "${ONLY:-}" = machine ]; then
	packages="./cmd/sandbox ./runtime/cgroup" apps="org.debian.Platform org.gnu.Bash"
fi
cache=${SANDBOX_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbox-vm}
export SUITE=${SUITE:-bookworm}

main() {
	need_go
	image=$(.ci/vm/image.sh)
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/sandbox-vm.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	payload
	out=${OUT:-$work/out}
	say "starting $SUITE in a virtual machine"
	status=0
	DEADLINE=${DEADLINE:-3600} .ci/vm/boot.sh "$image" "$work/payload" "$out" || status=$?
	[ $status = 0 ] || die "tests in the virtual machine failed"
	say "all tests in the virtual machine passed"
	exit # the file may have changed meanwhile: read no further
}

# payload makes what the machine's second disk holds: programs, compiled tests,
# the part of the tree that they read, and the bundles of testdata/apps.
payload() {
	p=$work/payload
	mkdir -p "$p/bin" "$p/tests" "$p/tree"
	for program in ./cmd/sandbox ./cmd/sandbox-tool ./cmd/sandbox-tui ./testdata/probe; do
		static build -ldflags '-s -w' -o "$p/bin/" "$program"
	done
	for package in $packages; do
		static test -c -ldflags '-s -w' -o "$p/tests/$(echo "${package#./}" | tr / _).test" "$package"
		echo "${package#./} $(pattern "$package")" >>"$p/packages"
	done
	tar -c --exclude=./.git --exclude=./bin --exclude='*.go' . | tar -x -C "$p/tree"
	bundles
	cp -r --reflink=auto "$bundles" "$p/bundles"
	cp .ci/vm/{prepare,job,steps} "$p/"
	printf '%s\n' "${TESTFLAGS:-}" >"$p/flags"
	printf '%s\n' "${SHELL_IN_VM:-}" >"$p/shell"
}

# pattern PACKAGE names the tests that are run of it.
pattern() {
	case ${ONLY:-}$1 in
	machine./cmd/sandbox) echo "${RUN:-^TestMachine}" ;;
	machine./runtime/cgroup) echo "${RUN:-$(sed -n 's/^func \(Test[^(]*\).*/^\1$/p' runtime/cgroup/real_test.go | paste -sd '|')}" ;;
	*) echo "${RUN:-.}" ;;
	esac
}

static() {
	CGO_ENABLED=0 go "$1" -trimpath -buildvcs=false "${@:2}"
}

# bundles builds what is missing of apps. They are kept for each content of
# what makes them.
bundles() {
	key=$(find repo/bundle manifest permissions testdata/apps -type f ! -name '*_test.go' -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-16)
	bundles=$cache/bundles-$key
	if [ ! -d "$bundles" ]; then
		rm -rf "$cache"/bundles-*
		mkdir "$bundles"
	fi
	cp -r testdata/apps "$work/projects"
	for id in $apps; do
		[ -d "$bundles/$id" ] || build_bundle "$id"
	done
}

build_bundle() {
	runtime=
	! grep -q '^runtime' "$work/projects/$1/sandbox.toml" || runtime="--runtime $bundles/org.debian.Platform"
	[ ! -f "$work/projects/$1/main.go" ] ||
		static build -ldflags '-s -w' -o "$work/projects/$1/root/bin/hello" "./testdata/apps/$1"
	say "building $1"
	# shellcheck disable=SC2086
	"$work/payload/bin/sandbox" build $runtime --out "$work/$1" "$work/projects/$1" >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; die "cannot build $1"; }
	cp -r "$work/$1" "$bundles/$1.new"
	mv "$bundles/$1.new" "$bundles/$1"
}

main
