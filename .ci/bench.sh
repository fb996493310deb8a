#!/bin/bash
# Runs the benchmarks, those against the peers too: both sides in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lib.sh
need_go
need gcc=gcc libc6-dev=file:/usr/include/stdio.h pkg-config=pkg-config \
	libseccomp-dev=pkg-config:libseccomp bubblewrap=bwrap flatpak=flatpak

go test -run '^$' -bench "${BENCH:-.}" ${BENCHFLAGS:-} ./...
