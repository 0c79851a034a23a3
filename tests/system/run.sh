#!/usr/bin/env bash
# make test-system: the tests that need more than Python. Installs what it may, says what it skips and why.
#   chromium    Debian's package (root, or already there) with playwright from PyPI: the screens in a real browser
#   axe-core    from npm, pinned and checked (axe.sh): the same screens, for people who cannot see
#   node, npm   Debian's packages (root, or already there): the witness's page, bundled from pinned npm packages
#   WebKitGTK   Debian's driver and Xvfb (root, or already there): the witness's page in the engine of an iPhone
#   schemathesis  from PyPI: the API against its own description
#   other users   root: who opens the screen's port
#   emupos      an ESC/POS emulator and renderer from PyPI, Python 3.13 in its own environment: the printer's bytes
#   swtpm       Debian's package (root, or already there) with tpm2-pytss from PyPI, built here: the key in a TPM
#   softhsm2, ssss  Debian's packages (root, or already there): an authority's key in a token, a passphrase in shares
#   pycose      from PyPI: another COSE implementation reads and writes our messages
#   networks    root: namespaces with a bad line between them, for the uplink
#   systemd-container, mmdebstrap  Debian's packages (root, already there): with C1KIOSK_APPLIANCE=1 the installation on booted
#               Debian 12 and 13 machines: installed, hung, cut, upgraded, rolled back, killed, removed
#   openssh-server  Debian's package (root, or already there): a fleet of devices over real ssh; twenty with C1KIOSK_APPLIANCE=1
#   systemd-creds  Debian's systemd (root): the key sealed to this machine
#   postgresql, nginx-light  Debian's packages (root, or already there): the collector on a server's database, behind nginx
#   SeaweedFS   from PyPI: the collector's pictures in a real S3 server
#   rauc, U-Boot, QEMU for arm64  Debian's packages (root, or already there): bundles that are no update, and which slot starts;
#               with C1KIOSK_APPLIANCE=1 an image that is there is started, updated and broken (test_appliance.py says how)
#   exfat-fuse, exfatprogs  Debian's packages (root, or already there): a USB stick; in a machine of its own, hot-plugged,
#               with C1KIOSK_APPLIANCE=1 (and mmdebstrap, qemu-system-x86, dosfstools, mtools)
#   nats-server  from PyPI: the collector's queue on three real nodes
#   real forms  ../shared/data, where it exists: reading and registration on real pictures
set -uo pipefail
cd "$(dirname "$0")/../.."
BIN=.venv/bin

have_chromium() { command -v chromium >/dev/null 2>&1; }
if ! have_chromium && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing chromium"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1
fi
$BIN/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/system.txt
have_chromium || echo "skipped: the screens in a browser (no chromium, and no right to install it)"
[ "$(id -u)" = 0 ] || echo "skipped: other users of this machine (only root can become one)"

if ! command -v npm >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing nodejs and npm"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm; } >/dev/null 2>&1
fi
if ! command -v WebKitWebDriver >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing WebKitGTK's driver"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends webkit2gtk-driver xvfb; } >/dev/null 2>&1
fi
command -v WebKitWebDriver >/dev/null 2>&1 || echo "skipped: the witness's page in WebKit (no driver, and no right to install it)"
bash firmware/signing/witness/web/build.sh || echo "skipped: the witness's page (see above)"

have_tpm_parts() { command -v swtpm >/dev/null 2>&1 && pkg-config --exists tss2-esys 2>/dev/null; }
if ! have_tpm_parts && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing swtpm"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends swtpm libtss2-dev gcc libc6-dev pkg-config; } >/dev/null 2>&1
fi
if have_tpm_parts; then
    $BIN/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/tpm.txt || echo "skipped: the key in a TPM (tpm2-pytss does not build)"
else
    echo "skipped: the key in a TPM (no swtpm or libtss2-dev, and no right to install them)"
fi

have_office_parts() { [ -e /usr/lib/softhsm/libsofthsm2.so ] && command -v ssss-split >/dev/null 2>&1; }
if ! have_office_parts && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing softhsm2 and ssss"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends softhsm2 ssss; } >/dev/null 2>&1
fi
have_office_parts || echo "skipped: an authority's key in a token, a passphrase in shares (no softhsm2 or ssss, and no right to install them)"

if ! command -v sshd >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing openssh-server"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends openssh-server openssh-client; } >/dev/null 2>&1
fi
command -v sshd >/dev/null 2>&1 || echo "skipped: the fleet over ssh (no sshd, and no right to install it)"

have_servers() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v nginx >/dev/null 2>&1; }
if ! have_servers && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing postgresql and nginx-light"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql nginx-light; } >/dev/null 2>&1
fi
have_servers || echo "skipped: the collector on PostgreSQL or behind nginx (not installed, and no right to install them)"

[ -x $BIN/weed ] || echo "skipped: the collector's pictures in S3 (no SeaweedFS for this machine on PyPI)"

have_update_parts() { command -v rauc mkimage mcopy qemu-system-aarch64 >/dev/null 2>&1 && [ -e /usr/lib/u-boot/qemu_arm64/u-boot.bin ]; }
if ! have_update_parts && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing rauc, U-Boot and QEMU for arm64"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends rauc u-boot-tools u-boot-qemu qemu-system-arm mtools dosfstools fdisk; } >/dev/null 2>&1
fi
have_update_parts || echo "skipped: bundles, slots and images (no rauc, U-Boot or QEMU, and no right to install them)"

have_stick_parts() { command -v mkfs.exfat >/dev/null 2>&1 && command -v mount.exfat-fuse >/dev/null 2>&1; }
if ! have_stick_parts && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing exfatprogs and exfat-fuse"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends exfatprogs exfat-fuse dosfstools mtools; } >/dev/null 2>&1
fi
have_stick_parts || echo "skipped: a USB stick's file systems (no exfatprogs or exfat-fuse, and no right to install them)"

[ -x $BIN/nats-server ] || echo "skipped: the collector's queue (no nats-server for this machine)"

bash tests/system/emupos_venv.sh || echo "skipped: the independent printer renderer (see above)"

{ command -v systemd-nspawn && command -v mmdebstrap; } >/dev/null 2>&1 || echo "skipped: the installation on booted Debian machines (no systemd-container or mmdebstrap)"

[ -d "${C1KIOSK_DATA:-../shared/data}" ] || echo "skipped: real forms and digits (no ../shared/data; set C1KIOSK_DATA)"

exec $BIN/pytest -m system -rs tests
