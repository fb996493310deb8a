#!/bin/bash
# Builds everything and shows a sandboxed program doing what it may and failing
# at what it may not. Fails when anything is not as it should be.
set -euo pipefail
cd "$(dirname "$0")/../.."
. .ci/lib.sh

need_go
need git=git ca-certificates=file:/etc/ssl/certs/ca-certificates.crt
say "building"
make -s build
PATH=$PWD/bin:$PATH

work=$(mktemp -d "$HOME/sandbox-demo.XXXXXX")
service=
trap 'if [ -n "$service" ]; then kill "$service"; fi; rm -rf "$work"' EXIT

# show COMMAND…: prints it, shortened, and runs it.
show() {
	printf '\n$'
	for word in "${@//$work/~\/demo}"; do
		case $word in
		*\'*) printf ' "%s"' "$word" ;;
		*[\ \;\(]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	"$@"
}

mkdir -p "$work/app/root/bin" "$work/granted"
cp testdata/demo/sandbox.toml "$work/app/"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/app/root/bin/probe" ./testdata/demo/probe
echo "notes of the user" >"$work/granted/notes.txt"
echo "nobody's business" >"$work/private.txt"
"$work/app/root/bin/probe" serve >"$work/address" &
service=$!
while [ ! -s "$work/address" ]; do sleep 0.05; done

show sandbox lint "$work/app"
show sandbox build "$work/app"
show sandbox run --grant "files:$work/granted:write" "$work/app/build" \
	"$work/granted" "$work/private.txt" "$(cat "$work/address")"
show cat "$work/granted/reply.txt"

[ "$(stat -c %u "$work/granted/reply.txt")" = "$(id -u)" ] || die "reply.txt belongs to somebody else"
[ ! -e "$HOME/.demo" ] || die "the app wrote to the home of the user"
! sandbox run "$work/app/build" "$work/granted" "$work/private.txt" x >"$work/without" 2>&1 ||
	die "without a grant the app could do as much"

have apt-get || { say "no apt-get here: programs from Debian packages are left out"; exit 0; }

# bundle ID [FLAGS…]: builds testdata/apps/ID into bin/demo/ID unless it is there.
bundle() {
	cmp -s "testdata/apps/$1/sandbox.toml" "bin/demo/$1/sandbox.toml" ||
		show sandbox build "${@:2}" --out "bin/demo/$1" "testdata/apps/$1"
}
mkdir -p bin/demo
platform=bin/demo/org.debian.Platform
bundle org.debian.Platform
bundle org.gnu.Bash --runtime $platform
bundle org.sqlite.Sqlite3 --runtime $platform

db=$work/granted/shop.db
show sandbox run --runtime $platform --grant "files:$work/granted:write" bin/demo/org.sqlite.Sqlite3 \
	"$db" "create table fruit(name); insert into fruit values('apple'),('pear'); select * from fruit;"
show sandbox run --runtime $platform bin/demo/org.sqlite.Sqlite3 -readonly "$db" "select * from fruit;" &&
	die "without a grant the app could read as much"
show sandbox run --runtime $platform bin/demo/org.gnu.Bash -c \
	'echo "processes here: $(ps -e -o comm= | tr "\n" " ")"; cat /etc/shadow' && die "the app could read /etc/shadow"
# From a repository into PATH, with a home of its own: nothing of yours is touched.
home=$work/home
mkdir "$home"
export HOME=$home
unset XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME
show sandbox key create release --no-passphrase
show sandbox repo init --key release "$work/repo"
show sandbox publish --repo "$work/repo" $platform bin/demo/org.sqlite.Sqlite3
kill "$service"
sandbox repo serve --listen 127.0.0.1:0 "$work/repo" >"$work/url" &
service=$!
while [ ! -s "$work/url" ]; do sleep 0.05; done
fingerprint=$(sandbox repo show --json "$work/repo" | sed -n 's/.*"fingerprint": "\(sha256:[0-9a-f]*\)".*/\1/p')
show sandbox remote add demo "$(cat "$work/url")" --key "$fingerprint"
show sandbox install -y sqlite3
show sandbox alias set sql sqlite3
PATH=$home/.local/share/sandbox/bin:$PATH # as 'sandbox shell-init bash' says
show sql :memory: "select 'installed, and run by a name of its own'"
show sandbox uninstall -y --delete-data sqlite3

cat <<END

All as it should be. To look around yourself:
  PATH=$PWD/bin:\$PATH
  sandbox run --runtime $platform bin/demo/org.gnu.Bash
END
