#!/bin/bash
# First process of the user-mode kernel, on the file system of the machine that it runs on: what is written outside of /run is really
# written. The kernel's command line has PROJECT, NODE, FOLDER (of the scenario, on the machine) and MODULES (a folder of one release).
exec >"$FOLDER/boot.log" 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run/tmp
export REKINDLE_LAB_PATIENCE_MS=30000
umask 022
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs run /run
mkdir -p /run/netns /run/tmp /run/lab /run/project /run/modules/lib/modules /dev/net /dev/shm
[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
mount -t tmpfs shm /dev/shm
# As every container has them.
ln -sfn /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -sf "/proc/self/fd/${stream%:*}" "/dev/${stream#*:}"; done

# Modules come when the kernel asks for them, from where the package has them.
ln -s "$MODULES" "/run/modules/lib/modules/$(uname -r)"
printf '#!/bin/sh\nexec modprobe -d /run/modules "$@"\n' >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
modprobe -d /run/modules -a veth tun xfrm_user esp4 esp6 nf_tables

# A kernel that is killed shall leave logs all the same.
echo 50 >/proc/sys/vm/dirty_writeback_centisecs
echo 100 >/proc/sys/vm/dirty_expire_centisecs

# Under these names whoever has no privilege reaches them, wherever they are.
mount --bind "$FOLDER" /run/lab
mount --bind "$PROJECT" /run/project
ip link set lo up
cd /run/project || exit
"$NODE" test/kernel/inside.ts
sync
# reboot(2), LINUX_REBOOT_CMD_POWER_OFF: not every machine has poweroff(8), and ending would be a panic.
perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)'
