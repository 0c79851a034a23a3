#!/usr/bin/env bash
# Compiles tpm2-pytss, which is published as source only, in a Debian root of the device's release and machine. Called by
# wheelhouse.sh. What is compiled and what compiles it are those of the lock files, by their hashes.
set -euo pipefail

if [ $# != 2 ] || [ "$1" = --help ]; then
    echo "usage: wheelhouse_tpm.sh ROOT OUT    (ROOT: python3-venv, python3-dev, gcc, pkg-config, libtss2-dev; OUT: gets the wheel)"
    [ "${1:-}" = --help ] && exit 0 || exit 2
fi
root=$1 out=$2
requirements="$(dirname "$0")/../requirements"

work=$(mktemp -d "$root/tmp/tpm.XXXXXX")
inside="/tmp/$(basename "$work")"
trap 'rm -rf "$work"' EXIT
cp "$requirements/builder.txt" "$work/"
sed -n '/^tpm2-pytss==/,/^    # via/p' "$requirements/tpm.txt" >"$work/tpm.txt"
grep -q sha256 "$work/tpm.txt" || { echo "requirements/tpm.txt does not name tpm2-pytss" >&2; exit 1; }
# A root has no name server and may not know the certificates of this machine's network.
cp -L /etc/resolv.conf "$work/resolv.conf"
cp -L "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$work/ca.crt"
[ -s "$root/etc/resolv.conf" ] || cp "$work/resolv.conf" "$root/etc/resolv.conf"

# cffi of the lock reads the headers; the result needs no cffi newer than the kiosk's.
chroot "$root" env -i PATH=/usr/bin:/bin HOME="$inside" LANG=C.UTF-8 SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1767225600}" \
    PIP_CERT="$inside/ca.crt" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 bash -euc "
    cd $inside
    python3 -m venv venv
    venv/bin/pip install -q --require-hashes -r builder.txt
    PATH=$inside/venv/bin:\$PATH venv/bin/pip wheel -q --no-deps --no-build-isolation --require-hashes -r tpm.txt -w built"
mv -t "$out" "$work"/built/*.whl
