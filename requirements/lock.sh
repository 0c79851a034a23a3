#!/usr/bin/env bash
# Writes the lock files from pyproject.toml: exact versions with hashes, one file for every supported Python and machine.
# kiosk.txt is what a device installs, tpm.txt what one with a TPM installs, office.txt the offline machine of the
# ceremony (tables and a PKCS#11 token; of a TPM see tpm.txt); image.txt describes an image (provisioning/image); dev.txt is what `make demo` and `make test`
# install, builder.txt what provisioning/wheelhouse.sh builds with, fuzz.txt what guides tests/fuzz by coverage;
# peers.txt what `make bench-peers` adds in an environment of its own: the kiosk's versions and other people's readers. These
# ask for opencv-python, which would overwrite the headless build that everything here uses: it is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool" && "$tool/bin/pip" install -q uv
lock() { "$tool/bin/uv" pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -q "$@"; }
lock -o requirements/kiosk.txt
lock --extra tpm -c requirements/kiosk.txt -o requirements/tpm.txt
lock --extra tables --extra pkcs11 -c requirements/kiosk.txt -o requirements/office.txt
lock --extra collector --extra queue --extra s3 --extra tables --group dev -o requirements/dev.txt
lock --extra collector --extra queue --extra s3 --extra tables --extra pkcs11 --group dev --group system -o requirements/system.txt
"$tool/bin/uv" pip compile --group builder -c requirements/kiosk.txt --universal --python-version 3.11 --generate-hashes --no-header -q \
    -o requirements/builder.txt
"$tool/bin/uv" pip compile --group image -c requirements/kiosk.txt --universal --python-version 3.11 --generate-hashes --no-header -q \
    -o requirements/image.txt
lock --group fuzz -c requirements/dev.txt -o requirements/fuzz.txt
lock --group peers -c requirements/kiosk.txt --override <(echo "opencv-python ; sys_platform == 'never'") -o requirements/peers.txt
