"""Where a device is: at the end of ssh, or right here when a technician works on the device itself with a stick.

The same steps run on both; what they ask of a Place is to run a program. Over ssh that is the OpenSSH client of the
laptop, and nothing of our own: keys, agents, jump hosts and ~/.ssh/config work as ever. The device's host key must
stand in the batch's `known_hosts` under its serial (`fleet pin`); an unknown or another key is refused and never asked
about, for a technician with two hundred devices would say yes.
Refusals (ProvisioningRefused): `device-unreachable`, `device-host-key`, `device-silent`, and `device-command`, whose
details hold the last lines of what the program said.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from provisioning.authority.issuing import ProvisioningRefused

CONNECT_S = 10
"""Seconds until an address that does not answer is given up: a Pi on the same switch answers in milliseconds."""
ALIVE_S, ALIVE_TRIES = 5, 3
"""A device whose cable is pulled is noticed within 15 seconds."""
COMMAND_S = 120.0
"""Longest that a command of ours may take: scrypt, a TPM's key and a slow card together stay under 30 s on a Pi 4."""
PYTHON = "/opt/c1kiosk/.venv/bin/python"
SSH_FAILED = 255
"""Exit status of ssh itself."""
NOT_FOUND = 127
"""Exit status of a shell that does not find a program."""
TOLD_LINES = 3
"""Of what a failed program said: more does not fit in a table."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program did."""

    status: int
    out: bytes
    err: str


class Place(Protocol):
    """Where a device's programs are run, as root."""

    def run(self, command: Sequence[str], stdin: bytes = b"", within_s: float = COMMAND_S) -> Ran:
        """Runs a program to its end. Raises ProvisioningRefused when the device cannot be asked."""

    def send(self, command: Sequence[str], source: Sequence[str], within_s: float) -> None:
        """Runs a program that reads what the local program `source` writes. Raises ProvisioningRefused."""


@dataclass(frozen=True, slots=True)
class Here:
    """This machine."""

    def run(self, command: Sequence[str], stdin: bytes = b"", within_s: float = COMMAND_S) -> Ran:
        """As Place."""
        return _run(list(command), stdin, within_s)

    def send(self, command: Sequence[str], source: Sequence[str], within_s: float) -> None:
        """As Place."""
        _pipe(source, command, within_s)


@dataclass(frozen=True, slots=True)
class Ssh:
    """A device on a network."""

    host: str
    """As ssh takes it: [user@]host; root unless it says otherwise."""
    serial: str
    known_hosts: Path
    options: tuple[str, ...] = field(default=())
    """More words for ssh: ("-p", "2222"), ("-i", "key")."""

    def run(self, command: Sequence[str], stdin: bytes = b"", within_s: float = COMMAND_S) -> Ran:
        """As Place."""
        ran = _run(self.command(command), stdin, within_s)
        if ran.status == SSH_FAILED:
            raise _ssh_refusal(self.host, ran.err)
        return ran

    def send(self, command: Sequence[str], source: Sequence[str], within_s: float) -> None:
        """As Place."""
        try:
            _pipe(source, self.command(command), within_s)
        except ProvisioningRefused as refusal:
            if refusal.details.get("status") == SSH_FAILED:
                raise _ssh_refusal(self.host, str(refusal.details["said"])) from refusal
            raise

    def command(self, command: Sequence[str]) -> list[str]:
        """The ssh command line."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": shlex.quote(str(self.known_hosts)),
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": self.serial,
            "ConnectTimeout": CONNECT_S,
            "ServerAliveInterval": ALIVE_S,
            "ServerAliveCountMax": ALIVE_TRIES,
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        host = self.host if "@" in self.host else f"root@{self.host}"
        return ["ssh", *words, *self.options, "--", host, shlex.join(command)]


def _ssh_refusal(host: str, said: str) -> ProvisioningRefused:
    if "key verification failed" in said:
        return ProvisioningRefused("device-host-key", host=host)
    return ProvisioningRefused("device-unreachable", host=host, said=last_lines(said))


def ask(place: Place, command: Sequence[str], stdin: bytes = b"", within_s: float = COMMAND_S) -> bytes:
    """What a program wrote, when it ended well. Raises ProvisioningRefused."""
    ran = place.run(command, stdin, within_s)
    if ran.status != 0:
        raise ProvisioningRefused(
            "device-command",
            command=command[0],
            status=ran.status,
            said=last_lines(ran.err or ran.out.decode(errors="replace")),
        )
    return ran.out


def ask_program(place: Place, words: Sequence[str], document: Any = None, within_s: float = COMMAND_S) -> bytes:
    """What our own program on the device (on_device.py) answers, JSON; its refusals are raised as they are."""
    stdin = b"" if document is None else msgspec.json.encode(document)
    ran = place.run([PYTHON, "-m", "provisioning.on_device", *words], stdin, within_s)
    if ran.status == 0:
        return ran.out
    if ran.status == NOT_FOUND:
        raise ProvisioningRefused("device-not-installed")
    try:
        refused = msgspec.json.decode(ran.out, type=RefusedThere)
    except msgspec.MsgspecError:
        said = last_lines(ran.err or ran.out.decode(errors="replace"))
        raise ProvisioningRefused("device-command", command=PYTHON, status=ran.status, said=said) from None
    raise ProvisioningRefused(refused.code, **refused.details)


class RefusedThere(msgspec.Struct, frozen=True):
    """A refusal on its way from a device."""

    code: str
    details: dict[str, Any]


msgspec.json.Decoder(RefusedThere)
# Resolved now, by one thread (words.py).


def last_lines(text: str) -> str:
    """The end of what a program said, on one line."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-TOLD_LINES:])


def _run(command: list[str], stdin: bytes, within_s: float) -> Ran:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=within_s)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise ProvisioningRefused("device-silent", command=command[-1], seconds=int(within_s)) from error
    except FileNotFoundError as error:
        return Ran(NOT_FOUND, b"", str(error))
    except OSError as error:
        raise ProvisioningRefused("device-command", command=command[0], status=-1, said=str(error)) from error
    return Ran(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def _pipe(source: Sequence[str], target: Sequence[str], within_s: float) -> None:
    with subprocess.Popen(list(source), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reading:  # noqa: S603
        try:
            done = subprocess.run(  # noqa: S603
                list(target), stdin=reading.stdout, capture_output=True, check=False, timeout=within_s
            )
        except subprocess.TimeoutExpired as error:
            raise ProvisioningRefused("device-silent", command=target[0], seconds=int(within_s)) from error
        finally:
            reading.kill()
    if done.returncode != 0:
        said = last_lines(done.stderr.decode(errors="replace"))
        raise ProvisioningRefused("device-command", command=target[0], status=done.returncode, said=said)
