"""Imports evidence bundles from mounted sticks, with all their pictures (bundles.py). Run again, it goes on.

    python -m collector.stick --settings collector.toml /media/stick [MORE...]
    python -m collector.stick --data DIR --trust DIR [--name NAME] [--database URL] bundle.tar

Folders are searched for `*.tar` (stick_files.py). Mount sticks read-only, with nosuid, nodev and noexec. It may run
beside the collector's own processes, and several times. A line for each file as it is done, and the sums, are the
result (`--json`: one document); exit status 1 when something was refused. What was refused stays on the stick, is
counted for the operator's page, and is refused again the next time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from collector.bundles import Imported, Importer
from collector.main import DEFAULT_NAME
from collector.pictures import PictureFolder, PictureStore
from collector.refusals import Refusals
from collector.settings import Settings
from collector.stick_files import Found, Search, plain, shown
from collector.store import RecordStore
from collector.submission import CollectorRefused
from collector.uploads import Uploads
from collector.wsgi import open_pictures
from firmware.errors import Refused
from firmware.messages import LANGUAGES, both, sentence
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.trust import TrustRoots

SOURCE = "stick"
"""Who brought it, on the operator's page."""
PATH = click.Path(path_type=Path, exists=True)
_ROW = "{new:>6} {here:>6} {pictures:>6} {missing:>6} {refused:>6}  {file}"


class Table:
    """The result: a line for each file, and the sums."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._rows: list[dict[str, Any]] = []
        if not as_json:
            for language in LANGUAGES:
                heads = sentence("bundles.heads", language).split()
                click.echo(_ROW.format(**dict(zip(_NUMBERS, heads, strict=False)), file=heads[-1]))

    def add(self, path: Path, done: Imported) -> None:
        """One file is done."""
        row = {"file": shown(path), **{name: getattr(done, name) for name in _NUMBERS[:-1]}}
        row["refused"] = [{"code": each.code, "details": _plain(each)} for each in done.refused]
        self._rows.append(row)
        if not self._json:
            click.echo(_ROW.format(**(row | {"refused": len(done.refused)})))
            for each in done.refused:
                click.echo(f"       {each.code}: {both(f'error.{each.code}', **_plain(each))}")

    def end(self, problem: str) -> bool:
        """Writes the sums; true when nothing was refused and nothing stopped it."""
        total: dict[str, int] = {name: sum(row[name] for row in self._rows) for name in _NUMBERS[:-1]}
        total |= {"files": len(self._rows), "refused": sum(len(row["refused"]) for row in self._rows)}
        if self._json:
            document = {"files": self._rows, "total": total, "stopped": problem or None}
            click.echo(msgspec.json.format(msgspec.json.encode(document), indent=1))
        else:
            click.echo(_ROW.format(**total, file=both("bundles.total", files=total["files"])))
        return not (total["refused"] or problem)


_NUMBERS = ("new", "here", "pictures", "missing", "refused")


def _plain(refusal: Refused) -> dict[str, Any]:
    """What a stranger's file has brought into the details moves no cursor either."""
    return {name: value if isinstance(value, int) else plain(str(value)) for name, value in refusal.details.items()}


def take_all(found: Iterable[Found], importer: Importer, table: Table, refusals: Refusals) -> None:
    """Every file, one after the other. Raises OSError and SQLAlchemyError of the collector's own disk and database."""
    for each in found:
        done = Imported(refused=[each.refusal]) if each.refusal else importer.take(each.path)
        for refusal in done.refused:
            refusals.count(refusal.code, SOURCE, shown(each.path), int(time.time()))
        table.add(each.path, done)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--settings", type=click.Path(path_type=Path, dir_okay=False), help="collector.toml.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Without settings: for everything.")
@click.option("--trust", type=click.Path(path_type=Path, file_okay=False), help="Without settings; default DATA/trust.")
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Without settings: used when the key is made.")
@click.option("--database", default="", help="Without settings: postgresql://...")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.argument("paths", nargs=-1, required=True, metavar="FOLDER|FILE...", type=PATH)
def main(
    settings: Path | None,
    data: Path | None,
    trust: Path | None,
    name: str,
    database: str,
    as_json: bool,
    paths: Sequence[Path],
) -> None:
    """Take the evidence bundles on sticks into the collector."""
    if (settings is None) == (data is None):
        raise click.UsageError("one of --settings and --data")
    problem, table = "", Table(as_json)
    keeper: PictureStore | None = None
    try:
        if settings is not None:
            said = Settings.load(settings)
            data, trust = said.path(said.file.data), said.path(said.file.trust)
            name, database, keeper = said.file.name, said.file.database, open_pictures(said)
        assert data is not None
        key, roots = open_collector_key(data / "key", name), TrustRoots.load(trust or data / "trust")
        with closing(RecordStore.open(data, database)) as store:
            uploads = Uploads(store, keeper or PictureFolder(store.folder / "pictures"))
            importer = Importer(store, uploads, roots, key, time.time)
            search = Search()
            found = (each for path in paths for each in search.within(path))
            take_all(found, importer, table, Refusals(store.engine))
    except Refused as refusal:
        problem = _say(refusal)
    except (OSError, SQLAlchemyError) as error:
        problem = _say(CollectorRefused("collector-unavailable"), str(error))
    sys.exit(0 if table.end(problem) else 1)


def _say(refusal: Refused, cause: str = "") -> str:
    """Why it stopped, for people; gives it in one line."""
    click.echo(f"{refusal.code}: {both(f'error.{refusal.code}', **refusal.details)} {cause}".rstrip(), err=True)
    return f"{refusal} {cause}".rstrip()


if __name__ == "__main__":
    main()
