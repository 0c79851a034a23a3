"""Builds election definitions from tables: `python -m provisioning.definition build MAPPING.toml --out DIR`.

MAPPING.toml tells where the tables are and what their columns are called (mapping.py has its keys). The tables are what
Sidalih (voters per TPS), Silon (candidates), Sipol (parties) and Sidapil (districts) export, as CSV or XLSX.
When anything is wrong, everything that is wrong is told, with file, sheet, row, column and reason, and nothing is
written. Else DIR, which must not exist, holds

    <regency>.json        of a kabupaten/kota, or <regency>-<dapil>.json where candidates differ within it
    index.csv             file, regency, TPS, voters, SHA-256 of every definition
    summary.txt           what a person reads, and signs on paper, before `ca trust` and `ca sign`

The same tables give the same bytes. `--against OLD` tells what changed since another build.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from firmware.config import MAX_FILE_BYTES
from firmware.forms.loader import shipped_layouts
from firmware.signing import durable
from provisioning.authority.desk import Desk
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.tables import mapping, national
from provisioning.tables.national import Definition, Tables
from provisioning.tables.sheets import Problem, Problems

INDEX = "index.csv"
SUMMARY = "summary.txt"
SHOWN = 200
"""Problems on the terminal; `--problems` has all of them."""
TRUST_BYTES = 1024 * 1024
"""Room that `ca trust` needs in a definition: certificates and revocations."""
READABLE_FOLDER = 0o755
_COLUMNS = ("file", "regency", "name", "tps", "voters", "sha256")


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Election definitions from tables."""


@main.command("build")
@click.argument("plan", metavar="MAPPING.toml", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="A folder that is not there yet.")
@click.option("--dry-run", is_flag=True, help="Check and sum up, write nothing.")
@click.option("--problems", "list_file", type=click.Path(path_type=Path, dir_okay=False), help="CSV of all problems.")
@click.option("--against", type=click.Path(path_type=Path, exists=True, file_okay=False), help="An earlier build.")
def build_command(plan: Path, out: Path | None, dry_run: bool, list_file: Path | None, against: Path | None) -> None:
    """Build every definition, or tell everything that is wrong."""
    if (out is None) is not dry_run:
        raise click.UsageError("either --out DIR or --dry-run")
    if out is not None and out.exists():
        raise ProvisioningRefused("definition-exists", folder=str(out))
    click.echo("reading", err=True)
    tables = national.read(mapping.load(plan), plan.parent, shipped_layouts())
    made = [] if tables.problems.count else list(_checked(tables))
    if list_file is not None:
        list_file.write_bytes(listed(tables.problems.kept))
    if tables.problems.count:
        _tell(tables.problems)
        raise ProvisioningRefused("definition-tables", problems=tables.problems.count)
    page = summary(tables, made) + (differences(against, made) if against else "")
    if out is not None:
        write(out, made, tables, page)
        click.echo(f"{len(made)} definitions in {out}", err=True)
    click.echo(page, nl=False)


