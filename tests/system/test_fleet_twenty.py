"""Twenty devices and one by stick, with the program from a real wheelhouse: a batch that everything happens to.

    C1KIOSK_APPLIANCE=1 pytest -m system -s tests/system/test_fleet_twenty.py      prints what it measured

Two devices are bare and are installed in the batch; the others come with the program, as cards copied on the bench do.
No camera and no printer hang on them, so their self-test must say so, and no device may be READY.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.records import Mode
from firmware.signing.cose import MessageType, sign_bytes
from firmware.signing.key_file import FileKey
from tests import sealing
from tests.offices import PASSPHRASE, make_office
from tests.system import fleet_devices, nspawn
from tests.system.fleet_devices import Device, Lan
from tests.system.test_fleet import Bench, swap_host_key

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
BARE = BUILD / "roots" / "fleet-bookworm-amd64"
WHEELHOUSE = BUILD / "wheelhouse" / "bookworm-amd64"
COUNT, STICK, GOLDEN = 20, 21, 99
UNPLUGGED, SWAPPED, FULL, SMALL = 5, 7, 9, 20
STEPS = ("run", "--steps", "install,enrol,assign", "--jobs", "8")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not os.environ.get("C1KIOSK_APPLIANCE"), reason="half an hour: set C1KIOSK_APPLIANCE=1"),
    pytest.mark.skipif(not fleet_devices.possible() or shutil.which("mmdebstrap") is None, reason="no root, or parts"),
]


def bare() -> str:
    """A Debian with sshd and nothing of ours; made once."""
    if not BARE.exists():
        new = BARE.with_suffix(".new")
        new.parent.mkdir(parents=True, exist_ok=True)
        include = f"--include={nspawn.PACKAGES},openssh-server,python3-venv"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", include, "bookworm", str(new)], check=True)
        new.rename(BARE)
    return str(BARE)


def wheelhouse() -> Path:
    """The program that is tested, as devices get it; made once, removed by hand when the program has changed."""
    if not WHEELHOUSE.exists():
        command = [
            "bash",
            "provisioning/wheelhouse.sh",
            "--out",
            str(WHEELHOUSE),
            "--python",
            "3.11",
            "--arch",
            "amd64",
        ]
        subprocess.run(command, check=True, cwd=ROOT)
    return WHEELHOUSE


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("twenty")
    tps = tuple(f"31710100010{number:02d}" for number in range(1, 41))
    made = make_office(folder / "office", tps=tps, world=Mode.REAL, driver="sealed-credential")
    with made.path.open("a") as file:
        file.write(f'wheelhouse = "{wheelhouse()}"\n')
    with Lan(folder / "lan") as lan:
        yield Bench(lan, made, folder / "office" / "plan.csv")


def told(name: str, begun: float) -> None:
    print(f"MEASURED {name}: {time.monotonic() - begun:.1f} s", flush=True)


def golden(bench: Bench) -> str:
    """One device installed over ssh; what it has then is what the others come with. Returns their lower roots."""
    device = bench.lan.add(GOLDEN, bare())
    device.start()
    with bench.plan.open("w") as file:
        file.write(f"serial,host,tps,seal,protection\nC1-GOLD,{device.address},,KPU-99,sealed-file\n")
    assert bench.fleet("pin")[0] == 0
    begun = time.monotonic()
    status, said = bench.fleet("run", "--steps", "install")
    told("install alone", begun)
    assert status == 0, said
    begun = time.monotonic()
    assert bench.fleet("run", "--steps", "install")[0] == 0
    told("install again, nothing to do", begun)
    device.stop()
    layer = bench.lan.folder / "golden"
    subprocess.run(["cp", "-a", str(device.folder / "layer" / "upper"), str(layer)], check=True)
    return f"{layer}:{bare()}"


def fill(device: Device, left: str) -> None:
    """Somebody's film lies on the card: `left` is what stays free."""
    device.resize("64m")
    room = shutil.disk_usage(device.folder / "layer").free - int(left)
    (device.root / "var" / "film.mp4").write_bytes(bytes(max(room, 0)))


def test_twenty_devices(bench: Bench) -> None:
    lower = golden(bench)
    stick(bench, lower)
    alone(bench, lower)
    batch(bench, lower)
    audited(bench)
    reassigned(bench)
    retired(bench)
    not_ready(bench)


def letters(bench: Bench) -> tuple[str, str]:
    return "--letters", str(bench.made.folder / "letters")


