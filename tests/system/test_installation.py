"""install.sh on real Debian machines: installed without a network, upgraded, rolled back, cut off, removed.

Takes some twenty minutes: only with C1KIOSK_APPLIANCE=1, as root. Prints what it measured (pytest -s).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.system import installations, nspawn
from tests.system.installations import SERVICES, evidence, set_up, units, wait_for_services
from tests.system.nspawn import Machine

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.environ.get("C1KIOSK_APPLIANCE") != "1", reason="C1KIOSK_APPLIANCE=1 was not set"),
    pytest.mark.skipif(not nspawn.possible(), reason="no root, systemd-nspawn or mmdebstrap"),
]

KILLS = 20
INSTALL = "bash /shared/{}/install.sh"
STATUS = "/opt/c1kiosk/install.sh --status"
VERSIONS = {"one": "0.1.0-", "two": "0.1.1-"}
PYTHON = "/opt/c1kiosk/.venv/bin/python"
LEDGER = "/var/lib/c1kiosk/ledger"
AS_STATION = "setpriv --reuid=c1kiosk-station --regid=c1kiosk --clear-groups"
OPEN_DAY = f"""
from pathlib import Path
from firmware.day import day as days
from firmware.ledger.store import Ledger
with Ledger.open(Path("{LEDGER}")) as ledger:
    day = days.load(ledger)
    now = days.Moment(1_900_000_000, "free-running")
    days.save(day.closed(now) if day.open else day.opened((), 4, 0, now), ledger)
"""
BREAK = (
    "cp -r /shared/two /root/bad && mkdir /root/bad/w && cd /root/bad/w && "
    "python3 -m zipfile -e ../wheels/c1kiosk-*.whl ."
    " && sed -i '0,/^import/s//raise SystemExit(3)\\nimport/' firmware/{}.py"
    " && rm ../wheels/c1kiosk-*.whl && python3 -m zipfile -c ../wheels/c1kiosk-0.1.0-py3-none-any.whl *"
    " && cd .. && rm -r w && sed -i '/^c1kiosk==/d' requirements.txt"
    " && echo c1kiosk==0.1.0 --hash=sha256:$(sha256sum wheels/c1kiosk-*.whl | cut -d' ' -f1) >>requirements.txt"
    " && find . -type f ! -name SHA256SUMS -printf '%P\\n' | sort | xargs -d '\\n' sha256sum >../sums"
    " && mv ../sums SHA256SUMS"
)
"""A release with one module that raises when it is imported."""


@dataclass
class Site:
    """A machine and two releases for it."""

    machine: Machine
    suite: str

    def install(self, name: str = "one", *options: str) -> str:
        """Installs a release; gives what is said."""
        return self.machine.run(" ".join([INSTALL.format(name), *options]))

    def refused(self, command: str) -> str:
        """What is said when the command is refused."""
        done = self.machine.start(command)
        said, _ = done.communicate()
        assert done.returncode == 1, said
        return said

    def release(self) -> str:
        """What is installed, which must be whole; the machine's manifest must name it byte for byte."""
        said = self.machine.run(STATUS)
        fresh = f"{PYTHON} -m provisioning.release make --version $(basename $(readlink /opt/c1kiosk))"
        self.machine.run(f"{fresh} | cmp - /opt/c1kiosk/release.json")
        return next(line.split()[1] for line in said.splitlines() if line.startswith("release "))

    def manifest(self) -> str:
        """The SHA-256 of the manifest."""
        return self.machine.run("sha256sum /opt/c1kiosk/release.json")

    def begin(self, name: str, build: bool) -> subprocess.Popen[str]:
        """Begins to change to a release, with the services down."""
        self.machine.run("systemctl stop c1kiosk.target")
        if build:
            self.machine.run(f"rm -f /opt/c1kiosk-releases/{VERSIONS[name]}*/release")
        return self.machine.start(f"{INSTALL.format(name)} --upgrade --no-start")

    def change(self, name: str, build: bool) -> float:
        """The same to its end; gives the seconds."""
        began = time.monotonic()
        said, _ = (running := self.begin(name, build)).communicate()
        assert running.returncode == 0, said
        return time.monotonic() - began

    def switch_day(self) -> None:
        """Opens a day, or closes the open one."""
        self.machine.run(f"systemctl stop c1kiosk-station && {AS_STATION} {PYTHON} - <<'END'\n{OPEN_DAY}END")
        self.machine.run("systemctl start c1kiosk-station")


