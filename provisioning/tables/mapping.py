"""MAPPING.toml: which tables an election is built from, and what their columns are called there.

    [election]
    name = "Pemilu 2029"
    mode = "real"
    max_voters = 300                        # of one TPS (law); more is a problem
    special_from = 901                      # numbers of TPS lokasi khusus; these may have no voters

    [[contests]]
    id = "ppwp"
    form = "c.hasil-ppwp-2024"              # "{area}" is replaced by the contest's area
    area = "nation"                         # nation, province, regency, or dapil (found in Sidapil)
    candidates = "silon"                    # or "sipol": the parties stand, and Silon's rows are checked against them
    limits = { }

    [[collectors]]
    id = "kota-{regency}"                   # {regency} and {province} are codes
    url = "https://c1-{regency}.example"

    [sidalih]                               # voters per TPS
    files = ["sidalih/*.csv"]               # relative to this file
    skip = ["JUMLAH", "TOTAL"]              # rows with such a cell are sums
    [sidalih.columns]
    code = "Kode Kelurahan"                 # 10 digits (with tps), or 13 (without)
    tps = "No TPS"
    province = "Provinsi"
    regency = "Kabupaten/Kota"
    district = "Kecamatan"
    village = "Kelurahan/Desa"
    voters = "Jumlah Pemilih / L+P"
    men = "Jumlah Pemilih / L"              # optional, with women: their sum is checked
    women = "Jumlah Pemilih / P"

    [silon]                                 # contest, area, party (optional), number, name
    [sipol]                                 # number, name, area (optional: a local party's province)
    [sidapil]                               # contest, area (the dapil's code), name, region (2, 4 or 6 digits), seats
    [totals]                                # optional: code (4 digits), tps, voters, as they were declared

Each of the tables has files, skip, columns, and for XLSX `sheet` (else the first one). An unknown key is refused.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from firmware.records import Mode
from provisioning.authority.issuing import ProvisioningRefused

MAX_FILE_BYTES = 256 * 1024
"""Of MAPPING.toml."""


class Area(StrEnum):
    """What a contest is held in."""

    NATION = "nation"
    PROVINCE = "province"
    REGENCY = "regency"
    DAPIL = "dapil"


class Standing(StrEnum):
    """Who stands on the form."""

    SILON = "silon"
    SIPOL = "sipol"


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Immutable; an unknown key is an error."""


class ElectionEntry(_Strict, frozen=True):
    """`[election]`."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    mode: Mode
    max_voters: Annotated[int, Meta(ge=1, le=10_000)] = 300
    special_from: Annotated[int, Meta(ge=1, le=999)] = 901


class ContestEntry(_Strict, frozen=True):
    """`[[contests]]`."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}\Z")]
    form: str
    area: Area
    candidates: Standing
    limits: dict[str, int] = {}


class CollectorEntry(_Strict, frozen=True):
    """`[[collectors]]`."""

    id: str
    url: str


class SidalihColumns(_Strict, frozen=True):
    """`[sidalih.columns]`."""

    code: str
    province: str
    regency: str
    district: str
    village: str
    voters: str
    tps: str | None = None
    men: str | None = None
    women: str | None = None


class SilonColumns(_Strict, frozen=True):
    """`[silon.columns]`."""

    contest: str
    number: str
    name: str
    area: str | None = None
    party: str | None = None


class SipolColumns(_Strict, frozen=True):
    """`[sipol.columns]`."""

    number: str
    name: str
    area: str | None = None


class SidapilColumns(_Strict, frozen=True):
    """`[sidapil.columns]`."""

    contest: str
    area: str
    name: str
    region: str
    seats: str


class TotalsColumns(_Strict, frozen=True):
    """`[totals.columns]`."""

    code: str
    tps: str
    voters: str


Columns = SidalihColumns | SilonColumns | SipolColumns | SidapilColumns | TotalsColumns


class _Table(_Strict, frozen=True):
    """What every table has besides its columns."""

    files: Annotated[tuple[str, ...], Meta(min_length=1)]
    sheet: str = ""
    skip: tuple[str, ...] = ()


class SidalihTable(_Table, frozen=True, kw_only=True):
    """`[sidalih]`."""

    columns: SidalihColumns


class SilonTable(_Table, frozen=True, kw_only=True):
    """`[silon]`."""

    columns: SilonColumns


class SipolTable(_Table, frozen=True, kw_only=True):
    """`[sipol]`."""

    columns: SipolColumns


class SidapilTable(_Table, frozen=True, kw_only=True):
    """`[sidapil]`."""

    columns: SidapilColumns


class TotalsTable(_Table, frozen=True, kw_only=True):
    """`[totals]`."""

    columns: TotalsColumns


Table = SidalihTable | SilonTable | SipolTable | SidapilTable | TotalsTable


class Mapping(_Strict, frozen=True):
    """The whole file."""

    election: ElectionEntry
    contests: Annotated[tuple[ContestEntry, ...], Meta(min_length=1)]
    sidalih: SidalihTable
    silon: SilonTable | None = None
    sipol: SipolTable | None = None
    sidapil: SidapilTable | None = None
    totals: TotalsTable | None = None
    collectors: tuple[CollectorEntry, ...] = ()


def load(path: Path) -> Mapping:
    """The mapping in a file; raises ProvisioningRefused("definition-mapping")."""
    try:
        with path.open("rb") as file:
            found = msgspec.toml.decode(file.read(MAX_FILE_BYTES), type=Mapping)
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as error:
        raise ProvisioningRefused("definition-mapping", file=str(path), problem=str(error)) from error
    problem = _missing(found)
    if problem:
        raise ProvisioningRefused("definition-mapping", file=str(path), problem=problem)
    return found


def _missing(found: Mapping) -> str:
    """A table that the contests need and nobody names."""
    if found.silon is None:
        return "no [silon]: nobody stands"
    if found.sipol is None and any(entry.candidates is Standing.SIPOL for entry in found.contests):
        return "candidates = sipol, but no [sipol]"
    if found.sidapil is None and any(entry.area is Area.DAPIL for entry in found.contests):
        return "area = dapil, but no [sidapil]"
    if len({entry.id for entry in found.contests}) < len(found.contests):
        return "a contest stands twice"
    return ""


def files_of(table: Table, folder: Path) -> list[Path]:
    """The files of a table, in the order of their names; raises ProvisioningRefused("definition-files")."""
    found: list[Path] = []
    for pattern in table.files:
        try:
            matched = sorted(path for path in folder.glob(pattern) if path.is_file())
        except (ValueError, NotImplementedError, OSError):  # an empty or absolute pattern, an unreadable folder
            matched = []
        if not matched:
            raise ProvisioningRefused("definition-files", pattern=pattern, folder=str(folder))
        found += [path for path in matched if path not in found]
    return found


def columns_of(table: Table) -> dict[str, str]:
    """Key and title of every column that the mapping names."""
    return {key: title for key, title in msgspec.structs.asdict(table.columns).items() if title is not None}