def stick(bench: Bench, lower: str) -> None:
    """A device that no cable reaches: the batch's folder goes to it, to the desk, and back."""
    device = bench.lan.add(STICK, lower)
    away = bench.made.folder / "office.toml"
    whole = away.read_text()
    technicians = "".join(line + "\n" for line in whole.splitlines() if "issuing" not in line)
    begun = time.monotonic()
    bench.write_plan([STICK])
    on_the_stick = device.root / "media" / "stick"
    for here, settings, status in ((True, technicians, 1), (False, whole, 1), (True, technicians, 0)):
        away.write_text(settings)
        steps = ["run", "--steps", "enrol,assign" if status == 0 else "enrol"]
        if not here:
            assert bench.fleet(*steps, "--away")[0] == status
            continue
        shutil.copytree(bench.made.folder, on_the_stick)
        words = ["/opt/c1kiosk/.venv/bin/python", "-m", "provisioning.fleet", "--passphrase-fd", "0", *steps, "--here"]
        words += ["--only", f"C1-{STICK:04d}", "--letters", "/media/stick/letters", "/media/stick/plan.csv"]
        done = device.at(words, f"{PASSPHRASE.decode()}\n")
        assert done.returncode == status, done.stdout + done.stderr
        shutil.rmtree(bench.made.folder / "batch", ignore_errors=True)
        shutil.copytree(on_the_stick / "batch", bench.made.folder / "batch")
        shutil.rmtree(on_the_stick)
    away.write_text(whole)
    told("one device by stick, 3 commands", begun)
    assert bench.inventory()[f"C1-{STICK:04d}"]["state"] == "assigned"


def alone(bench: Bench, lower: str) -> None:
    bench.lan.add(1, lower).start()
    bench.write_plan([1])
    begun = time.monotonic()
    assert bench.fleet("pin")[0] == 0
    status, said = bench.fleet(*STEPS, *letters(bench))
    told("one device, pin and enrol and assign, 2 commands", begun)
    assert status == 0, said


def batch(bench: Bench, lower: str) -> None:
    numbers = list(range(1, COUNT + 1))
    for number in numbers[1:]:
        device = bench.lan.add(number, bare() if number >= COUNT - 1 else lower, "300m" if number == SMALL else "4g")
        device.start()
    bench.write_plan(numbers)
    assert bench.fleet("pin")[0] == 0
    devices = bench.lan.devices
    devices[UNPLUGGED].plug(up=False)
    swap_host_key(devices[SWAPPED])
    fill(devices[FULL], "0")
    begun = time.monotonic()
    killed_midway(bench)
    status, said = bench.fleet(*STEPS, *letters(bench))
    told("batch of 20, killed once, to its end", begun)
    left = {serial: entry["code"] for serial, entry in bench.report().items() if entry["state"] != "done"}
    assert status == 1, said
    assert left == {
        f"C1-{UNPLUGGED:04d}": "device-unreachable",
        f"C1-{SWAPPED:04d}": "device-host-key",
        f"C1-{FULL:04d}": "device-disk",
        f"C1-{SMALL:04d}": "disk-full",
    }, said
    mend(bench)
    begun = time.monotonic()
    status, said = bench.fleet(*STEPS, *letters(bench))
    told("the last four of the batch, mended", begun)
    assert status == 0, said
    assert [entry["state"] for entry in bench.inventory().values()].count("assigned") == COUNT + 1, "and the stick's"
    begun = time.monotonic()
    assert bench.fleet(*STEPS, *letters(bench))[0] == 0
    told("batch of 20, nothing to do", begun)
    assert len(set(Path(letters(bench)[1]).iterdir())) == COUNT


def killed_midway(bench: Bench) -> None:
    running = bench.start("provisioning.fleet", *STEPS, *letters(bench))
    deadline = time.monotonic() + 900
    done = 0
    while done < 5 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
        done = sum(entry["state"] == "assigned" for entry in bench.inventory().values()) - 1
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    print(f"MEASURED killed when {done} of {COUNT} were assigned", flush=True)
    assert done < COUNT


def mend(bench: Bench) -> None:
    devices = bench.lan.devices
    devices[UNPLUGGED].plug(up=True)
    devices[FULL].resize("4g")
    devices[SMALL].resize("4g")
    known = bench.made.folder / "batch" / "known_hosts"
    lines = [line for line in known.read_text().splitlines() if not line.startswith(f"C1-{SWAPPED:04d} ")]
    known.write_text("\n".join(lines) + "\n")
    assert bench.fleet("pin", "--only", f"C1-{SWAPPED:04d}")[0] == 0