def listed(problems: Iterable[Problem]) -> bytes:
    """The problems as CSV."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("file", "sheet", "row", "column", "reason"))
    for entry in problems:
        writer.writerow((entry.file, entry.sheet, entry.row or "", entry.column, entry.reason))
    return out.getvalue().encode()


def summary(tables: Tables, made: Sequence[Definition]) -> str:
    """The page that is read before signing."""
    election, stations = tables.plan.election, tables.stations
    special = [code for there in stations.values() for code in there if code % 1000 >= election.special_from]
    lines = [
        f"{election.name} ({election.mode})",
        f"definitions  {len(made):>11,}   TPS {sum(entry.tps for entry in made):>11,}   "
        f"voters {sum(entry.voters for entry in made):>13,}",
        f"special TPS  {len(special):>11,}   villages with gaps in their TPS numbers {len(list(_gaps(tables))):,}",
        *(
            f"contest      {entry.id}: {entry.form}, by {entry.area}, {entry.candidates}"
            for entry in tables.plan.contests
        ),
        "",
        f"{'code':<6}{'province, regency':<42}{'TPS':>9}{'voters':>13}",
    ]
    by_regency: dict[str, list[Definition]] = defaultdict(list)
    for entry in made:
        by_regency[entry.regency].append(entry)
    province = ""
    for regency, entries in sorted(by_regency.items()):
        if regency[:2] != province:
            province = regency[:2]
            inside = [entry for entry in made if entry.regency.startswith(province)]
            lines.append(_line(tables, province, inside))
        lines.append(_line(tables, regency, entries))
    return "\n".join(lines) + "\n"


def differences(old: Path, made: Sequence[Definition]) -> str:
    """What changed since another build: definitions, TPS, voters, candidates."""
    lines = ["", f"changes since {old.name}"]
    now = {f"{entry.name}.json": entry for entry in made}
    before = {path.name for path in old.glob("*.json")}
    lines += [f"  {name}: gone" for name in sorted(before - now.keys())]
    lines += [f"  {name}: new" for name in sorted(now.keys() - before)]
    for name in sorted(before & now.keys()):
        data = (old / name).read_bytes()
        if data != now[name].data:
            lines += [f"  {name}: {change}" for change in _changes(json.loads(data), json.loads(now[name].data))]
    return "\n".join(lines if len(lines) > 2 else [*lines, "  none"]) + "\n"


def write(out: Path, made: Sequence[Definition], tables: Tables, page: str) -> None:
    """All files, or none: the folder comes to be in one step. Raises ProvisioningRefused("definition-write")."""
    incoming: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        for entry in made:
            (incoming / f"{entry.name}.json").write_bytes(entry.data)
        (incoming / INDEX).write_bytes(_index(made, tables))
        (incoming / SUMMARY).write_text(page, encoding="utf-8")
        os.sync()
        incoming.chmod(READABLE_FOLDER)
        incoming.rename(out)
        durable.sync_folder(out.parent)
    except OSError as error:
        raise ProvisioningRefused("definition-write", folder=str(out), problem=str(error.strerror)) from error
    finally:
        if incoming is not None:
            shutil.rmtree(incoming, ignore_errors=True)


def _checked(tables: Tables) -> Iterator[Definition]:
    """The definitions; one that no kiosk would take is a problem."""
    for entry in national.definitions(tables):
        if len(entry.data) + TRUST_BYTES > MAX_FILE_BYTES:
            reason = f"{entry.name} has {entry.tps} TPS in {len(entry.data)} bytes; a kiosk takes {MAX_FILE_BYTES}"
            tables.problems.add(Problem("Sidalih", "", 0, "", reason))
        yield entry


def _tell(problems: Problems) -> None:
    for entry in problems.kept[:SHOWN]:
        click.echo(entry.line)
    if problems.count > SHOWN:
        click.echo(f"... and {problems.count - SHOWN} more")


def _line(tables: Tables, code: str, entries: Sequence[Definition]) -> str:
    name = tables.names[code] if len(code) == 2 else f"  {tables.names[code]}"
    tps, voters = sum(entry.tps for entry in entries), sum(entry.voters for entry in entries)
    return f"{code:<6}{name[:41]:<42}{tps:>9,}{voters:>13,}"


def _gaps(tables: Tables) -> Iterator[int]:
    """Villages whose regular TPS are not numbered from 1 on."""
    last: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for there in tables.stations.values():
        for code in there:
            village, number = divmod(code, 1000)
            if number < tables.plan.election.special_from:
                most, count = last[village]
                last[village] = [max(most, number), count + 1]
    return (village for village, (most, count) in last.items() if most != count)


def _changes(old: dict[str, list[dict[str, object]]], new: dict[str, list[dict[str, object]]]) -> Iterator[str]:
    before = {str(entry["code"]): entry for entry in old["polling_stations"]}
    after = {str(entry["code"]): entry for entry in new["polling_stations"]}
    gone, added = len(before.keys() - after.keys()), len(after.keys() - before.keys())
    moved = [code for code in before.keys() & after.keys() if before[code]["voters"] != after[code]["voters"]]
    voters = sum(int(str(entry["voters"])) for entry in after.values())
    voters -= sum(int(str(entry["voters"])) for entry in before.values())
    if gone or added or moved:
        yield f"TPS +{added} -{gone}, voters changed in {len(moved)}, in all {voters:+,}"
    stood = {str(entry["id"]): entry for entry in old["contests"]}
    for entry in new["contests"]:
        if entry != stood.get(str(entry["id"])):
            yield f"contest {entry['id']} changed"


def _index(made: Sequence[Definition], tables: Tables) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for entry in made:
        sha256 = hashlib.sha256(entry.data).hexdigest()
        name = tables.names[entry.regency]
        writer.writerow((f"{entry.name}.json", entry.regency, name, entry.tps, entry.voters, sha256))
    return out.getvalue().encode()


if __name__ == "__main__":
    main()
