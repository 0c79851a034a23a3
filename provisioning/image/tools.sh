#!/usr/bin/env bash
# The tools that make an image, in a Debian root of their own: the same versions on every laptop, whatever runs there.
set -euo pipefail

TOOLS=mmdebstrap,arch-test,qemu-user,e2fsprogs,mtools,dosfstools,fdisk,rauc,u-boot-tools,libubootenv-tool,squashfs-tools,zstd,ca-certificates,openssl,systemd,python3

usage() {
    cat <<'TEXT'
usage: tools.sh --root DIR [--sources FILE] [-- BIND COMMAND...]

  --root DIR       where the root is, or is made (870 MB; root, mmdebstrap, a network or a mirror)
  --sources FILE   apt sources (default: Debian trixie, as apt's usual names have it)
  -- BIND COMMAND  runs COMMAND in it, with the folder BIND at /mnt; mounts are gone when it ends

A foreign architecture needs qemu-aarch64 in binfmt_misc; it is registered from this root where it is not.
TEXT
}
refuse() { echo "image-$1: $2" >&2; exit 1; }

root="" sources=""
while [ $# -gt 0 ]; do
    case "$1" in
        --root) root=$(realpath -m "${2:?}"); shift 2 ;;
        --sources) sources=${2:?}; shift 2 ;;
        --) shift; break ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
[ -n "$root" ] || { usage >&2; exit 2; }
[ "$(id -u)" = 0 ] || refuse root "run it as root"

if [ "$(cat "$root/tools" 2>/dev/null)" != "$TOOLS" ]; then
    command -v mmdebstrap >/dev/null || refuse tools "apt-get install mmdebstrap"
    echo "making the tools in $root"
    rm -rf "$root"
    mmdebstrap --quiet --variant=minbase --include="$TOOLS" trixie "$root" ${sources:+"$sources"} \
        || refuse tools "the tools cannot be installed: see above"
    echo "$TOOLS" >"$root/tools"
fi
[ $# -gt 0 ] || exit 0

binfmt=/proc/sys/fs/binfmt_misc
if [ "$(uname -m)" != aarch64 ]; then
    [ -e "$binfmt/register" ] || mount -t binfmt_misc binfmt_misc "$binfmt"
    if [ ! -e "$binfmt/qemu-aarch64" ]; then # F: opened now, and so found from every root
        magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
        mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
        printf ':qemu-aarch64:M::%s:%s:%s:OCF' "$magic" "$mask" "$root/usr/bin/qemu-aarch64" >"$binfmt/register"
    fi
fi

bind=$(realpath -e "$1")
shift
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --propagation private bash -euc '
    root=$1 bind=$2; shift 2
    mount --bind "$bind" "$root/mnt"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-}" "$@"
' tools "$root" "$bind" "$@"