@pytest.fixture(scope="module", params=sorted(installations.PYTHONS))
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    shared = tmp_path_factory.mktemp("shared")
    one = installations.build_wheelhouse(request.param, shared / "one")
    installations.other_release(one, shared / "two", "0.1.1")
    machine = Machine(request.param, tmp_path_factory.mktemp("machine") / "root", shared)
    told(request.param, "boots", f"{machine.boot():.1f} s")
    yield Site(machine, request.param)
    machine.cut()
    shutil.rmtree(machine.folder)


def told(suite: str, what: str, figure: str) -> None:
    print(f"\n{suite}: {what} {figure}")


def test_a_damaged_wheelhouse_changes_something(site: Site) -> None:
    site.machine.run("cp -r /shared/one /root/bad && printf x >>/root/bad/requirements.txt")
    assert "install-wheelhouse-damaged" in site.refused("bash /root/bad/install.sh")
    site.machine.run("test ! -e /opt/c1kiosk && test ! -e /opt/c1kiosk-releases && rm -r /root/bad")


def test_it_needs_a_network(site: Site) -> None:
    """The machine has none but its loopback."""
    assert "would: " in site.install("one", "--dry-run")
    site.machine.run("test ! -e /opt/c1kiosk")
    began = time.monotonic()
    said = site.install()
    told(site.suite, "installed in", f"{time.monotonic() - began:.0f} s")
    assert "[8/8]" in said
    assert site.release().startswith(VERSIONS["one"])
    site.machine.run("systemctl is-active c1kiosk.target")
    assert "inactive" in site.machine.run(f"systemctl is-active {units()}", check=False)


def test_a_second_installation_changes_the_program(site: Site) -> None:
    before = site.manifest()
    site.install()
    assert site.manifest() == before
    assert "install-installed" in site.refused(INSTALL.format("two"))


def test_the_services_do_not_run(site: Site) -> None:
    set_up(site.machine)
    assert site.machine.run(f"systemctl is-active {units()}").split() == ["active"] * len(SERVICES)


def test_a_damaged_release_stays(site: Site) -> None:
    """Built again at another moment, in another folder, from a stick that knows no modes, by somebody whose files
    nobody else may read, it is the same byte for byte."""
    before = site.manifest()
    site.machine.run("cp -r /shared/one /root/stick && chmod -R 700 /root/stick")
    site.machine.run("echo x >>$(echo /opt/c1kiosk/.venv/lib/python*/site-packages/provisioning/ca.py)")
    said = site.machine.run("umask 077 && bash /root/stick/install.sh && rm -r /root/stick")
    assert "[8/8]" in said
    assert site.manifest() == before
    site.release()
    wait_for_services(site.machine)


def test_the_program_does_not_read(site: Site) -> None:
    script = (
        "cd /root && /opt/c1kiosk/.venv/bin/c1kiosk form render c.hasil-ppwp-2024 --out blank"
        " && /opt/c1kiosk/.venv/bin/c1kiosk read blank/*.png --json out.json; cat out.json"
    )
    assert '"form": "c.hasil-ppwp-2024"' in site.machine.run(script)
    assert "selftest" in site.machine.run("/opt/c1kiosk/.venv/bin/c1kiosk --help")


def test_a_process_hangs_for_ever(site: Site) -> None:
    """SIGSTOP is the hang that no process can answer to."""
    watched = [name for name in SERVICES if name != "uplink"]
    began = time.monotonic()
    for name in watched:
        site.machine.run(f"systemctl kill --kill-whom=main -s STOP c1kiosk-{name}")
    for name in watched:
        ask = f"systemctl show -P NRestarts c1kiosk-{name}"
        while site.machine.run(ask).strip() == "0":
            assert time.monotonic() - began < 300
            time.sleep(1)
    told(site.suite, "three hung services started again after", f"{time.monotonic() - began:.0f} s")
    wait_for_services(site.machine)


def test_a_power_cut_keeps_the_services_down(site: Site) -> None:
    site.machine.cut()
    told(site.suite, "boots, with all services ready, in", f"{site.machine.boot():.1f} s")
    wait_for_services(site.machine)
    told(site.suite, "systemd says", site.machine.run("systemd-analyze").strip().replace("\n", "; "))


