#!/usr/bin/env bash
# Installs, upgrades, rolls back or removes the kiosk's program on Raspberry Pi OS and Debian 12 and 13. No network is used.
#
# Releases lie side by side in /opt/c1kiosk-releases/VERSION-WHEELHOUSE, each with its own virtual environment, units and lock.
# /opt/c1kiosk is a symbolic link to one of them, and everything in /etc/systemd and /etc/udev that is ours links through it:
# changing that one link changes all of it at once. A release is put together in the folder `new` and has its name only when it
# is whole; until then nothing that runs is disturbed, not even where a damaged release is repaired. From then on
# /opt/c1kiosk-releases/unfinished says what is under way, until it is done. The same command again goes on from wherever it
# was cut off. Everything in a release names itself through /opt/c1kiosk and nothing holds a time: the same wheelhouse gives
# the same release.json.
# Configuration (/etc/c1kiosk) and evidence (/var/lib/c1kiosk) are never touched but to make the folders.
set -euo pipefail
umask 022 # whoever runs it: the services read the program, and modes are part of the manifest

RELEASES=/opt/c1kiosk-releases
CURRENT=/opt/c1kiosk
PREVIOUS=$RELEASES/previous
NEW=$RELEASES/new
UNFINISHED=$RELEASES/unfinished
HEALTH=$RELEASES/health.json # what was good before an upgrade
EVIDENCE=/var/lib/c1kiosk
SERVICES=(c1kiosk-signer c1kiosk-station c1kiosk-endpoint c1kiosk-uplink)
NEED_MIB=900       # free space for a release: 560 MiB installed, and as much again is written while it is compiled
HEALTH_SECONDS=120 # until every service is active: a Pi 4 loads the station in well under 30 s, and may restart it once
BACKOFF_SYSTEMD=254 # the first systemd that knows RestartSteps=

usage() {
    cat <<'TEXT'
usage: install.sh [--wheelhouse DIR] [--root DIR] [--dry-run] [--no-start] [--upgrade | --rollback | --uninstall | --status]

  (none)            install, repair, or go on with an installation that was cut off
  --upgrade         install another release beside the one that is there, and change to it; back by itself when a service
                    does not start, or the quick self-test finds something worse than before
  --rollback        change back to the release before
  --uninstall       remove the program; configuration, evidence and users stay
  --status          say what is installed, and whether it is whole
  --wheelhouse DIR  made by wheelhouse.sh (default: the folder that this script lies in)
  --root DIR        install into the file system there (an image, a card); nothing is started
  --no-start        start nothing
  --dry-run         say what would be done; changes nothing

Refused between the opening and the closing of a day. Exit 0: done. 1: refused, with a code and what to do. 2: wrong use.
TEXT
}

refuse() { echo "install-$1: $2" >&2; exit 1; }
wrong() { echo "$1" >&2; usage >&2; exit 2; }
step() { printf '[%s/8] %s\n' "$1" "$2"; }

root=/ wheelhouse="" action=install dry="" start=yes
while [ $# -gt 0 ]; do
    case "$1" in
        --wheelhouse) wheelhouse=${2:?}; shift 2 ;;
        --root) root=${2:?}; shift 2 ;;
        --upgrade | --rollback | --uninstall | --status)
            [ "$action" = install ] || wrong "one of --upgrade, --rollback, --uninstall and --status"
            action=${1#--}; shift ;;
        --dry-run) dry=yes; shift ;;
        --no-start) start=""; shift ;;
        -h | --help) usage; exit 0 ;;
        *) wrong "unknown option: $1" ;;
    esac
done
root=$(realpath -e "$root") || refuse root "there is no such folder"
at=${root%/} # in front of every path on the device
if [ -n "$at" ] || [ ! -d /run/systemd/system ]; then start=""; fi

# --- the device -------------------------------------------------------------------------------------------------------------

