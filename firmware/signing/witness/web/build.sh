#!/usr/bin/env bash
# The witness's page, without what it trusts: npm packages pinned with their hashes, bundled into dist/page.html.
# Exit status 3: the packages cannot be fetched.
set -euo pipefail
cd "$(dirname "$0")"
WORK="../../../../build/witness"
DIST="${1:-$PWD/dist}"

command -v npm >/dev/null 2>&1 || { echo "no npm: install Node.js 18 or newer" >&2; exit 1; }
mkdir -p "$WORK"
rm -rf "$WORK/src"
cp -r src page.html style.css build.mjs package.json package-lock.json tsconfig.json "$WORK"
cd "$WORK"
if ! cmp -s package-lock.json node_modules/.installed; then
    npm ci --silent --ignore-scripts --no-audit --no-fund || { echo "npm cannot fetch the packages" >&2; exit 3; }
    cp package-lock.json node_modules/.installed
fi
node_modules/.bin/tsc
node build.mjs "$DIST"
