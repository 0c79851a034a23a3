"""What signing costs: `python -m tests.bench.keys`. A key in a file, and one in Debian's swtpm where that is installed.

Medians in microseconds and as multiples of one raw signature with the key in a file. A chip on a Pi is far slower than
swtpm: what follows from here is how many signatures and TPM commands a seal takes, not how long a chip takes for them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.records import Mode
from firmware.signing import checkpoint, enrolment
from firmware.signing.cose import MessageType, open_verified, parse
from firmware.signing.development_key import DevelopmentKey
from firmware.signing.key_elsewhere import KeyElsewhere
from firmware.signing.keys import Counter, DeviceClaims, DeviceKey, Protection, open_device
from firmware.signing.schema import check_record
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from tests.key_contract import grant
from tests.sealing import draft
from tests.system.software_tpm import SoftwareTpm

TIMES = 200
RECORDS = 30
SECONDS_APART = 900
MESSAGE = bytes(4000)
"""A record has about so many bytes."""


@dataclass(frozen=True)
class Kept:
    """A key and where it is kept."""

    name: str
    key: DeviceKey
    counter: Counter | None


@contextmanager
def _keys(folder: Path) -> Iterator[list[Kept]]:
    found = [Kept("file", DevelopmentKey.open(folder / "file"), None)]
    if shutil.which("swtpm") is None:
        print("no swtpm here")
        yield found
        return
    from firmware.signing import tpm_key

    tpm = SoftwareTpm(folder / "tpm")
    try:
        claims = DeviceClaims(Mode.DEVELOPMENT, "BENCH-1", Protection.TPM)
        request = enrolment.make_request(KeyElsewhere(tpm_key.make(tpm.tcti)), claims)
        enrolment.keep_request(folder, request)
        enrolled = enrolment.install(folder, grant(request.public_bytes(Encoding.PEM).decode()))
        yield [*found, Kept("swtpm", tpm_key.TpmKey.open(tpm.tcti, enrolled), tpm_key.TpmCounter(tpm.tcti))]
    finally:
        tpm.cut()


def _cost(work: Callable[[], object], times: int = TIMES) -> float:
    """Median of one call in microseconds."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return median(spent) * 1e6


def _figures(kept: Kept, folder: Path) -> dict[str, float]:
    device = open_device(x509.load_der_x509_certificate(kept.key.certificate))
    now, numbers = count(1_866_000_000, SECONDS_APART), count(1)
    clock = lambda: ClockReading(next(now), ClockQuality.SYNCHRONISED)  # noqa: E731
    signer = Signer(folder / f"state-{kept.name}", kept.key, clock, kept.counter)
    figures = {
        "sign": _cost(lambda: kept.key.sign(MESSAGE)),
        "checkpoint": _cost(lambda: checkpoint.make(1, bytes(32), device, kept.key)),
        "seal": _cost(lambda: signer.seal(draft(next(numbers))), RECORDS),
    }
    record = signer.seal(draft(1)).cose
    key = device.public_key
    figures["verify"] = _cost(lambda: check_record(open_verified(parse(record), MessageType.RECORD, key)))
    if kept.counter:
        figures["advance"] = _cost(kept.counter.advance)
        figures["count"] = _cost(kept.counter.value)
    return figures


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as name, _keys(Path(name)) as keys:
        results = {kept.name: _figures(kept, Path(name)) for kept in keys}
    unit = results["file"]["sign"]
    for kept, figures in results.items():
        print(kept)
        for work, cost in figures.items():
            print(f"  {work:<12}{cost:9.0f} us  {cost / unit:7.1f}")


if __name__ == "__main__":
    main()
