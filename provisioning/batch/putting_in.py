"""Step 3, install: the wheelhouse goes to the device and install.sh puts the program in. Run again, it goes on.

What is installed is known by its name, which holds the hash of the wheelhouse's list: a device that has it, whole, is
done. Over a network the wheelhouse is sent whole; install.sh checks every file of it before anything is changed. On
the device itself it is read from the stick.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.job import End, Job, Result
from provisioning.batch.place import Here, Place, ask
from provisioning.inventory import State

THERE = "/var/tmp/c1kiosk-wheelhouse"  # noqa: S108  (of root's device; it survives a restart, and is removed at the end)
SEND_S = 1800.0
"""200 MB at 1 Mbit/s take 27 minutes; a LAN takes seconds."""
INSTALL_S = 1800.0
"""On a Pi 4 with a slow card: minutes."""
ROOM_MB = 900
"""What install.sh needs besides the wheelhouse itself."""
STATUS_COMMAND = ("/opt/c1kiosk/install.sh", "--status")


def install(job: Job) -> Result:
    """Installs or upgrades. Raises ProvisioningRefused."""
    if not job.office.file.wheelhouse:
        raise job.office.missing("wheelhouse")
    if job.place is None:
        return Result(End.WAITS_FOR_DEVICE)
    folder = job.office.beside(job.office.file.wheelhouse)
    wanted, found = release_of(folder), installed(job.place)
    if found == wanted:
        _note(job)
        return Result(End.DONE, f"release {wanted}")
    if job.dry_run:
        return Result(End.WOULD, f"{'upgrade ' + found if found else 'install'} to {wanted}")
    _put(job, folder, upgrade=bool(found))
    if installed(job.place) != wanted:
        raise ProvisioningRefused("device-command", command="install.sh", status=0, said=f"{wanted} is not there")
    _note(job)
    return Result(End.DONE, f"release {wanted}")


def release_of(wheelhouse: Path) -> str:
    """The name that install.sh gives to what is in a wheelhouse. Raises ProvisioningRefused("office-unreadable")."""
    try:
        lines = (wheelhouse / "release").read_text(encoding="utf-8").splitlines()
        digest = hashlib.sha256((wheelhouse / "SHA256SUMS").read_bytes()).hexdigest()
    except OSError as error:
        raise ProvisioningRefused("office-unreadable", file="wheelhouse", problem=error.strerror or "") from error
    version = next((line.removeprefix("version=") for line in lines if line.startswith("version=")), "")
    return f"{version}-{digest[:12]}"


def installed(place: Place) -> str:
    """The release that is installed and whole; empty when none is."""
    ran = place.run(STATUS_COMMAND)
    if ran.status != 0:
        return ""
    lines = ran.out.decode(errors="replace").splitlines()
    return next((line.split()[1] for line in lines if line.startswith("release ")), "")


def _put(job: Job, folder: Path, *, upgrade: bool) -> None:
    place = job.place
    assert place is not None
    here = isinstance(place, Here)
    source = str(folder) if here else THERE
    if not here:
        _check_room(job, place, folder)
        ask(place, ["mkdir", "-p", THERE])
        place.send(["tar", "-x", "-C", THERE], ["tar", "-c", "-C", str(folder), "."], SEND_S)
    words = ["bash", f"{source}/install.sh", "--wheelhouse", source, *(["--upgrade"] if upgrade else [])]
    ask(place, words, within_s=INSTALL_S)
    if not here:
        ask(place, ["rm", "-rf", THERE])


def _check_room(job: Job, place: Place, folder: Path) -> None:
    needed = ROOM_MB + sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1_000_000
    answer = ask(place, ["df", "--output=avail", "-BMB", "/var/tmp"]).decode().split()  # noqa: S108
    free = int(answer[-1].removesuffix("MB"))
    if free < needed:
        raise ProvisioningRefused("disk-full", serial=job.row.serial, free=free, needed=needed)


def _note(job: Job) -> None:
    if job.office.inventory.device(job.row.serial).state is State.UNKNOWN:
        job.note(State.INSTALLED, "install")