inside() { # a program of the device, in its file system, with nothing of our environment
    if [ -n "$at" ]; then set -- chroot "$root" "$@"; fi
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHONHASHSEED=0 ORT_DISABLE_TELEMETRY=1 "$@"
}
python() { # RELEASE ARGUMENTS: the Python of a release, which leaves nothing behind in it
    inside "$1/.venv/bin/python" -I -B "${@:2}"
}
release_of() { basename "$(readlink "$at$1" || true)"; } # the release that a link points to; empty: none
whole() { [ -n "$1" ] && [ -f "$at$RELEASES/$1/release" ]; }
intact() { # RELEASE: whole, and the one in use is byte for byte what it was when it was installed
    whole "$1" || return 1
    [ "$(release_of "$CURRENT")" != "$1" ] || [ -e "$at$UNFINISHED" ] || manifest 2>/dev/null | cmp -s - "$at$CURRENT/release.json"
}
point() { # LINK TARGET: at once, and surely on disk
    ln -sfn "$2" "$at$1.new" && mv -T "$at$1.new" "$at$1" && sync -f "$at$(dirname "$1")"
}
systemd_version() { inside systemctl --version | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p'; }

missing_packages() { # GROUP FILE: what packages.txt names and this device does not have
    sed -n "s/^$1: //p" "$2" | while IFS='|' read -r -a names; do
        for name in "${names[@]}"; do
            inside dpkg-query -s "$name" 2>/dev/null | grep -q '^Status: install ok installed' && continue 2
        done
        printf '%s ' "${names[0]}"
    done
}

check_wheelhouse() {
    [ -f "$wheelhouse/SHA256SUMS" ] || refuse wheelhouse "$wheelhouse is no wheelhouse: make one with wheelhouse.sh, or name it with --wheelhouse"
    (cd "$wheelhouse" && sha256sum --check --quiet --strict SHA256SUMS >&2) || refuse wheelhouse-damaged "copy the wheelhouse again"
    id="$(sed -n 's/^version=//p' "$wheelhouse/release")-$(sha256sum "$wheelhouse/SHA256SUMS" | cut -c1-12)"
}

check_device() {
    [ "$(id -u)" = 0 ] || refuse root "run it as root"
    local want have missing
    want="$(sed -n 's/^python=//p' "$wheelhouse/release") $(sed -n 's/^arch=//p' "$wheelhouse/release")"
    have="$(inside python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') $(inside dpkg --print-architecture)" \
        || refuse device "no python3 or no dpkg here: this is not Debian 12 or 13, or Raspberry Pi OS"
    [ "$want" = "$have" ] || refuse other-device "the wheelhouse is for Python and machine $want, this device has $have: take the other wheelhouse"
    missing=$(missing_packages base "$wheelhouse/packages.txt")
    [ -z "$missing" ] || refuse packages "apt-get install $missing"
    later=$(for group in screen pi; do missing_packages "$group" "$wheelhouse/packages.txt"; done)
    grep -q '^tpm=yes' "$wheelhouse/release" && later+=$(missing_packages tpm "$wheelhouse/packages.txt")
    [ "$(df --output=avail -m "$at/opt" | tail -1)" -ge "$NEED_MIB" ] || refuse space "less than $NEED_MIB MiB free for the program: make room"
}

check_idle() { # [early]: between opening and closing nothing is changed; what cannot be known counts as open
    [ -e "$at$EVIDENCE/ledger/ledger.sqlite" ] || return 0
    local program="" candidate owner
    for candidate in "$CURRENT" "$RELEASES/${id:-}" "$RELEASES/${id:-}.new" "$PREVIOUS"; do
        if python "$candidate" -c "import firmware.ledger.idle" 2>/dev/null; then program=$candidate; break; fi
    done
    [ -n "$program" ] || [ "${1:-}" != early ] || return 0 # the new program will say it
    [ -n "$program" ] || refuse day-unknown "no program here can say whether a day is open: install again, which repairs it"
    owner=$(stat -c '--reuid=%u --regid=%g' "$at$EVIDENCE/ledger/ledger.sqlite") # not root, which would leave files behind
    # shellcheck disable=SC2086  # two words
    inside setpriv $owner --clear-groups \
        "$program/.venv/bin/python" -I -B -m firmware.ledger.idle --ledger "$EVIDENCE/ledger" >&2 || refuse day-open "close the day first"
}

# --- a release, beside the others -------------------------------------------------------------------------------------------

build_release() {
    ! intact "$id" || return 0
    [ ! -e "$at$RELEASES/$id.new" ] || return 0 # it was cut off before it could take the place of the damaged one
    local wheels="$wheelhouse"
    rm -rf "$at${NEW:?}"
    # With modes of our own: a stick's file system knows none.
    install -D -m 644 -t "$at$NEW/systemd" "$wheelhouse"/systemd/*
    install -m 644 -t "$at$NEW" "$wheelhouse/packages.txt" "$wheelhouse/requirements.txt"
    install -m 755 -t "$at$NEW" "$wheelhouse/install.sh"
    make_environment
    if [ -n "$at" ]; then # the chroot does not see our folders
        wheels="$RELEASES/wheelhouse"
        rm -rf "$at$wheels" && cp -r "$wheelhouse" "$at$wheels"
    fi
    put_wheels_in "$wheels"
    [ -z "$at" ] || rm -rf "$at$wheels"
    compile
    python "$NEW" -c "import cryptography.x509, cv2, numpy, onnxruntime, firmware.building, firmware.processes, provisioning" \
        2>"$at$RELEASES/load.log" || refuse import "the program does not load on this device: $(tail -1 "$at$RELEASES/load.log")"
    rm -f "$at$RELEASES/load.log"
    chmod -R u=rwX,go=rX "$at$NEW"
    install -m 644 "$wheelhouse/release" "$at$NEW/release"
    sync -f "$at$NEW"
    # A damaged one in use stays until the services have stopped: place_release.
    if [ -e "$at$RELEASES/$id" ]; then mv -T "$at$NEW" "$at$RELEASES/$id.new"; else mv -T "$at$NEW" "$at$RELEASES/$id"; fi
    sync -f "$at$RELEASES"
}

put_wheels_in() { # WHEELHOUSE, as the device sees it
    local pip
    pip=$(basename "$wheelhouse"/tools/pip-*.whl)
    python "$NEW" "$1/tools/$pip/pip" install --quiet --isolated --no-index \
        --find-links "$1/wheels" --require-hashes --no-deps --only-binary :all: --no-compile --no-cache-dir \
        --no-warn-script-location --disable-pip-version-check --root-user-action ignore -r "$1/requirements.txt" \
        || refuse wheels "the wheels do not go in: see above"
    find "$at$NEW/.venv/bin" -type f -exec sed -i "1s|^#!$NEW/|#!$CURRENT/|" {} +
}

compile() { # now, for the services may not write here; by the source's hash, not its time; whatever is compiled already, too
    local site
    site=$(python "$NEW" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    inside "$NEW/.venv/bin/python" -s -P -B -m compileall -q -f --invalidation-mode unchecked-hash -s "$NEW" -p "$CURRENT" "$site" \
        >/dev/null || refuse compile "a module of the program does not compile"
    ln -s "${site#"$NEW/"}/models" "$at$NEW/models"
}

make_environment() { # pyvenv.cfg is written here, for the one of `venv` names the patch release of Python
    local system=false
    # libcamera belongs to the Pi's kernel and comes from its archive; what the wheels hold goes before what the system has.
    [ -e "$at/usr/lib/python3/dist-packages/libcamera" ] && system=true
    inside python3 -I -m venv --without-pip "$NEW/.venv"
    rm -f "$at$NEW"/.venv/bin/[Aa]ctivate*
    printf 'home = /usr/bin\ninclude-system-site-packages = %s\n' "$system" >"$at$NEW/.venv/pyvenv.cfg"
}

# --- what the system has of it ----------------------------------------------------------------------------------------------

system_links() { # LINK FILE for everything of the current release that the system must find
    local file name
    for file in "$at$CURRENT"/systemd/*; do
        name=$(basename "$file")
        case "$name" in
            *.service | *.target | *.timer | *.socket | *.slice) echo "/etc/systemd/system/$name $name" ;;
            *.rules) echo "/etc/udev/rules.d/$name $name" ;;
            sysusers.conf | tmpfiles.conf) echo "/etc/${name%.conf}.d/c1kiosk.conf $name" ;;
            system.conf | journald.conf) echo "/etc/systemd/$name.d/c1kiosk.conf $name" ;;
            backoff.conf) [ "$(systemd_version)" -lt "$BACKOFF_SYSTEMD" ] || echo "/etc/systemd/system/c1kiosk-.service.d/$name $name" ;;
        esac
    done
}

link_system() {
    local wanted link file
    wanted=$(system_links)
    old_links | while IFS= read -r link; do
        grep -q "^$link " <<<"$wanted" || rm -f "$at$link"
    done
    while read -r link file; do
        mkdir -p "$at$(dirname "$link")"
        ln -sfn "$CURRENT/systemd/$file" "$at$link"
    done <<<"$wanted"
    mkdir -p "$at/etc/systemd/system/multi-user.target.wants"
    ln -sfn ../c1kiosk.target "$at/etc/systemd/system/multi-user.target.wants/c1kiosk.target"
}

old_links() { # every link of the system into our program
    (cd "$at/" && find etc/systemd etc/udev etc/sysusers.d etc/tmpfiles.d -type l -lname "$CURRENT/systemd/*" -printf '/%p\n' 2>/dev/null) || true
}

make_users_and_folders() {
    local units
    units="$at$RELEASES/$(release_of "$CURRENT")/systemd"
    systemd-sysusers --root="$root" - <"$units/sysusers.conf"
    systemd-tmpfiles --root="$root" --create ${at:+--exclude-prefix=/run} - <"$units/tmpfiles.conf"
}

manifest() { python "$CURRENT" -m provisioning.release make --version "$(release_of "$CURRENT")"; }
write_manifest() {
    manifest >"$at$RELEASES/release.json.new"
    mv "$at$RELEASES/release.json.new" "$at$CURRENT/release.json"
}

reload() { # also what only a new start of systemd and journald reads: the hardware watchdog, the limits of the journal
    [ -n "$start" ] || return 0
    systemctl daemon-reexec
    systemctl restart systemd-journald
    ! systemctl -q is-active systemd-udevd || { udevadm control --reload && udevadm trigger; }
}
stop_services() { [ -z "$start" ] || ! systemctl cat c1kiosk.target >/dev/null 2>&1 || systemctl stop c1kiosk.target "${SERVICES[@]/%/.service}"; }
start_services() { # returns 1 when one of them is not active in time
    [ -n "$start" ] || return 0
    systemctl start --no-block c1kiosk.target
    [ -e /etc/c1kiosk/kiosk.toml ] || return 0
    local deadline=$((SECONDS + HEALTH_SECONDS)) service
    for service in "${SERVICES[@]}"; do
        until systemctl -q is-active "$service.service"; do
            [ "$SECONDS" -lt "$deadline" ] || return 1
            sleep 1
        done
    done
}

note_health() { # before an upgrade, by the program that runs; one that was cut off after the change has its note already
    [ -n "$start" ] && [ "$action" = upgrade ] && [ -e /etc/c1kiosk/kiosk.toml ] && [ "$1" != "$id" ] || return 0
    python "$CURRENT" -m provisioning.image.health now >"$HEALTH.new" || refuse health "the program cannot say how it is: see above"
    mv "$HEALTH.new" "$HEALTH"
}
check_health() { # returns 1 when something is worse than it was
    [ -n "$start" ] && [ -e "$HEALTH" ] || return 0
    python "$CURRENT" -m provisioning.image.health compare "$HEALTH" >&2
}

place_release() { # what was built beside a damaged one takes its place
    [ -e "$at$RELEASES/$id.new" ] || return 0
    rm -rf "$at${RELEASES:?}/${id:?}"
    mv -T "$at$RELEASES/$id.new" "$at$RELEASES/$id"
    sync -f "$at$RELEASES"
}
change_to() { # RELEASE: the program and everything that links through it
    point "$CURRENT" "c1kiosk-releases/$1"
    link_system
    make_users_and_folders
    write_manifest
    reload
}

# --- what was asked for -----------------------------------------------------------------------------------------------------

begin() { printf '%s %s\n' "$action" "${1:-}" >"$at$UNFINISHED" && sync -f "$at$RELEASES"; }
finish() { rm -f "$at$UNFINISHED" && sync -f "$at$RELEASES"; }
say_plan() { printf 'would: %s\n' "$@"; exit 0; }

do_install() {
    [ -n "$wheelhouse" ] || wheelhouse=$(cd "$(dirname "$0")" && pwd)
    wheelhouse=$(realpath -m "$wheelhouse")
    local before
    step 1 "the wheelhouse is whole"; check_wheelhouse
    step 2 "the device fits it"; check_device
    before=$(release_of "$CURRENT")
    if [ "$action" = upgrade ]; then
        [ -n "$before" ] || refuse nothing "nothing is installed that could be upgraded: install without --upgrade"
    elif [ -n "$before" ] && [ "$before" != "$id" ]; then
        refuse installed "$before is installed: --upgrade changes to $id"
    fi
    if [ -n "$dry" ]; then
        check_idle early
        say_plan "put release $id into $RELEASES/$id ($(intact "$id" && echo "is there" || echo "$(wc -l <"$wheelhouse/requirements.txt") wheels"))" \
            "stop the services" "point $CURRENT from ${before:-nothing} to $id" "link units, rules, users and folders" "start the services"
    fi
    step 3 "no day is open"; check_idle early
    step 4 "release $id, beside ${before:-nothing}"; build_release; check_idle
    step 5 "the services stop"; note_health "$before"; begin "$id"; stop_services
    step 6 "$CURRENT points to $id"; place_release
    if [ -n "$before" ] && [ "$before" != "$id" ]; then point "$PREVIOUS" "$before"; fi
    change_to "$id"
    step 7 "releases that nothing points to go"; prune
    step 8 "the services start"; start_services || return_from "$id"
    finish # the self-test does not pass while anything is unfinished
    check_health || return_from "$id"
    rm -f "$at$HEALTH"
    report
}

return_from() { # a release whose services do not start, or that is worse
    local back
    back=$(release_of "$PREVIOUS")
    systemctl --no-pager --lines=5 status "${SERVICES[@]/%/.service}" >&2 || true
    if [ "$action" = upgrade ] && whole "$back" && [ "$back" != "$1" ]; then
        begin "$back"
        stop_services
        change_to "$back"
        rm -f "$PREVIOUS" "$HEALTH" # there is nothing before it that could be gone back to
        prune
        finish
        start_services || true
        refuse unhealthy "$1 does not start within $HEALTH_SECONDS s, or is worse than before, see above: $back runs again"
    fi
    refuse unhealthy "not every service started within $HEALTH_SECONDS s: see above, then c1kiosk selftest"
}

prune() { # all but the current and the previous release
    local entry
    rm -rf "$at${NEW:?}"
    for entry in "$at$RELEASES"/*-*/; do
        entry=$(basename "$entry")
        [ "$entry" = "$(release_of "$CURRENT")" ] || [ "$entry" = "$(release_of "$PREVIOUS")" ] || rm -rf "$at${RELEASES:?}/$entry"
    done
}

do_rollback() {
    [ "$(id -u)" = 0 ] || refuse root "run it as root"
    local was="" back="" now=""
    [ ! -e "$at$UNFINISHED" ] || read -r was back now <"$at$UNFINISHED"
    [ "$was" = rollback ] || { back=$(release_of "$PREVIOUS") now=$(release_of "$CURRENT"); } # else: it was cut off
    whole "$back" || refuse no-previous "there is no release before ${now:-this one}"
    check_idle
    [ -z "$dry" ] || say_plan "stop the services" "point $CURRENT from $now to $back" "start the services"
    begin "$back $now"
    stop_services
    change_to "$back"
    point "$PREVIOUS" "$now"
    start_services || return_from "$back"
    finish
    report
}

do_uninstall() {
    [ "$(id -u)" = 0 ] || refuse root "run it as root"
    [ -e "$at$RELEASES" ] || refuse nothing "nothing is installed"
    [ "$(cut -d' ' -f1 "$at$UNFINISHED" 2>/dev/null)" = uninstall ] || check_idle
    [ -z "$dry" ] || say_plan "stop the services" "remove $(old_links | wc -l) links, $CURRENT and $RELEASES" "keep $EVIDENCE, /etc/c1kiosk and the users"
    begin
    rm -f "$at/etc/systemd/system/multi-user.target.wants/c1kiosk.target"
    stop_services
    old_links | while IFS= read -r link; do rm -f "$at$link"; done
    rmdir "$at/etc/systemd/system/c1kiosk-.service.d" 2>/dev/null || true
    reload
    rm -f "$at$CURRENT"
    find "$at$RELEASES" -mindepth 1 ! -path "$at$UNFINISHED" -delete
    rm -rf "$at${RELEASES:?}"
    printf 'removed. Evidence stays in %s, configuration in /etc/c1kiosk, drop-ins of this device in /etc/systemd/system; users stay.\n' "$EVIDENCE"
}

do_status() {
    local now
    now=$(release_of "$CURRENT")
    [ ! -e "$at$UNFINISHED" ] || refuse unfinished "half-installed: '$(cat "$at$UNFINISHED")' was cut off; run it again"
    [ -n "$now" ] || [ ! -e "$at$RELEASES" ] || refuse unfinished "half-installed: an installation was cut off; run it again"
    [ -n "$now" ] || refuse nothing "nothing is installed"
    whole "$now" || refuse damaged "release $now is not whole: install again"
    report
}

report() {
    local now before
    now=$(release_of "$CURRENT") before=$(release_of "$PREVIOUS")
    printf '\nrelease    %s (before: %s)\nmanifest   sha256 %s\nprogram    %s, %s\n' "$now" "${before:-none}" \
        "$(sha256sum "$at$CURRENT/release.json" | cut -d' ' -f1)" "$(readlink -f "$at$CURRENT")" "$(du -sh "$at$CURRENT/" | cut -f1)"
    [ -z "${later:-}" ] || printf 'packages   not there, and needed for what they serve: %s\n' "$later"
    if [ ! -e "$at/etc/c1kiosk/kiosk.toml" ]; then
        printf 'next       enrol and assign the device; the services wait for /etc/c1kiosk/kiosk.toml\n'
    elif [ -n "$start" ]; then
        { systemctl is-active "${SERVICES[@]/%/.service}" || true; } | paste -d' ' <(printf '%s\n' "${SERVICES[@]}") - | sed 's/^/service    /'
        printf 'next       c1kiosk selftest\n'
    fi
}

if [ "$action" != status ] && [ -z "$dry" ]; then # one at a time
    mkdir -p "$at/run/lock"
    exec 9>"$at/run/lock/c1kiosk-install"
    flock -n 9 || refuse busy "another installation is under way here"
fi
case "$action" in
    install | upgrade) do_install ;;
    *) "do_$action" ;;
esac
