#!/usr/bin/env bash
# The inside of build.sh: runs among the tools (tools.sh) with the work folder at /mnt. /mnt/in has what goes in, /mnt/out gets
# root.ext4, disk.img and lists of what is in them. Everything that differs from one build to the next is fixed here: times
# (SOURCE_DATE_EPOCH), numbers of partitions and file systems, seeds of hashes, and files that hold the moment they were made.
set -euo pipefail
version=$1 root_mib=$2 data_mib=$3
SUITE=trixie
MIB=1048576
BOOT_MIB=64
IN=/mnt/in OUT=/mnt/out ROOT=/mnt/root
DISK_ID=6a1f4f5e-9a0b-4d6c-8a53-0c1c10500000
ID() { echo "${DISK_ID%00000}0000$1"; } # of partitions and file systems, in the order of the disk
LINUX=0fc63daf-8483-4772-8e79-3d69d8477de4
FAT=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7
DATA=b5f6c1d0-4f0e-4d3b-9c51-6b1c0c1f0da7 # as in rootfs/etc/repart.d
EXT4_FEATURES=^metadata_csum_seed,^orphan_file # what U-Boot and older tools do not know

step() { printf '[%s/6] %s\n' "$1" "$2"; }

install_packages() { # the initrd is made once, at the end: emulated, it takes longer than anything else
    local wanted sources=()
    [ ! -e "$IN/sources" ] || sources=("$IN/sources")
    wanted=$(sed 's/#.*//' "$IN/packages" | tr -s ' \n' ',')
    INITRD=No mmdebstrap --quiet --mode=root --variant=minbase --arch=arm64 --format=directory --components=main,non-free-firmware --include="$wanted" \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --essential-hook="cp -r $IN/rootfs/. \"\$1\"/" \
        --customize-hook="chroot \"\$1\" update-initramfs -c -k all" \
        --customize-hook="chroot \"\$1\" dpkg-query -W -f '\${Package} \${Version} \${Architecture} \${source:Package} \${source:Version}\\n' >$OUT/packages" \
        --customize-hook="chroot \"\$1\" sh -c 'dpkg-query -W -f \"\\\${Package}=\\\${Version}\\n\" | xargs apt-cache show --no-all-versions' >$OUT/packages.deb822" \
        "$SUITE" "$ROOT" "${sources[@]}"
}

install_program() {
    local at=$ROOT
    systemd-sysusers --root="$at" "$at/etc/sysusers.d/00-c1kiosk-ids.conf"
    bash "$IN/wheelhouse/install.sh" --wheelhouse "$IN/wheelhouse" --root "$at"
}

own_files() { # what lies on the read-only root, and what lies on the data partition instead
    local at=$ROOT data=/mnt/data
    sed -i '/^IMAGE_/d' "$at/usr/lib/os-release"
    printf 'IMAGE_ID=c1kiosk\nIMAGE_VERSION=%s\n' "$version" >>"$at/usr/lib/os-release"
    cp "$IN/keyring.pem" "$at/etc/rauc/keyring.pem"
    printf 'BOOT_ORDER=A B\nBOOT_A_LEFT=9\nBOOT_B_LEFT=0\n' | mkenvimage -s 0x4000 -o "$at/usr/lib/c1kiosk/slots.env" -
    echo c1kiosk >"$at/etc/hostname"
    printf '127.0.0.1 localhost c1kiosk\n::1 localhost\n' >"$at/etc/hosts"
    : >"$at/etc/machine-id"
    rm -rf "$at/boot/firmware" # what raspi-firmware puts there is chosen in boot_file_system
    rm -f "$at"/etc/ssh/ssh_host_* "$at/etc/resolv.conf" "$at/var/lib/dbus/machine-id" "$at/etc/apt/sources.list.d/"* "$at/etc/apt/sources.list"
    ln -s /run/systemd/resolve/stub-resolv.conf "$at/etc/resolv.conf"
    ln -s /etc/machine-id "$at/var/lib/dbus/machine-id"
    mkdir -p "$data/etc/ssh" "$data/system/ssh" "$data/system/systemd" "$data/system/journal" "$data/rauc" "$at/boot/firmware"
    cp -a "$at/etc/c1kiosk/." "$data/etc/"
    cp -a "$at/var/lib/c1kiosk/." "$data/"
    rm -rf "$at/etc/c1kiosk" "$at/var/lib/c1kiosk"
    mkdir "$at/var/lib/c1kiosk"
    ln -s /var/lib/c1kiosk/etc "$at/etc/c1kiosk"
    chroot "$at" systemctl --quiet enable c1kiosk-healthy.service c1kiosk-hostkey.service c1kiosk-local.service ssh.service systemd-networkd.service systemd-resolved.service
    chroot "$at" systemctl --quiet disable rauc.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer ssh.socket 2>/dev/null || true
    ln -sfn "$(cd "$at/boot" && echo vmlinuz-*)" "$at/boot/vmlinuz"
    ln -sfn "$(cd "$at/boot" && echo initrd.img-*)" "$at/boot/initrd.img"
}

