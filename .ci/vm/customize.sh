#!/bin/sh
# Runs at the end of making the disk, with its root as the argument.
set -eu
root=$1

# The user under test. Her number is not 1000: nothing may depend on it.
chroot "$root" useradd --create-home --shell /bin/bash --uid 1234 --user-group tester
chroot "$root" passwd --quiet --delete root
chroot "$root" passwd --quiet --lock tester
# So that tests can be started from a unit that systemd itself has delegated.
echo 'tester ALL=(root) NOPASSWD: /usr/bin/systemd-run' >"$root/etc/sudoers.d/tester"
chmod 0440 "$root/etc/sudoers.d/tester"
echo sandbox-vm >"$root/etc/hostname"
printf '127.0.0.1 localhost sandbox-vm\n::1 localhost\n' >"$root/etc/hosts"

# ttyS0 is the console, for the kernel and systemd. ttyS1 is where the user logs
# in by herself.
mkdir -p "$root/etc/systemd/system/serial-getty@ttyS1.service.d"
cat >"$root/etc/systemd/system/serial-getty@ttyS1.service.d/login.conf" <<'END'
[Unit]
After=payload.service
Requires=payload.service
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin tester --noissue --skip-login --login-options "-f tester" ttyS1 vt220
Restart=no
ExecStopPost=+/usr/bin/systemctl --no-block poweroff
END
# The disk with the job: mounted read-only, prepared by its own script as root.
cat >"$root/etc/systemd/system/payload.service" <<'END'
[Unit]
Description=The job of this machine
After=local-fs.target systemd-user-sessions.service dbus.service systemd-logind.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mkdir -p /payload && mount -o ro /dev/vdb /payload && exec sh /payload/prepare'
StandardOutput=journal+console
END
cat >"$root/home/tester/.bash_profile" <<'END'
[ "$(tty)" != /dev/ttyS1 ] || exec bash /payload/job
END
chroot "$root" chown tester: /home/tester/.bash_profile
chroot "$root" systemctl --quiet enable serial-getty@ttyS1.service

# Nothing that wakes up by itself.
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
	dpkg-db-backup.timer fstrim.timer systemd-timesyncd.service getty@tty1.service \
	serial-getty@ttyS0.service systemd-networkd.service flatpak-system-helper.service nginx.service; do
	chroot "$root" systemctl --quiet mask "$unit"
done
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
