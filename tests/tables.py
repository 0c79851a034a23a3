"""Tables as the KPU's systems export them, small or of the whole country, and the mapping that names their columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

MAPPING = """
[election]
name = "Pemilu contoh"
mode = "real"

[[contests]]
id = "ppwp"
form = "c.hasil-ppwp-2024"
area = "nation"
candidates = "silon"

[[contests]]
id = "dpr"
form = "c.hasil-dpr-demo"
area = "dapil"
candidates = "sipol"
limits = { cap = 300 }

[[collectors]]
id = "kota-{regency}"
url = "https://c1-{regency}.example"

[sidalih]
files = ["sidalih*"]
skip = ["JUMLAH"]
[sidalih.columns]
code = "Kode Kelurahan"
tps = "No TPS"
province = "Provinsi"
regency = "Kab/Kota"
district = "Kecamatan"
village = "Kelurahan"
men = "Jumlah Pemilih / L"
women = "Jumlah Pemilih / P"
voters = "Jumlah Pemilih / L+P"

[silon]
files = ["silon.csv"]
columns = { contest = "Pemilihan", area = "Dapil", party = "Partai", number = "No Urut", name = "Nama" }

[sipol]
files = ["sipol.csv"]
columns = { number = "Nomor", name = "Partai", area = "Provinsi" }

[sidapil]
files = ["sidapil.csv"]
columns = { contest = "Pemilihan", area = "Dapil", name = "Nama Dapil", region = "Wilayah", seats = "Kursi" }

[totals]
files = ["rekap.csv"]
columns = { code = "Kode", tps = "TPS", voters = "DPT" }
"""

HEAD = (
    ("DAFTAR PEMILIH TETAP", *[""] * 8),
    ("Provinsi", "Kab/Kota", "Kecamatan", "Kelurahan", "Kode\nKelurahan", "No TPS", "Jumlah Pemilih", "", ""),
    ("", "", "", "", "", "", "L", "P", "L+P"),
)
"""Two rows of header, the sums under one merged cell, below a title."""

REGION = ("DKI JAKARTA", "JAKARTA PUSAT", "GAMBIR", "CIDENG", "31.71.01.1002")
OTHER = ("JAWA BARAT", "KOTA BANDUNG", "COBLONG", "DAGO", "3273021001")


def sidalih() -> list[list[Any]]:
    """Five TPS of two regencies, one of them special."""
    return [
        [*REGION, "1", "140", "145", "285"],
        [*REGION, "TPS 002", "100", "99", "199"],
        [*REGION, "901", "0", "0", "0"],
        [*OTHER, "1", "150", "150", "300"],
        [*OTHER, "2", "1", "0", "1"],
        ["JUMLAH", "", "", "", "", "", "391", "394", "785"],
    ]


OTHERS: dict[str, list[list[Any]]] = {
    "silon.csv": [
        ["Pemilihan", "Dapil", "Partai", "No Urut", "Nama"],
        *[["PPWP", "", "", number, f"Pasangan {number}"] for number in (1, 2, 3)],
        *[["DPR", dapil, party, number, f"Calon {dapil} {party}.{number}"]
          for dapil in ("JKT-II", "JABAR-I") for party in (1, 2, 3, 4) for number in (1, 2)],
    ],
    "sipol.csv": [["Nomor", "Partai", "Provinsi"], *[[number, f"Partai {number}", ""] for number in (1, 2, 3, 4)],
                  [21, "Partai Lokal", "11"]],
    "sidapil.csv": [["Pemilihan", "Dapil", "Nama Dapil", "Wilayah", "Kursi"],
                    ["dpr", "JKT-II", "DKI JAKARTA II", "3171", 7],
                    ["dpr", "JABAR-I", "JAWA BARAT I", "32.73", 7]],
    "rekap.csv": [["Kode", "TPS", "DPT"], ["3171", 3, "484"], ["3273", 2, 301]],
}  # fmt: skip


def to_csv(lines: Iterable[Sequence[Any]], separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(lines)
    return out.getvalue()


def write(folder: Path, rows: Sequence[Sequence[Any]] | None = None, **others: list[list[Any]]) -> Path:
    """All tables as CSV; `others` replace a table by its name without suffix. Returns the mapping's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sidalih.csv").write_text(to_csv([*HEAD, *(sidalih() if rows is None else rows)]), encoding="utf-8")
    for name, lines in OTHERS.items():
        (folder / name).write_text(to_csv(others.get(name.removesuffix(".csv"), lines)), encoding="utf-8")
    path = folder / "MAPPING.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return path