forget_the_moment() { # logs, caches, backups of databases, and every time later than the release
    local at=$ROOT
    rm -rf "$at"/var/cache/* "$at"/var/log/* "$at"/var/lib/apt/lists/* "$at"/var/lib/systemd/* "$at"/tmp/* "$at"/run/* \
        "$at"/etc/*- "$at"/var/lib/dpkg/*-old "$at"/var/lib/ucf "$at"/var/lib/pam/*-old "$at"/var/lib/initramfs-tools "$at"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$at"/etc/apt/apt.conf.d/99mmdebstrap
    mkdir -p "$at/var/log/journal" "$at/var/lib/private"
    find "$at" /mnt/data -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
}

file_system() { # FILE MIB NUMBER LABEL FOLDER OPTIONS...
    local file=$1 size=$2 id
    id=$(ID "$3")
    rm -f "$file"
    truncate -s $((size * MIB)) "$file"
    mke2fs -q -t ext4 -L "$4" -U "$id" -E "hash_seed=$id,lazy_itable_init=0,root_owner=0:0" -O "$EXT4_FEATURES" -d "$5" "${@:6}" "$file"
}

boot_file_system() { # the Pi's boot loader, U-Boot and which slot is good: A, and B is empty
    local file=$1 at=$ROOT dtbs
    dtbs=$(echo "$at"/usr/lib/linux-image-*/broadcom)
    rm -rf /mnt/boot && mkdir /mnt/boot
    cp -r "$at"/usr/lib/raspi-firmware/{start4.elf,fixup4.dat,overlays} "$dtbs"/bcm2711-rpi-4-b.dtb "$dtbs"/bcm2711-rpi-cm4-io.dtb \
        "$dtbs"/bcm2711-rpi-400.dtb "$dtbs"/bcm2712-rpi-5-b.dtb "$IN/boot/config.txt" /mnt/boot/
    cp "$at/usr/lib/u-boot/rpi_arm64/u-boot.bin" /mnt/boot/
    mkimage -q -A arm64 -T script -C none -d "$IN/boot/boot.cmd" /mnt/boot/boot.scr
    cp "$at/usr/lib/c1kiosk/slots.env" /mnt/boot/
    find /mnt/boot -print0 | xargs -0 touch --date="@$SOURCE_DATE_EPOCH"
    rm -f "$file"
    truncate -s $((BOOT_MIB * MIB)) "$file"
    mkfs.vfat --invariant -F 32 -n C1BOOT -i 0c1c1050 "$file" >/dev/null
    for entry in $(cd /mnt/boot && LC_ALL=C ls); do mcopy -s -m -i "$file" "/mnt/boot/$entry" ::; done
}

assemble() { # boot, root-a, root-b, data; every part begins at a whole MiB
    local disk=$1
    rm -f "$disk"
    truncate -s $(((BOOT_MIB + 2 * root_mib + data_mib + 2) * MIB)) "$disk"
    sfdisk --quiet "$disk" <<TABLE
label: gpt
label-id: $DISK_ID
first-lba: 2048
size=${BOOT_MIB}MiB, type=$FAT, uuid=$(ID 1), name=boot, attrs=LegacyBIOSBootable
size=${root_mib}MiB, type=$LINUX, uuid=$(ID 2), name=root-a
size=${root_mib}MiB, type=$LINUX, uuid=$(ID 3), name=root-b
size=${data_mib}MiB, type=$DATA, uuid=$(ID 4), name=data
TABLE
    place() { dd if="$1" of="$disk" bs=1M seek="$2" conv=notrunc,sparse status=none; }
    place "$OUT/boot.vfat" 1
    place "$OUT/root.ext4" $((1 + BOOT_MIB))
    place "$OUT/data.ext4" $((1 + BOOT_MIB + 2 * root_mib))
}

rm -rf "$ROOT" /mnt/data "$OUT" && mkdir -p /mnt/data "$OUT"
step 1 "Debian's packages, for arm64"; install_packages
step 2 "the program"; install_program
step 3 "our own files"; own_files; forget_the_moment
step 4 "the file systems"
file_system "$OUT/root.ext4" "$root_mib" 2 root "$ROOT" -O ^has_journal -m 0
file_system "$OUT/data.ext4" "$data_mib" 4 data /mnt/data -m 1 -b 4096 # it grows: the small blocks of a small file system are not for it
boot_file_system "$OUT/boot.vfat"
step 5 "the disk"; assemble "$OUT/disk.img"
step 6 "the list of files"
(cd "$ROOT" && find . -xdev -mindepth 1 -printf '%P\t%y\t%m\t%U:%G\t%s\t%l\n' | LC_ALL=C sort) >"$OUT/tree"
(cd "$ROOT" && find . -xdev -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum) >"$OUT/files.sha256"
