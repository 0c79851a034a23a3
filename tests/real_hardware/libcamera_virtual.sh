#!/usr/bin/env bash
# The Raspberry Pi camera's driver on real libcamera and picamera2, without a Pi: by hand, as root, on Debian with
# mmdebstrap. libcamera's own `virtual` camera shows a photograph; everything above the sensor is what a Pi runs.
#   bash tests/real_hardware/libcamera_virtual.sh [RESULTS.xml]
# The first run installs Debian trixie with libcamera into build/libcamera (900 MB, some minutes).
set -euo pipefail
cd "$(dirname "$0")/../.."
# Mounts stay inside this script's own namespace: they are gone with it, whatever happens.
[ "${C1KIOSK_UNSHARED:-}" ] || C1KIOSK_UNSHARED=1 exec unshare --mount --propagation private bash "$0" "$@"

ROOT=build/libcamera/root
RESULTS=${1:-build/libcamera/results.xml}
PACKAGES=python3-libcamera,libcamera-ipa,python3-numpy,python3-prctl,python3-pil,python3-venv,python3-dev,gcc,libc6-dev,ca-certificates

install() {
    mkdir -p build/libcamera
    mmdebstrap --quiet --variant=minbase --include="$PACKAGES" trixie "$ROOT" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
    cp -L /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
    cp -L /etc/resolv.conf "$ROOT/etc/"
    mount_system
    chroot "$ROOT" python3 -m venv --system-site-packages /venv
    chroot "$ROOT" /venv/bin/pip install -q --disable-pip-version-check \
        "picamera2>=0.3.25" msgspec structlog click pytest opencv-python-headless==5.0.0.93
    touch "$ROOT/installed"
}

mount_system() {
    mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
    mountpoint -q "$ROOT/dev" || mount --rbind /dev "$ROOT/dev"
}

[ -e "$ROOT/installed" ] || install
mount_system
mkdir -p "$ROOT/c1kiosk" "$ROOT/virtual" "$ROOT/usr/share/libcamera/pipeline/virtual"
mount --bind "$PWD" "$ROOT/c1kiosk"
gcc -shared -fPIC -O2 -o "$ROOT/virtual/dma_heap.so" tests/real_hardware/dma_heap.c -ldl
chroot "$ROOT" env -C /c1kiosk /venv/bin/python -m tests.real_hardware.virtual_camera --prepare
chroot "$ROOT" env -C /c1kiosk LD_PRELOAD=/virtual/dma_heap.so LIBCAMERA_LOG_LEVELS='*:ERROR' PYTHONDONTWRITEBYTECODE=1 \
    /venv/bin/python -m tests.real_hardware --program "/venv/bin/python -m tests.real_hardware.virtual_camera" --junit "$RESULTS"
