#!/usr/bin/env bash
# Builds the image of a kiosk: a disk for a Raspberry Pi 4 or 5 with two root slots and a data partition, from Debian's
# packages and a wheelhouse, with its manifest and SBOM. README.md says what is in it and what differs between two builds.
set -euo pipefail

DATA_MIB=256 # of the data partition in the image; it takes the rest of the card at the first start

usage() {
    cat <<'TEXT'
usage: build.sh --wheelhouse DIR --keyring ROOT.pem --out DIR [options]

  --wheelhouse DIR   made by ../wheelhouse.sh for arm64 and Python 3.13
  --keyring FILE     the organisation's root certificate: only updates below it are believed
  --out DIR          gets c1kiosk-VERSION.img.zst, root.ext4, manifest.json, sbom.cdx.json; made anew
  --version V        of the release (default: the wheelhouse's)
  --groups LIST      of ../packages.txt (default: base,screen,tpm; pi only with the Pi's own archive)
  --sources FILE     apt sources of the image (default: Debian trixie and its security updates)
  --lock FILE        the versions that may come (default: packages.lock beside this script)
  --relock           write them there instead of comparing
  --root-mib N       size of a root slot (default 3072)
  --work DIR         where it is built, about 10 GB (default: below TMPDIR)
  --tools DIR        the tools' root, kept from one build to the next (default: WORK/tools)

Needs root, mmdebstrap, python3 with venv, and Debian's and Python's packages from a network or a mirror.
Exit 0: DIR is there, whole. 1: refused, with a code and what to do. 2: wrong use.
TEXT
}
refuse() { echo "image-$1: $2" >&2; exit 1; }
wrong() { echo "$1" >&2; usage >&2; exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
wheelhouse="" keyring="" out="" version="" groups=base,screen,tpm sources="" lock="$here/packages.lock" relock="" root_mib=3072 work="" tools=""
while [ $# -gt 0 ]; do
    case "$1" in
        --wheelhouse) wheelhouse=$(realpath -e "${2:?}"); shift 2 ;;
        --keyring) keyring=${2:?}; shift 2 ;;
        --out) out=$(realpath -m "${2:?}"); shift 2 ;;
        --version) version=${2:?}; shift 2 ;;
        --groups) groups=${2:?}; shift 2 ;;
        --sources) sources=${2:?}; shift 2 ;;
        --lock) lock=${2:?}; shift 2 ;;
        --relock) relock=yes; shift ;;
        --root-mib) root_mib=${2:?}; shift 2 ;;
        --work) work=$(realpath -m "${2:?}"); shift 2 ;;
        --tools) tools=${2:?}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) wrong "unknown option: $1" ;;
    esac
done
if [ -z "$wheelhouse" ] || [ -z "$keyring" ] || [ -z "$out" ]; then wrong "--wheelhouse, --keyring and --out are needed"; fi
[ "$(id -u)" = 0 ] || refuse root "run it as root"
[ "$(grep -c -x -e 'arch=arm64' -e 'python=3.13' "$wheelhouse/release")" = 2 ] \
    || refuse wheelhouse "$wheelhouse is not for arm64 and Python 3.13"
(cd "$wheelhouse" && sha256sum --check --quiet --strict SHA256SUMS) || refuse wheelhouse-damaged "copy the wheelhouse again"
openssl x509 -in "$keyring" -noout 2>/dev/null || refuse keyring "$keyring is no certificate"
: "${version:=$(sed -n 's/^version=//p' "$wheelhouse/release")}"
[[ $version =~ ^[0-9][0-9A-Za-z.+~]*$ ]] || wrong "a version begins with a digit: $version"

if [ -z "$work" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/image.XXXXXX")
    trap 'rm -rf --one-file-system "$work"' EXIT
fi
: "${tools:=$work/tools}"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || stat -c %Y "$wheelhouse/SHA256SUMS")}
export SOURCE_DATE_EPOCH

rm -rf "$work/in"
mkdir -p "$work/in"
cp -r "$here/rootfs" "$here/boot" "$work/in/"
find "$work/in/rootfs" "$work/in/boot" -exec chmod u=rwX,go=rX {} +
cp -r "$wheelhouse" "$work/in/wheelhouse"
cp "$here/stage.sh" "$work/in/"
openssl x509 -in "$keyring" -out "$work/in/keyring.pem"
[ -z "$sources" ] || cp "$sources" "$work/in/sources"
for group in ${groups//,/ }; do sed -n "s/^$group: *\([^|]*\).*/\1/p" "$wheelhouse/packages.txt"; done >"$work/in/packages"
cat "$here/packages.txt" >>"$work/in/packages"

bash "$here/tools.sh" --root "$tools" ${sources:+--sources "$sources"} -- "$work" \
    bash /mnt/in/stage.sh "$version" "$root_mib" "$DATA_MIB" || refuse build "see above"

LC_ALL=C sort <(cut -d' ' -f1-3 "$work/out/packages") >"$work/out/versions"
if [ -n "$relock" ]; then
    cp "$work/out/versions" "$lock"
elif strangers=$(LC_ALL=C comm -13 "$lock" "$work/out/versions") && [ -n "$strangers" ]; then
    refuse lock "Debian has other packages or versions than $lock: take a mirror of that day, or --relock
$strangers"
fi
[ -x "$tools.venv/bin/python" ] || python3 -m venv "$tools.venv"
"$tools.venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$here/../../requirements/image.txt" \
    || refuse describe "the wheels of requirements/image.txt are not to be had"
(cd "$here/../.." && "$tools.venv/bin/python" -m provisioning.image.describe --work "$work" --version "$version" --epoch "$SOURCE_DATE_EPOCH" \
    --commit "$(sed -n 's/^commit=//p' "$wheelhouse/release")") || refuse describe "see above"
zstd -q -f -T0 -10 "$work/out/disk.img" -o "$work/out/c1kiosk-$version.img.zst"
rm -rf "$out.new"
mkdir -p "$out.new"
cp --sparse=always "$work/out/"{root.ext4,manifest.json,sbom.cdx.json,"c1kiosk-$version.img.zst"} "$out.new/"
rm -rf "$out"
mv -T "$out.new" "$out"
printf '\nimage     %s\nslot      %s used of %s MiB\nmanifest  sha256 %s\n' "$out/c1kiosk-$version.img.zst, $(du -h "$out/c1kiosk-$version.img.zst" | cut -f1)" \
    "$(du -sm "$work/root" | cut -f1)" "$root_mib" "$(sha256sum "$out/manifest.json" | cut -d' ' -f1)"
