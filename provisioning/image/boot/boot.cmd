# U-Boot picks the slot. slots.env says in which order (BOOT_ORDER) and how often each may still be tried: 9 is a slot that
# was found healthy and is never given up, 0 one that is not tried; anything between is counted down before it is started.
# The file is written by RAUC (fw_setenv) and, for a slot on trial only, here. When it cannot be read, A comes before B.
if test "${devtype}" = mmc; then
    setenv at_kernel 0x08000000
    setenv at_initrd 0x10000000
else
    setenv at_kernel ${kernel_addr_r}
    setenv at_initrd ${ramdisk_addr_r}
fi
setenv confirmed 9
setenv BOOT_ORDER "A B"
setenv BOOT_A_LEFT ${confirmed}
setenv BOOT_B_LEFT ${confirmed}
if load ${devtype} ${devnum}:1 ${at_initrd} slots.env; then
    env import -c ${at_initrd} ${filesize} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
fi

setenv slot
for candidate in ${BOOT_ORDER}; do
    if test -n "${slot}"; then
        true
    elif test "${candidate}" = A; then
        if test ${BOOT_A_LEFT} -gt 0; then setenv slot A; setenv left ${BOOT_A_LEFT}; fi
    elif test "${candidate}" = B; then
        if test ${BOOT_B_LEFT} -gt 0; then setenv slot B; setenv left ${BOOT_B_LEFT}; fi
    fi
done
setenv keep "env export -c -s 0x4000 ${at_initrd} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; fatwrite ${devtype} ${devnum}:1 ${at_initrd} slots.env 0x4000"
if test -z "${slot}"; then
    echo "c1kiosk: no slot is left; both are tried again"
    setenv BOOT_A_LEFT 1
    setenv BOOT_B_LEFT 1
    run keep
    reset
fi
if test "${left}" != "${confirmed}"; then
    setexpr BOOT_${slot}_LEFT ${left} - 1
    run keep
fi

if test "${slot}" = A; then setenv number 2; setenv name root-a; else setenv number 3; setenv name root-b; fi
echo "c1kiosk: slot ${slot}, tries left ${left}"
setenv machine
if test -n "${serial#}"; then setenv machine "systemd.machine_id=c1051000c1051000${serial#}"; fi # the Pi's own, 16 digits
setenv bootargs "root=/dev/c1kiosk/${name} rootfstype=ext4 ro rootwait panic=10 rauc.slot=${slot} ${machine}"
if load ${devtype} ${devnum}:${number} ${at_kernel} /boot/vmlinuz; then
    if load ${devtype} ${devnum}:${number} ${at_initrd} /boot/initrd.img; then
        booti ${at_kernel} ${at_initrd}:${filesize} ${fdt_addr}
    fi
fi
echo "c1kiosk: slot ${slot} does not start"
setenv BOOT_${slot}_LEFT 0
run keep
reset
