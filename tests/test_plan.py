"""The plan of a batch and the kiosk.toml of each device: a wrong row is named with its line, and nothing is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.config import CameraDriver, KioskFile
from firmware.errors import Refused
from provisioning.batch.kiosk_toml import kiosk_file, written
from provisioning.batch.plan import read_plan
from tests.offices import TEMPLATE

TPS = ("3171010001001", "3171010001002")
HEAD = "serial,host,tps,seal,protection"
GOOD = "C1-0001,10.0.0.1,3171010001001,KPU-1,tpm"
KIOSK = TEMPLATE.format(state="/var/lib/c1kiosk", run="/run/c1kiosk", driver="tpm").encode()


def plan(folder: Path, *lines: str, head: str = HEAD) -> Path:
    path = folder / "plan.csv"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8-sig")
    return path


def test_a_plan_is_read(tmp_path: Path) -> None:
    head = f"{HEAD},camera,lan_address"
    rows = read_plan(plan(tmp_path, f"{GOOD},v4l2,", "C1-0002,,,KPU-2,sealed-file,,10.0.0.2", head=head), TPS)
    assert [row.serial for row in rows] == ["C1-0001", "C1-0002"]
    assert rows[0].changes == {"tps": TPS[0], "camera.driver": "v4l2"}
    assert (rows[1].tps, rows[1].host) == ("", "")


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        (("C1 0001,10.0.0.1,3171010001001,KPU-1,tpm",), 2, "serial"),
        (("C1-0001,-oProxyCommand=x,3171010001001,KPU-1,tpm",), 2, "host"),
        (("C1-0001,10.0.0.1,317101000100,KPU-1,tpm",), 2, "tps"),
        (("C1-0001,10.0.0.1,3171010001009,KPU-1,tpm",), 2, "not in the election"),
        (("C1-0001,10.0.0.1,3171010001001,,tpm",), 2, "seal"),
        (("C1-0001,10.0.0.1,3171010001001,KPU-1,yes",), 2, "protection"),
        ((GOOD, "C1-0001,10.0.0.2,3171010001002,KPU-2,tpm"), 2, "serial C1-0001 stands more than once"),
        ((GOOD, "C1-0002,10.0.0.1,3171010001002,KPU-2,tpm"), 2, "host 10.0.0.1 stands more than once"),
        ((GOOD, "C1-0002,10.0.0.2,3171010001001,KPU-2,tpm"), 2, "tps 3171010001001 stands more than once"),
        ((GOOD, "C1-0002,10.0.0.2,3171010001002,KPU-1,tpm"), 2, "seal KPU-1 stands more than once"),
        ((GOOD, "C1-0002,10.0.0.2"), 3, "another number of columns"),
        ((), 1, "no rows"),
    ],
)
def test_a_row_is_wrong(tmp_path: Path, lines: tuple[str, ...], line: int, said: str) -> None:
    with pytest.raises(Refused, match="plan-unreadable") as refusal:
        read_plan(plan(tmp_path, *lines), TPS)
    assert refusal.value.details["line"] == line
    assert said in refusal.value.details["problem"]


def test_a_column_is_missing_or_unknown(tmp_path: Path) -> None:
    for head in ("serial,host,tps,seal", f"{HEAD},colour"):
        with pytest.raises(Refused, match="columns"):
            read_plan(plan(tmp_path, GOOD, head=head), TPS)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="2 more: line 3: serial"):
        read_plan(plan(tmp_path, "C1 1,h,,K-1,tpm", "C1 2,i,,K-2,tpm", "C1 3,j,,K-3,tpm"), TPS)


# --- kiosk.toml -------------------------------------------------------------------------------------------------------


def test_a_kiosk_toml_is_written_and_reads_the_same() -> None:
    changes = {"tps": TPS[0], "camera.driver": "v4l2", "camera.device": '/dev/v4l/by-id/a "b"\\c'}
    made = kiosk_file(KIOSK, changes, "kiosk.toml")
    assert isinstance(made, KioskFile) and made.camera.driver is CameraDriver.V4L2
    text = written(made)
    assert kiosk_file(text, {}, "again") == made
    assert b"lan" not in text, "what is not there is not written"


@pytest.mark.parametrize(
    "change",
    [{}, {"tps": "1"}, {"tps": TPS[0], "camera.driver": "mock"}, {"tps": TPS[0], "printer.color": "red"},
     {"tps": TPS[0], "lan.address": "10.0.0.1"}],
)  # fmt: skip
def test_a_template_does_not_make_a_kiosk(change: dict[str, str]) -> None:
    with pytest.raises(Refused, match="config-invalid"):
        kiosk_file(KIOSK, change, "kiosk.toml")
