#!/bin/bash
# Writes man pages and completions below the prefix $1, made by the programs in bin/.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=$1
tool=bin/sandbox-tool

install -d "$prefix"/share/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
$tool man "$prefix/share/man/man1"
$tool completion bash >"$prefix/share/bash-completion/completions/sandbox"
$tool completion zsh >"$prefix/share/zsh/site-functions/_sandbox"
$tool completion fish >"$prefix/share/fish/vendor_completions.d/sandbox.fish"
