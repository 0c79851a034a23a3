"""A real PostgreSQL in a temporary folder, from Debian's package, as an ordinary user where we are root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"
"""Debian's: PostgreSQL does not run as root."""


def programs() -> Path | None:
    """Where initdb and pg_ctl are; None when PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Postgres:
    """One cluster in `folder`, reached by a Unix socket in the same folder."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._user = USER if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name

    @property
    def url(self) -> str:
        """What the collector is given."""
        return f"postgresql:///{USER}?host={self._folder}&user={USER}"

    @property
    def pid(self) -> int:
        """The process that all others of the cluster come from; it leads a session."""
        return int((self._folder / "data" / "postmaster.pid").read_text(encoding="ascii").split("\n")[0])

    def make(self) -> None:
        """A new cluster; nothing in it is relaxed: a commit is on disk."""
        self._folder.mkdir(mode=0o755)
        shutil.chown(self._folder, self._user)
        self._run("initdb", "--auth=trust", f"--username={USER}", "--no-sync")

    def start(self) -> None:
        """Runs until `stop`."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "--wait", f"--log={self._folder}/log", f"--options={options}", "start")

    def stop(self, how: str = "fast") -> None:
        """`immediate` is what a power cut does."""
        self._run("pg_ctl", "--wait", f"--mode={how}", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), f"--pgdata={self._folder}/data", *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", self._user, "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def running(folder: Path, where: Path) -> Iterator[Postgres]:
    """A started cluster; `folder` must be reachable for the database's user."""
    cluster = Postgres(folder, where)
    cluster.make()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop("immediate")
