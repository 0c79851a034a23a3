#!/usr/bin/env bash
# Writes the lock files from pyproject.toml: exact versions with hashes, one file for every supported Python and machine.
# kiosk.txt is what a device installs; dev.txt is what `make demo` and `make test` install.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool" && "$tool/bin/pip" install -q uv
lock() { "$tool/bin/uv" pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -q "$@"; }
lock -o requirements/kiosk.txt
lock --extra collector --group dev -o requirements/dev.txt
lock --extra collector --group dev --group system -o requirements/system.txt
