#!/usr/bin/env bash
# The environment of emupos, an ESC/POS emulator that nobody here wrote: its own, because it needs Python 3.13.
# Made once in build/emupos. Exit 1 with a reason when there is no Python 3.13 or no package index.
set -euo pipefail
cd "$(dirname "$0")/../.."
VENV=build/emupos
[ -x "$VENV/bin/emupos" ] && exit 0

python_313() {
    for candidate in python3.13 python3.14 "$HOME"/.pyenv/versions/3.1[34]*/bin/python3; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "emupos: no Python 3.13 or newer" >&2
    return 1
}

PYTHON="$(python_313)"
"$PYTHON" -m venv "$VENV"
if ! "$VENV/bin/python" -m pip install -q --disable-pip-version-check emupos==0.4.0; then
    rm -rf "$VENV"
    echo "emupos: cannot be installed from the package index" >&2
    exit 1
fi
