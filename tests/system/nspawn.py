"""A Debian machine of its own: a root made by mmdebstrap, booted with its systemd in a container (systemd-nspawn).

Units, users, cgroups, the watchdog and the clock of the services are systemd's own; the kernel is shared, there is no
network (a device has none when it is installed), and devices cannot be filtered there.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

ROOTS = Path(__file__).parents[2] / "build" / "roots"
"""Roots are made once; each machine is a copy."""
PACKAGES = "systemd,systemd-sysv,dbus,udev,python3,ca-certificates,procps,fonts-dejavu-core"
"""Raspberry Pi OS Lite has all of these."""
BOOTS_WITHIN = 120.0
"""Seconds; it takes two to five."""


def possible() -> bool:
    """Whether this machine and this user can run one."""
    return os.getuid() == 0 and all(map(shutil.which, ("systemd-nspawn", "mmdebstrap", "nsenter")))


def debian(suite: str, arch: str = "amd64") -> Path:
    """The root of a Debian release; made on first use."""
    root = ROOTS / f"{suite}-{arch}"
    if not root.exists():
        new = root.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--arch={arch}",
            f"--include={PACKAGES}",
            suite,
            str(new),
        ]
        subprocess.run(command, check=True)
        new.rename(root)
    return root


class Machine:
    """One machine. `folder` is its file system."""

    def __init__(self, suite: str, folder: Path, shared: Path) -> None:
        """Copies the root; `shared` is seen as /shared."""
        self.folder, self._shared = folder, shared
        subprocess.run(["cp", "-a", "--reflink=auto", debian(suite), folder], check=True)
        self._running: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def boot(self) -> float:
        """Returns when systemd has started everything, or what it could; gives the seconds it took."""
        began = time.monotonic()
        command = ["systemd-nspawn", "--quiet", f"--directory={self.folder}", "--register=no", "--keep-unit", "--boot"]
        command += ["--private-network", f"--bind-ro={self._shared}:/shared", "--console=pipe"]
        with (self.folder.with_suffix(".console")).open("ab") as console:
            self._running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        while time.monotonic() - began < BOOTS_WITHIN:
            self._leader = self._find_leader()
            said = self.run("systemctl is-system-running", check=False) if self._leader else ""
            if said.strip() in ("running", "degraded"):
                return time.monotonic() - began
            time.sleep(0.1)
        raise TimeoutError("the machine does not boot")

    def _find_leader(self) -> int:
        assert self._running is not None
        children = Path(f"/proc/{self._running.pid}/task/{self._running.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def start(self, command: str) -> subprocess.Popen[str]:
        """A shell command on the machine, as root, in a session of its own."""
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-p", "-n", "-C"]
        inside = ["env", "-C", "/", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "bash", "-c", command]
        return subprocess.Popen(
            [*enter, *inside], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def run(self, command: str, check: bool = True) -> str:
        """What the command says. Raises AssertionError with it when it fails."""
        running = self.start(command)
        said, _ = running.communicate()
        assert not check or running.returncode == 0, f"{command}\n{said}"
        return said

    def shut_down(self) -> None:
        """As its own power button would."""
        assert self._running is not None
        os.kill(self._leader, signal.SIGRTMIN + 3)
        self._running.wait(BOOTS_WITHIN)

    def cut(self) -> None:
        """The power goes."""
        if self._running is not None:
            self._running.kill()
            if self._leader and Path(f"/proc/{self._leader}").exists():
                os.kill(self._leader, signal.SIGKILL)
            self._running.wait()
            self._running = None