def test_an_upgrade_touches_the_evidence(site: Site) -> None:
    kept, old = evidence(site.machine), site.release()
    began = time.monotonic()
    assert "does not answer" not in site.install("two", "--upgrade")
    told(site.suite, "upgraded in", f"{time.monotonic() - began:.0f} s")
    assert site.release().startswith(VERSIONS["two"])
    assert evidence(site.machine) == kept
    wait_for_services(site.machine)
    began = time.monotonic()
    site.machine.run("/opt/c1kiosk/install.sh --rollback")
    told(site.suite, "rolled back in", f"{time.monotonic() - began:.0f} s")
    assert site.release() == old
    assert evidence(site.machine) == kept
    wait_for_services(site.machine)


def test_it_is_changed_while_its_polling_station_is_open(site: Site) -> None:
    site.switch_day()
    now = site.release()
    for command in (
        INSTALL.format("two") + " --upgrade",
        "/opt/c1kiosk/install.sh --rollback",
        "/opt/c1kiosk/install.sh --uninstall",
    ):
        assert "install-day-open" in site.refused(command)
    assert site.release() == now
    site.machine.run(f"systemctl is-active {units()}")
    site.switch_day()


@pytest.mark.parametrize(
    ("module", "code"),
    [("processes", "install-import"), ("cli", "install-unhealthy"), ("selftest/disk", "install-unhealthy")],
)
def test_an_upgrade_that_is_no_good_stays(site: Site, module: str, code: str) -> None:
    """One that does not load, one whose services do not start, one whose self-test is worse: back by itself."""
    now = site.release()
    site.machine.run(BREAK.format(module))
    began = time.monotonic()
    assert code in site.refused("bash /root/bad/install.sh --upgrade")
    told(site.suite, f"a release whose {module} is broken was given up after", f"{time.monotonic() - began:.0f} s")
    assert site.release() == now
    wait_for_services(site.machine)
    if code == "install-unhealthy":
        assert "install-no-previous" in site.refused("/opt/c1kiosk/install.sh --rollback")
    site.machine.run("rm -r /root/bad")


def test_it_is_cut_off_at_any_moment(site: Site) -> None:
    """By the kill of the installer, and every fourth time of the whole machine: the same command finishes it. Every
    fourth time the release has to be built, at other times it is there."""
    kept, chance, moments, named = evidence(site.machine), random.Random(9), list[str](), 0
    takes, manifests = {True: site.change("two", build=True)}, {"two": site.manifest()}
    takes[False], manifests["one"] = site.change("one", build=False), site.manifest()
    for turn in range(KILLS):
        wanted, build = ("two", "one")[turn % 2], turn % 4 == 0
        running = site.begin(wanted, build)
        time.sleep(chance.uniform(0, takes[build]))
        if turn % 4 == 3:
            site.machine.cut()
            site.machine.boot()
        else:
            os.killpg(running.pid, signal.SIGKILL)
        said, _ = running.communicate()
        moments.append(said[said.rfind("[") + 1 :][:1] or "-")
        named += "install-unfinished" in site.machine.run("bash /shared/one/install.sh --status", check=False)
        site.machine.run("flock --wait 60 /run/lock/c1kiosk-install true")
        site.install(wanted, "--upgrade", "--no-start")
        assert site.release().startswith(VERSIONS[wanted])
        assert site.manifest() == manifests[wanted]
        assert evidence(site.machine) == kept
    site.install()
    wait_for_services(site.machine)
    told(site.suite, "cut off at steps", " ".join(moments))
    told(site.suite, f"of {KILLS} kills", f"{named} left it half-installed, which was named; all were finished")


def test_evidence_goes_with_the_program(site: Site) -> None:
    kept = evidence(site.machine)
    site.machine.run("/opt/c1kiosk/install.sh --uninstall")
    site.machine.run("test ! -e /opt/c1kiosk && test ! -e /opt/c1kiosk-releases")
    assert not site.machine.run("find /etc/systemd /etc/udev /etc/sysusers.d /etc/tmpfiles.d -name '*c1kiosk*'").strip()
    assert evidence(site.machine) == kept
    site.install()
    wait_for_services(site.machine)
    assert evidence(site.machine) == kept
