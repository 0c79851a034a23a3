#!/usr/bin/env bash
# Makes the signed bundle that updates a kiosk to an image: its root slot, its manifest and its SBOM.
set -euo pipefail

COMPATIBLE=c1kiosk-pi-arm64 # as in rootfs/etc/rauc/system.conf

usage() {
    cat <<'TEXT'
usage: bundle.sh --image DIR --authority RELEASE --keyring ROOT.pem --out FILE.raucb --tools DIR
                 [--passphrase-fd N] [--compatible NAME] [--level N]

  --image DIR        made by build.sh
  --authority DIR    folder of a release authority (ca authority --purpose release); its passphrase is asked for
  --keyring FILE     the organisation's root: what was signed is verified with it, as a kiosk does
  --out FILE         the bundle
  --tools DIR        the tools' root, made by build.sh
  --passphrase-fd N  file descriptor to read the passphrase from
  --compatible NAME  of another kind of machine
  --level N          zstd's (default 15)

Exit 0: FILE is there, and verified. 1: refused. 2: wrong use.
TEXT
}
refuse() { echo "bundle-$1: $2" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
image="" authority="" keyring="" out="" tools="" passin=() compatible=$COMPATIBLE level=15
while [ $# -gt 0 ]; do
    case "$1" in
        --image) image=$(realpath -e "${2:?}"); shift 2 ;;
        --authority) authority=$(realpath -e "${2:?}"); shift 2 ;;
        --keyring) keyring=$(realpath -e "${2:?}"); shift 2 ;;
        --out) out=$(realpath -m "${2:?}"); shift 2 ;;
        --tools) tools=$(realpath -m "${2:?}"); shift 2 ;;
        --passphrase-fd) passin=(-passin "fd:${2:?}"); shift 2 ;;
        --compatible) compatible=${2:?}; shift 2 ;;
        --level) level=${2:?}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
for given in "$image" "$authority" "$keyring" "$out" "$tools"; do
    [ -n "$given" ] || { usage >&2; exit 2; }
done
version=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["version"])' "$image/manifest.json") \
    || refuse image "$image was not made by build.sh"

work=$(mktemp -d "$(dirname "$out")/bundle.XXXXXX")
trap 'rm -rf "$work" "/dev/shm/c1kiosk-release.$$"' EXIT
mkdir "$work/content"
cp --sparse=always "$image/"{root.ext4,manifest.json,sbom.cdx.json} "$work/content/"
cat >"$work/content/manifest.raucm" <<TEXT
[update]
compatible=$compatible
version=$version

[bundle]
format=verity

[image.rootfs]
filename=root.ext4
TEXT
# The key is opened into memory only, and never lies on a disk.
(umask 077 && openssl pkey -in "$authority/key.pem" "${passin[@]}" -out "/dev/shm/c1kiosk-release.$$") || refuse authority "the passphrase is wrong, or there is no key"
cp "$authority/certificate.pem" "$work/certificate.pem"
cp "$keyring" "$work/keyring.pem"
printf '[system]\ncompatible=%s\nbootloader=noop\n\n[keyring]\npath=/mnt/keyring.pem\ncheck-purpose=codesign\n' "$compatible" >"$work/system.conf"
bash "$here/tools.sh" --root "$tools" -- "$work" rauc --conf=/mnt/system.conf bundle --cert=/mnt/certificate.pem \
    --key="/dev/shm/c1kiosk-release.$$" --keyring=/mnt/keyring.pem --mksquashfs-args="-comp zstd -Xcompression-level $level -b 1M" \
    /mnt/content /mnt/bundle.raucb || refuse sign "RAUC does not sign or does not verify it: see above"
mv "$work/bundle.raucb" "$out"
printf 'bundle   %s, %s\nrelease  %s for %s\n' "$out" "$(du -h "$out" | cut -f1)" "$version" "$compatible"
