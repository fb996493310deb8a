#!/bin/bash
# Runs every fuzz test for FUZZTIME (10s).
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lib.sh
need_go

for package in $(go list ./...); do
	for name in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		say "$package $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10s}" "$package"
	done
done
