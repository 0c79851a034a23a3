"""Definitions from tables: what officials' spreadsheets do to numbers and codes, and what a stranger's file tries."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner

from firmware.config import parse_election
from provisioning.definition import main
from provisioning.tables import cells
from tests import tables


def build(plan: Path, *more: str | Path, code: int = 0) -> str:
    out = [] if "--dry-run" in more else ["--out", str(plan.parent / "out")]
    result = CliRunner().invoke(main, ["build", str(plan), *out, *map(str, more)])
    assert result.exit_code == code, result.output
    return result.output


def problems(folder: Path, plan: Path) -> list[str]:
    """What is told, as lines without the file; nothing is written."""
    output = build(plan, "--problems", folder / "problems.csv", code=1)
    assert "definition-tables" in output
    assert not (plan.parent / "out").exists()
    with (folder / "problems.csv").open(newline="", encoding="utf-8") as file:
        return [f"{row['row']} {row['column']}: {row['reason']}" for row in csv.DictReader(file)]


def changed(row: int, **cells_of_row: Any) -> list[list[Any]]:
    """The usual rows with other cells in one."""
    names = ("province", "regency", "district", "village", "code", "tps", "men", "women", "voters")
    rows = tables.sidalih()
    for name, value in cells_of_row.items():
        rows[row][names.index(name)] = value
    return rows


# --- a build ----------------------------------------------------------------------------------------------------------


def test_a_kabupaten_gets_its_definition(tmp_path: Path) -> None:
    plan = tables.write(tmp_path)
    page = build(plan)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "3171.json", "3273.json", "index.csv", "summary.txt",
    ]  # fmt: skip
    definition = parse_election((tmp_path / "out" / "3171.json").read_bytes())
    assert [(entry.code, entry.voters) for entry in definition.election.polling_stations] == [
        ("3171011002001", 285), ("3171011002002", 199), ("3171011002901", 0),
    ]  # fmt: skip
    assert definition.polling_station("3171011002001").place == "TPS 001, CIDENG, GAMBIR, JAKARTA PUSAT"
    assert [candidate.name for candidate in definition.contest("dpr").candidates] == [
        f"Partai {n}" for n in range(1, 5)
    ]
    assert definition.contest("dpr").limits == {"cap": 300}
    assert definition.election.collectors[0].url == "https://c1-3171.example"
    for seen in ("TPS           5", "voters           785", "special TPS            1", "32    JAWA BARAT"):
        assert seen in page


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    plans = [tables.write(tmp_path / name) for name in ("a", "b")]
    for plan in plans:
        build(plan)
    one, two = ({path.name: path.read_bytes() for path in (plan.parent / "out").iterdir()} for plan in plans)
    assert one == two


def test_a_build_is_never_written_over(tmp_path: Path) -> None:
    plan = tables.write(tmp_path)
    build(plan)
    assert "definition-exists" in build(plan, code=1)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    plan = tables.write(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert "DKI JAKARTA" in build(plan, "--dry-run")
    assert sorted(tmp_path.iterdir()) == before


def test_what_changed_since_the_last_build(tmp_path: Path) -> None:
    old = tables.write(tmp_path / "old")
    build(old)
    rows = changed(0, men="141", voters="286")
    del rows[4]
    totals = [["Kode", "TPS", "DPT"], ["3171", 3, "485"], ["3273", 1, 300]]
    page = build(tables.write(tmp_path / "new", rows, rekap=totals), "--against", old.parent / "out")
    assert "3171.json: TPS +0 -0, voters changed in 1, in all +1" in page
    assert "3273.json: TPS +0 -1, voters changed in 0, in all -1" in page
    assert "none" in build(tables.write(tmp_path / "same"), "--against", old.parent / "out")


def test_the_candidates_differ_within_a_kota(tmp_path: Path) -> None:
    """A contest of a dapil that divides a regency: a definition for each part."""
    dapil = [*tables.OTHERS["sidapil.csv"][:2], ["dpr", "JABAR-I", "JAWA BARAT I", "327302", 7]]
    dapil.append(["dpr", "JABAR-II", "JAWA BARAT II", "327303", 7])
    rows = changed(4, district="CIKUTRA", village="SADANG", code="3273031001")
    build(tables.write(tmp_path, rows, sidapil=dapil))
    assert {path.name for path in (tmp_path / "out").glob("*.json")} == {
        "3171.json", "3273-JABAR-I.json", "3273-JABAR-II.json",
    }  # fmt: skip


# --- encodings and spreadsheets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_is_written_by_another_spreadsheet(tmp_path: Path, encoding: str, separator: str) -> None:
    plan = tables.write(tmp_path)
    rows = changed(0, village="CIDENG ‘É’")
    for row in rows[1:3]:
        row[3] = "CIDENG ‘É’"
    text = tables.to_csv([*tables.HEAD, *rows], separator)
    (tmp_path / "sidalih.csv").write_bytes(text.encode(encoding))
    build(plan)
    assert "CIDENG ‘É’" in (tmp_path / "out" / "3171.json").read_text(encoding="utf-8")


def workbook(path: Path, rows: list[list[Any]], *, head: Any = tables.HEAD) -> None:
    book = openpyxl.Workbook()
    page = book.active
    page.title = "DPT"
    for line in [*head, *rows]:
        page.append(list(line))
    page.merge_cells("A1:I1")
    page.merge_cells("G2:I2")
    for column in "ABCDEF":
        page.merge_cells(f"{column}2:{column}3")
    book.save(path)


def as_xlsx(folder: Path, rows: list[list[Any]]) -> Path:
    plan = tables.write(folder)
    (folder / "sidalih.csv").unlink()
    workbook(folder / "sidalih.xlsx", rows)
    return plan


def test_a_workbook_gives_the_same_definition(tmp_path: Path) -> None:
    rows = changed(0, code=3171011002.0, tps=1, men=140.0, voters=285)
    one, two = as_xlsx(tmp_path / "xlsx", rows), tables.write(tmp_path / "csv")
    build(one)
    build(two)
    for name in ("3171.json", "3273.json"):
        assert (one.parent / "out" / name).read_bytes() == (two.parent / "out" / name).read_bytes()


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1234", 1234), (" 1.234 ", 1234), ("1,234", 1234), ("12.345.678", 12345678), (1234.0, 1234), ("0", 0),
     ("1\N{NO-BREAK SPACE}234", 1234)],
)  # fmt: skip
def test_a_number_is_written_in_its_ways(cell: cells.Cell, value: int) -> None:
    assert cells.number(cell) == value


@pytest.mark.parametrize(
    "cell", [1.234, "1.23", "12.34.567", "1.234,5", "-1", "", None, True, "=SUM(A1)", "１", "x", "1e3"]
)
def test_a_number_is_none(cell: cells.Cell) -> None:
    with pytest.raises(cells.CellRefused):
        cells.number(cell)


# --- mistakes in the tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "change", "told"),
    [
        (1, {"tps": "1"}, "5 Kode Kelurahan: TPS 3171011002001 stands in sidalih.csv row 4 already"),
        (0, {"voters": "284"}, "4 Jumlah Pemilih / L+P: 140 and 145 are 285, not 284"),
        (0, {"men": "0", "women": "0", "voters": "0"}, "4 Jumlah Pemilih / L+P: TPS 3171011002001 has no voters"),
        (0, {"men": "200", "women": "200", "voters": "400"}, "4 Jumlah Pemilih / L+P: 400 is not between 0 and 300"),
        (0, {"voters": "1.5"}, "4 Jumlah Pemilih / L+P: '1.5' is no whole number"),
        (
            0,
            {"code": "3.17E+09"},
            "4 Kode Kelurahan: '3.17E+09' is no code; a spreadsheet may have made a number of it",
        ),
        (0, {"code": "317101100"}, "4 Kode Kelurahan: '317101100' has 9 digits, not 10"),
        (1, {"village": "CIDENQ"}, "5 Kelurahan: 3171011002 is 'CIDENG' above, 'CIDENQ' here"),
        (0, {"tps": "1000"}, "4 No TPS: 1000 is not between 1 and 999"),
        (0, {"village": "=A1"}, "4 Kelurahan: a formula; paste it as a value"),
        (0, {"village": ""}, "4 Kelurahan: is empty"),
        (3, {"code": "9171021001"}, " region: district 917102 (COBLONG) is in no dapil of dpr"),
    ],
)
def test_a_row_is_wrong(tmp_path: Path, row: int, change: dict[str, Any], told: str) -> None:
    assert told in problems(tmp_path, tables.write(tmp_path, changed(row, **change)))


def with_rows(table: str, *rows: list[Any], without: int = 0) -> dict[str, list[list[Any]]]:
    lines = tables.OTHERS[f"{table}.csv"]
    return {table: [*lines[: len(lines) - without], *rows]}


@pytest.mark.parametrize(
    ("tables_", "told"),
    [
        (with_rows("silon", ["PPWP", "", "", 5, "Kelima"]), "21 No Urut: ppwp: number 4 is missing"),
        (with_rows("silon", ["PPWP", "", "", 3, "Lain"]), "21 No Urut: number 3 is 'Pasangan 3' already, row 4"),
        (with_rows("silon", ["DPR", "JKT-IX", 1, 1, "X"]), "21 Dapil: dapil 'JKT-IX' of dpr is not in Sidapil"),
        (with_rows("silon", ["DPR", "JKT-II", 9, 1, "X"]), "21 Partai: party 9 is not in Sipol"),
        (with_rows("silon", ["DPD", "", "", 1, "X"]), "21 Pemilihan: 'dpd' is no contest of the mapping"),
        (with_rows("silon", *[["DPR", "JKT-II", 1, n, "X"] for n in range(3, 9)]),
         "26 No Urut: dpr JKT-II party 1: 8 candidates for 7 seats"),
        (with_rows("silon", ["PPWP", "", "", 4, "Keempat"]),
         " form: ppwp: on c.hasil-ppwp-2024 1, 2, 3; 1, 2, 3, 4 stand"),
        (with_rows("sipol", [1, "Lagi", ""]), "7 Nomor: party 1 is 'Partai 1' already"),
        (with_rows("sidapil", ["dpr", "JKT-III", "X", "3171", 7]), "4 Wilayah: 3171 is in dapil JKT-II already"),
        (with_rows("rekap", ["3273", 2, 302], without=1), "3 DPT: 302 declared for 3273, 301 in the tables (-1)"),
        (with_rows("rekap", ["3299", 2, 302]), "4 Kode: 3299 has no TPS"),
    ],
)  # fmt: skip
def test_another_table_is_wrong(tmp_path: Path, tables_: dict[str, list[list[Any]]], told: str) -> None:
    assert told in problems(tmp_path, tables.write(tmp_path, **tables_))


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    rows = changed(0, voters="x", village="")
    rows[1][5], rows[3][4] = "0", "y"
    told = problems(tmp_path, tables.write(tmp_path, rows, **with_rows("sipol", [1, "Lagi", ""])))
    assert {line.split(":")[0] for line in told} >= {
        "4 Jumlah Pemilih / L+P", "4 Kelurahan", "5 No TPS", "7 Kode Kelurahan", "7 Nomor",
    }  # fmt: skip


def test_a_header_is_not_there_or_there_twice(tmp_path: Path) -> None:
    plan = tables.write(tmp_path)
    text = (tmp_path / "sidalih.csv").read_text(encoding="utf-8")
    (tmp_path / "sidalih.csv").write_text(text.replace("No TPS", "Nomor"), encoding="utf-8")
    assert " : no header with 'No TPS' in the first 25 rows" in problems(tmp_path, plan)
    (tmp_path / "sidalih.csv").write_text(text.replace("Kecamatan,", "No TPS,"), encoding="utf-8")
    assert any("no header" in line or "twice" in line for line in problems(tmp_path, plan))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("[[contests]]", "[[kontes]]"), "definition-mapping"),
        (('mode = "real"', 'mode = "mock"'), "definition-mapping"),
        (('files = ["sidalih*"]', 'files = ["dpt*"]'), "definition-files"),
        (('files = ["sidalih*"]', 'files = ["/etc/passwd"]'), "definition-files"),
    ],
)
def test_a_mapping_that_is_none(tmp_path: Path, change: tuple[str, str], code: str) -> None:
    plan = tables.write(tmp_path)
    plan.write_text(plan.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    assert code in build(plan, code=1)


# --- files of a stranger ----------------------------------------------------------------------------------------------


def repacked(path: Path, change: dict[str, bytes]) -> None:
    """The workbook with other or more parts."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()} | change
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)