def audited(bench: Bench) -> None:
    device, made = bench.lan.devices[3], bench.made
    data = bench.lan.devices[2].root.joinpath("opt/c1kiosk/release.json").read_bytes()
    key = FileKey(made.release.issuer.private_key, made.release.certificate.public_bytes(Encoding.DER))
    (made.folder / "release.cose").write_bytes(sign_bytes(data, MessageType.RELEASE, key))
    (made.folder / "release.pem").write_bytes(made.release.certificate.public_bytes(Encoding.PEM))
    command = [sys.executable, "-m", "provisioning.audit", str(made.folder / "release.cose"),
               "--root-pem", str(made.folder / "root.pem"), "--signer", str(made.folder / "release.pem")]  # fmt: skip
    ssh = ["--ssh", device.address, "--serial", "C1-0003", "--known-hosts", str(made.folder / "batch" / "known_hosts"),
           "--ssh-option=-i", f"--ssh-option={bench.lan.folder / 'laptop'}"]  # fmt: skip
    for name, words in (("over ssh", ssh), ("of a card", ["--card", str(device.root)])):
        begun = time.monotonic()
        done = subprocess.run(
            bench.lan.command([*command, *words]), capture_output=True, text=True, cwd=ROOT, check=False
        )
        told(f"audit {name}", begun)
        print(done.stdout, flush=True)
        assert done.returncode == 0, done.stdout + done.stderr
    (program,) = device.root.glob("opt/c1kiosk-releases/*/.venv/lib/python3.11/site-packages/firmware/cli.py")
    program.write_bytes(program.read_bytes() + b"\n")
    for words in (ssh, ["--card", str(device.root)]):
        done = subprocess.run(
            bench.lan.command([*command, *words]), capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert done.returncode == 1
        assert "changed  /opt/c1kiosk/.venv/lib/python3.11/site-packages/firmware/cli.py" in done.stdout


def errand(bench: Bench, module: str, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", module, *words, "--ssh-option=-i", f"--ssh-option={bench.lan.folder / 'laptop'}"]
    done = subprocess.run(
        bench.lan.command(command),
        input=f"{PASSPHRASE.decode()}\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    print(done.stdout, done.stderr, flush=True)
    return done.returncode, done.stdout + done.stderr


def reassigned(bench: Bench) -> None:
    """Device 6 is broken at its TPS; device 2, whose TPS is done, takes its place."""
    words = [str(bench.plan), "C1-0002", "--tps", sealing.TPS[6], "--seal", "KPU-NEW-1", "--passphrase-fd", "0"]
    status, said = errand(bench, "provisioning.reassign", *words, *letters(bench))
    assert (status, "inventory-tps" in said) == (1, True), "nobody said that number 6 gives its TPS up"
    begun = time.monotonic()
    status, said = errand(bench, "provisioning.reassign", *words, "--replaces", "C1-0006", *letters(bench))
    told("reassign, 1 command", begun)
    assert status == 0, said
    found = bench.inventory()
    assert (found["C1-0006"]["state"], found["C1-0002"]["tps"]) == ("faulty", sealing.TPS[6])
    assert (bench.lan.devices[2].root / "etc/c1kiosk/assignments/1.cose").exists()


def retired(bench: Bench) -> None:
    evidence = bench.made.folder / "evidence"
    evidence.mkdir()
    device = bench.lan.devices[4]
    status, said = errand(bench, "provisioning.retire", "wipe", str(bench.plan), "C1-0004", str(evidence))
    assert (status, "evidence-unverified" in said) == (1, True)
    begun = time.monotonic()
    assert errand(bench, "provisioning.retire", "export", str(bench.plan), "C1-0004", str(evidence))[0] == 0
    assert errand(bench, "provisioning.retire", "wipe", str(bench.plan), "C1-0004", str(evidence))[0] == 0
    told("retire, 2 commands", begun)
    assert bench.inventory()["C1-0004"]["state"] == "retired"
    assert not (device.root / "etc/c1kiosk/device-key.cred").exists()
    assert not list((device.root / "etc/c1kiosk/tls").rglob("key.pem"))


def not_ready(bench: Bench) -> None:
    """There is no camera: nothing else may be believed."""
    begun = time.monotonic()
    status, said = bench.fleet("run", "--steps", "selftest", "--only", "C1-0001")
    told("selftest of one device", begun)
    print(said, flush=True)
    assert (status, "selftest-not-ready" in said) == (1, True)
