#!/bin/bash
# Makes the virtual machine's disk: a Debian with systemd, an ordinary user who
# logs in by herself on the second serial line, and the programs that tests
# compare with. Prints the directory that holds root.ext4, vmlinuz and initrd.
# It is made once for each content of this directory's image files and suite.
set -euo pipefail
cd "$(dirname "$0")"
. ../lib.sh

suite=${SUITE:-bookworm}
cache=${SANDBOX_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbox-vm}
packages=systemd,systemd-sysv,udev,dbus,dbus-user-session,libpam-systemd,linux-image-cloud-amd64
packages=$packages,procps,iproute2,tmux,sudo,git,nginx,desktop-file-utils,libglib2.0-bin
packages=$packages,flatpak,bubblewrap,xdg-dbus-proxy,xdg-desktop-portal

main() {
	key=$({ echo "$suite"; cat image.sh initramfs.sh customize.sh; } | sha256sum | cut -c1-16)
	image=$cache/$suite-$key
	mkdir -p "$cache"
	exec 9>"$cache/.lock"
	flock 9
	if [ ! -f "$image/root.ext4" ]; then
		make_image
	fi
	echo "$image"
}

make_image() {
	need mmdebstrap=mmdebstrap e2fsprogs=mkfs.ext4
	say "making the disk of a $suite machine"
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/sandbox-vm.XXXXXX")
	trap 'as_root rm -rf "$work"' EXIT
	debian_sources "$suite" >"$work/$suite.sources"
	as_root mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt=force-unsafe-io \
		--essential-hook="sh $PWD/initramfs.sh \"\$1\"" \
		--customize-hook="sh $PWD/customize.sh \"\$1\"" \
		"$suite" "$work/root" "$work/$suite.sources" >&2
	as_root mkdir "$work/image"
	as_root sh -c 'cp -L "$1"/root/vmlinuz "$1/image/vmlinuz" && cp -L "$1/root/initrd.img" "$1/image/initrd"
		rm -rf "$1"/root/boot/* && truncate -s 4G "$1/image/root.ext4" &&
		mkfs.ext4 -q -F -L root -E lazy_itable_init=1,lazy_journal_init=1 -d "$1/root" "$1/image/root.ext4" &&
		chown -R "$2" "$1/image"' sh "$work" "$(id -u):$(id -g)"
	cp -r --sparse=always "$work/image" "$image.new"
	rm -rf "$cache/$suite-"????????????????
	mv "$image.new" "$image"
}

main
