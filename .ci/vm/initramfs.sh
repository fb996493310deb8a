#!/bin/sh
# Runs before the kernel is installed, with the disk's root as the argument: the
# initramfs gets the two drivers that the disk needs instead of all.
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d"
printf 'MODULES=list\nCOMPRESS=lz4\n' >"$1/etc/initramfs-tools/conf.d/small"
printf 'virtio_pci\nvirtio_blk\next4\n' >"$1/etc/initramfs-tools/modules"
