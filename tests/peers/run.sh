#!/usr/bin/env bash
# make bench-peers: other people's readers on the same boxes as ours, in an environment of its own (build/peers/venv),
# because they bring a hundred megabytes that nothing else needs. Without a package index only our own reader is measured.
#   Tesseract          tesserocr from PyPI, with the model of Debian's tesseract-ocr (root, or already there)
#   ddddocr, RapidOCR  from PyPI, which carries their models
set -uo pipefail
cd "$(dirname "$0")/../.."
VENV=build/peers/venv
LOCK=requirements/peers.txt

# Without boxes there is nothing to install for: the bench says so, exit code 2.
[ -d "${C1KIOSK_DATA:-../shared/data}/digits" ] || exec .venv/bin/python -m tests.peers

if [ ! -f /usr/share/tesseract-ocr/5/tessdata/eng.traineddata ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing tesseract-ocr" >&2
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends tesseract-ocr; } >/dev/null 2>&1
fi

install() {
    echo "installing $LOCK" >&2
    .venv/bin/python -m venv "$VENV" &&
        "$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r "$LOCK" &&
        cp "$LOCK" "$VENV/installed.txt"
}
PYTHON="$VENV/bin/python"
if ! cmp -s "$LOCK" "$VENV/installed.txt" && ! install; then
    echo "not installed from the package index: $LOCK" >&2
    PYTHON=.venv/bin/python
fi

export OMP_THREAD_LIMIT=1 OMP_NUM_THREADS=1
exec "$PYTHON" -m tests.peers
