#!/bin/bash
# boot.sh IMAGE PAYLOAD OUT: starts the machine whose disk image.sh made, with
# the directory PAYLOAD as its second disk, and prints what the job writes. Ends
# with the job's exit status, and after DEADLINE seconds at the latest. In OUT:
# console.log (kernel and systemd), output, status, results.tar. ACCEL is what
# runs the processor, kvm or tcg; by itself it is KVM where that works.
set -euo pipefail
cd "$(dirname "$0")"
. ../lib.sh

image=$1 payload=$2 out=$3
deadline=${DEADLINE:-900}

main() {
	need qemu-system-x86=qemu-system-x86_64 e2fsprogs=mkfs.ext4
	mkdir -p "$out"
	rm -f "$out"/{console.log,output,status,results.tar,payload.ext4}
	pack
	accel=${ACCEL:-$(accelerator)}
	pid=
	trap 'stop; rm -f "$out/payload.ext4"' EXIT
	for attempt in 1 2 3; do
		: >"$out/output"
		: >"$out/console.log"
		machine &
		pid=$!
		! comes_up || break
		stop
		wait $pid 2>/dev/null || true
		say "the machine stood still while it booted (attempt $attempt)"
		tail -n 3 "$out/console.log" >&2
	done
	tail --pid=$pid -n +1 -f "$out/output" | sed -u 's|\r$||' &
	printer=$!
	ended=0
	wait $pid || ended=$?
	wait $printer || true
	report
}

# pack makes the second disk. Its size is that of the payload and some room.
pack() {
	kib=$(du -sk --apparent-size "$payload" | cut -f1)
	truncate -s $((kib * 5 / 4 + 32768))K "$out/payload.ext4"
	mkfs.ext4 -q -F -O ^has_journal -E root_owner=0:0 -d "$payload" "$out/payload.ext4"
}

# accelerator tries KVM out: a device that opens proves nothing where machines
# are nested. Without a disk the kernel panics, which ends the machine in a
# second or two.
accelerator() {
	if [ -w /dev/kvm ] && timeout --kill-after=2 10 qemu-system-x86_64 -machine q35 -accel kvm -cpu max -m 512 \
		-nodefaults -no-user-config -no-reboot -display none -kernel "$image/vmlinuz" -append panic=-1 </dev/null >/dev/null 2>&1; then
		echo kvm
	else
		echo tcg,thread=multi
	fi
}

# stop ends the machine with the timeout around it: they are a process group.
stop() { [ -z "$pid" ] || kill -KILL "-$pid" 2>/dev/null || true; }

# comes_up waits for the first word of the job, or the end. An emulated machine
# hangs now and then while its processors start: it fails when neither the
# kernel nor the job has said anything for a while.
comes_up() {
	quiet=0 said=0
	while [ ! -s "$out/output" ] && kill -0 $pid 2>/dev/null; do
		now=$(stat -c %s "$out/console.log")
		if [ "$now" != "$said" ]; then
			quiet=0 said=$now
		fi
		[ $quiet -lt 90 ] || return 1
		sleep 1
		quiet=$((quiet + 1))
	done
}

# The disk is used as a snapshot: what the machine writes is gone afterwards.
machine() {
	exec timeout --kill-after=5 "$deadline" qemu-system-x86_64 \
		-machine q35 -accel "$accel" -cpu max -smp 2 -m "${MEMORY:-2048}" \
		-nodefaults -no-user-config -no-reboot -display none -nic none \
		-kernel "$image/vmlinuz" -initrd "$image/initrd" \
		-append "root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off random.trust_cpu=on net.ifnames=0 ${CMDLINE:-}" \
		-drive if=virtio,format=raw,file="$image/root.ext4",snapshot=on,cache=unsafe \
		-drive if=virtio,format=raw,file="$out/payload.ext4",readonly=on \
		-device virtio-rng-pci -device virtio-serial-pci \
		-serial "file:$out/console.log" -serial null \
		-chardev "file,id=output,path=$out/output" -device virtserialport,chardev=output,name=output \
		-chardev "file,id=status,path=$out/status" -device virtserialport,chardev=status,name=status \
		-chardev "file,id=results,path=$out/results.tar" -device virtserialport,chardev=results,name=results \
		2>"$out/qemu.log"
}

report() {
	status=$(tr -dc 0-9 <"$out/status" 2>/dev/null || true)
	if [ -z "$status" ]; then
		tail -n 60 "$out/console.log" >&2 || true
		cat "$out/qemu.log" >&2
		[ "$ended" != 124 ] || die "the machine was not done after $deadline seconds (its log: $out/console.log)"
		die "the machine ended with $ended before the job did (its log: $out/console.log)"
	fi
	[ "$status" = 0 ] || { say "the end of the machine's log ($out/console.log)" && tail -n 30 "$out/console.log" >&2; }
	exit "$status"
}

main