BOMB = b"<worksheet>" + b" " * 50_000_000
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<sst xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><si><t>&b;</t></si></sst>"
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"xl/worksheets/sheet9.xml": BOMB}, "it is no table"),
        ({"xl/sharedStrings.xml": LAUGHS}, "document type"),
        ({"xl/vbaProject.bin": b"x"}, "macros"),
        ({"xl/externalLinks/externalLink1.xml": b"<x/>"}, "links to other files"),
        ({"xl/worksheets/sheet1.xml": b"<worksheet"}, "cannot be opened"),
        ({"xl/workbook.xml": b"<x/>"}, "has no sheet"),
        ({"xl/worksheets/sheet1.xml": b"<!doctype x>"}, "document type"),
    ],
)
def test_a_workbook_is_hostile(tmp_path: Path, change: dict[str, bytes], told: str) -> None:
    plan = as_xlsx(tmp_path, tables.sidalih())
    repacked(tmp_path / "sidalih.xlsx", change)
    assert any(told in line for line in problems(tmp_path, plan))


def test_a_workbook_was_cut_off(tmp_path: Path) -> None:
    plan = as_xlsx(tmp_path, tables.sidalih())
    with zipfile.ZipFile(tmp_path / "sidalih.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    repacked(tmp_path / "sidalih.xlsx", {"xl/worksheets/sheet1.xml": sheet[: len(sheet) * 3 // 4]})
    assert any("is damaged" in line for line in problems(tmp_path, plan))


def test_a_workbook_is_none(tmp_path: Path) -> None:
    plan = as_xlsx(tmp_path, tables.sidalih())
    for data in (b"", b"PK", b"\xd0\xcf\x11\xe0" + bytes(600), (tmp_path / "sidalih.xlsx").read_bytes()[:-100]):
        (tmp_path / "sidalih.xlsx").write_bytes(data)
        assert any("is no XLSX" in line for line in problems(tmp_path, plan))


def test_a_number_of_a_workbook_is_a_formula(tmp_path: Path) -> None:
    told = problems(tmp_path, as_xlsx(tmp_path, changed(0, voters="=SUM(G4:H4)")))
    assert "4 Jumlah Pemilih / L+P: a formula; paste it as a value" in told


def test_a_cell_far_away(tmp_path: Path) -> None:
    plan = as_xlsx(tmp_path, tables.sidalih())
    book = openpyxl.load_workbook(tmp_path / "sidalih.xlsx")
    book["DPT"]["XFD5000"] = "x"
    book.save(tmp_path / "sidalih.xlsx")
    build(plan)


def test_a_row_far_below(tmp_path: Path) -> None:
    plan = as_xlsx(tmp_path, tables.sidalih())
    with zipfile.ZipFile(tmp_path / "sidalih.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    repacked(
        tmp_path / "sidalih.xlsx", {"xl/worksheets/sheet1.xml": sheet.replace(b'<row r="8"', b'<row r="999999999"')}
    )
    assert any("10000 empty rows" in line for line in problems(tmp_path, plan))


def test_a_table_without_a_row(tmp_path: Path) -> None:
    assert " : no TPS could be read" in problems(tmp_path, tables.write(tmp_path, []))


def test_a_csv_that_never_ends_a_field(tmp_path: Path) -> None:
    plan = tables.write(tmp_path)
    with (tmp_path / "sidalih.csv").open("a") as file:
        file.write('"' + "x" * 200_000)
    assert any("field" in line or "end" in line for line in problems(tmp_path, plan))


def test_a_tps_stands_in_two_provinces_files(tmp_path: Path) -> None:
    plan = tables.write(tmp_path)
    again = tables.to_csv([*tables.HEAD, tables.sidalih()[0]])
    (tmp_path / "sidalih-lain.csv").write_text(again, encoding="utf-8")
    assert "4 Kode Kelurahan: TPS 3171011002001 stands in sidalih-lain.csv row 4 already" in problems(tmp_path, plan)


def test_the_list_of_problems_has_no_end(tmp_path: Path) -> None:
    rows = [[*tables.REGION, "x", "1", "1", "2"] for _ in range(10_100)]
    output = build(tables.write(tmp_path, rows), "--problems", tmp_path / "problems.csv", code=1)
    assert "... and" in output
    assert (tmp_path / "problems.csv").read_text(encoding="utf-8").count("\n") == 10_001


def test_the_index_names_every_definition(tmp_path: Path) -> None:
    build(tables.write(tmp_path))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "index.csv").read_text(encoding="utf-8"))))
    assert [(row["file"], row["tps"], row["voters"]) for row in rows] == [
        ("3171.json", "3", "484"),
        ("3273.json", "2", "301"),
    ]
    assert rows[0]["sha256"] == parse_election((tmp_path / "out" / "3171.json").read_bytes()).sha256
    assert json.loads((tmp_path / "out" / "3171.json").read_text(encoding="utf-8"))["mode"] == "real"
