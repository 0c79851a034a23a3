#!/usr/bin/env bash
# axe-core, which judges what a screen reader meets: one pinned package from npm, checked, into build/axe/.
set -euo pipefail
cd "$(dirname "$0")/../.."
VERSION=4.14.1
INTEGRITY=FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==

[ -f "build/axe/$VERSION" ] && exit 0
command -v npm >/dev/null 2>&1 || { echo "no npm" >&2; exit 1; }
rm -rf build/axe && mkdir -p build/axe && cd build/axe
npm pack --silent "axe-core@$VERSION" >/dev/null
[ "$(openssl dgst -sha512 -binary "axe-core-$VERSION.tgz" | base64 -w0)" = "$INTEGRITY" ] || { echo "axe-core is not what it was" >&2; rm -f axe-core-*.tgz; exit 1; }
tar -xzf "axe-core-$VERSION.tgz" --strip-components=1 package/axe.min.js
touch "$VERSION"
