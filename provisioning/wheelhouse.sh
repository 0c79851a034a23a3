#!/usr/bin/env bash
# Builds the wheelhouse: one folder with everything that install.sh puts on a device that has no network. A laptop does it once
# for each Python and machine; what it holds is decided by the lock files, byte for byte.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: wheelhouse.sh --out DIR [--python 3.13|3.11] [--arch arm64|amd64] [--tpm] [--root DIR]

  --out DIR      the wheelhouse; it is made anew, and takes its name only when it is whole
  --python V     of the device: 3.11 on Debian 12 (bookworm), 3.13 on Debian 13 (trixie, the default)
  --arch A       of the device: arm64 (the default) or amd64
  --tpm          with tpm2-pytss, which has no wheels: it is compiled in a Debian root of that release and machine (root,
                 mmdebstrap, and for another machine qemu-user with binfmt_misc)
  --root DIR     that root, if there is one with python3-venv, gcc, pkg-config, python3-dev and libtss2-dev in it

Needs a network, python3 with venv, git, and the witness's page (make witness-page). Exit 0: the wheelhouse is there. 1: refused
or not to be had, with the reason; DIR is then as it was. 2: wrong use.
TEXT
}

refuse() { echo "wheelhouse-$1: $2" >&2; exit 1; }
wrong() { echo "$1" >&2; usage >&2; exit 2; }
step() { printf '[%s/7] %s\n' "$1" "$2"; }

out="" python=3.13 arch=arm64 tpm="" root=""
while [ $# -gt 0 ]; do
    case "$1" in
        --out) out=${2:?}; shift 2 ;;
        --python) python=${2:?}; shift 2 ;;
        --arch) arch=${2:?}; shift 2 ;;
        --tpm) tpm=yes; shift ;;
        --root) root=${2:?}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) wrong "unknown option: $1" ;;
    esac
done
[ -n "$out" ] || wrong "--out is missing"
case "$python" in
    3.11) suite=bookworm glibc=36 ;;
    3.13) suite=trixie glibc=41 ;;
    *) wrong "no Debian that is served has Python $python" ;;
esac
case "$arch" in
    arm64) machine=aarch64 ;;
    amd64) machine=x86_64 ;;
    *) wrong "no kiosk has an $arch" ;;
esac

out=$(realpath -m "$out")
cd "$(dirname "$0")/.."
PAGE=firmware/signing/witness/web/dist/page.html
[ -f "$PAGE" ] || refuse page "the witness's page is not built: make witness-page, then again"
[ -z "$tpm" ] || [ "$(id -u)" = 0 ] || refuse root "--tpm compiles in a root of the device's release: run it as root"

work=$(mktemp -d "${TMPDIR:-/tmp}/wheelhouse.XXXXXX")
trap 'rm -rf "$work"' EXIT
new="$work/new"
mkdir -p "$new/wheels" "$new/tools" "$work/built"
# Every archive made here carries the time of the last commit, so that the same commit gives the same bytes.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS="" PIP_CERT="${PIP_CERT:-}"
[ -n "$PIP_CERT" ] || unset PIP_CERT

step 1 "the tools, from requirements/builder.txt"
python3 -m venv "$work/venv"
pip="$work/venv/bin/pip"
"$pip" install -q --require-hashes -r requirements/builder.txt
"$pip" download -q --no-deps --only-binary :all: --require-hashes -r <(sed -n '/^pip==/,/^    # via/p' requirements/builder.txt) -d "$new/tools"

step 2 "the wheels of requirements/kiosk.txt for Python $python on $arch"
platforms=(--platform "linux_$machine")
for ((minor = glibc; minor >= 5; minor--)); do platforms+=(--platform "manylinux_2_${minor}_$machine"); done
for old in manylinux2014 manylinux2010 manylinux1; do platforms+=(--platform "${old}_$machine"); done
"$pip" download -q --no-deps --no-build-isolation --require-hashes --implementation cp --python-version "$python" \
    "${platforms[@]}" -r requirements/kiosk.txt -d "$work/down" || refuse download "see above: a network, or a wheel, is missing"

step 3 "wheels of what is published as source only"
find "$work/down" -name '*.whl' -exec mv -t "$new/wheels" {} +
while IFS= read -r -d '' source; do
    "$pip" wheel -q --no-deps --no-build-isolation --no-index -w "$work/built" "$source"
done < <(find "$work/down" -type f -print0)
for wheel in "$work"/built/*; do
    case "$wheel" in *-none-any.whl) ;; *) refuse compiled "$(basename "$wheel") has to be compiled for $arch, which is done for --tpm only" ;; esac
done

step 4 "the kiosk's own wheel"
"$pip" wheel -q --no-deps --no-build-isolation --no-index -w "$work/built" .

step 5 "tpm2-pytss: $([ -n "$tpm" ] && echo "compiled for $suite on $arch" || echo "not asked for")"
if [ -n "$tpm" ]; then
    if [ -z "$root" ]; then
        root="$work/root"
        mmdebstrap --quiet --variant=minbase --arch="$arch" \
            --include=python3-venv,python3-dev,gcc,libc6-dev,pkg-config,libtss2-dev,ca-certificates "$suite" "$root" \
            || refuse tpm-root "no root of $suite for $arch: see above"
    fi
    bash "$(dirname "$0")/wheelhouse_tpm.sh" "$root" "$work/built" 2>&1 || refuse tpm "tpm2-pytss does not build: see above"
fi
mv -t "$new/wheels" "$work"/built/*.whl

step 6 "what belongs to the system: units, users, packages, install.sh"
cp -r systemd "$new/systemd"
cp provisioning/install.sh provisioning/packages.txt "$new/"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -1)
commit=$(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown) # -dirty: not what it names
printf 'version=%s\npython=%s\narch=%s\nsuite=%s\ntpm=%s\ncommit=%s\n' "$version" "$python" "$arch" "$suite" "${tpm:-no}" "$commit" >"$new/release"

step 7 "the device's own lock, and SHA256SUMS"
for wheel in "$new"/wheels/*.whl; do
    IFS=- read -r name number _ <<<"$(basename "$wheel")"
    printf '%s==%s --hash=sha256:%s\n' "$name" "$number" "$(sha256sum "$wheel" | cut -d' ' -f1)"
done >"$new/requirements.txt"
find "$new" -exec chmod u=rwX,go=rX {} +
(cd "$new" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum) >"$work/sums"
install -m 644 "$work/sums" "$new/SHA256SUMS"

mkdir -p "$(dirname "$out")"
rm -rf "$out.old" "$out.new"
cp -r "$new" "$out.new"
[ ! -e "$out" ] || mv -T "$out" "$out.old"
mv -T "$out.new" "$out"
rm -rf "$out.old"
printf '\nwheelhouse  %s\nrelease     %s-%s\nfor         Python %s, %s, Debian %s%s\nwheels      %s, %s\n' "$out" "$version" \
    "$(sha256sum "$out/SHA256SUMS" | cut -c1-12)" "$python" "$arch" "$suite" "${tpm:+, with TPM}" \
    "$(find "$out/wheels" -type f | wc -l)" "$(du -sh "$out" | cut -f1)"
