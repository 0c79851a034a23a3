"""The collector as one process on this machine's loopback, for tries; a real one is served by gunicorn with TLS
(gunicorn_conf.py). Whoever can open the port may hand in and see everything.

    python -m collector.main --data DIR --port P [--trust DIR] [--name NAME] [--database URL]

The data folder gets the database and, on the first run, the collector's key and its certificate (key/certificate.pem),
which has to be in the trust folder of every kiosk. The address is printed on the first line.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from collector.app import create_app
from collector.store import RecordStore
from firmware.errors import Refused
from firmware.http import LOOPBACK, serve_loopback
from firmware.messages import both
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.trust import TrustRoots

DEFAULT_NAME = "development-collector"


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for everything.")
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Port on the loopback address.")
@click.option("--trust", type=click.Path(path_type=Path, file_okay=False), help="Trust folder; default DATA/trust.")
@click.option(
    "--name", default=DEFAULT_NAME, show_default=True, help="The collector's name, used when its key is made."
)
@click.option("--database", default="", help="postgresql://...; without it a SQLite file in the data folder.")
def main(data: Path, port: int, trust: Path | None, name: str, database: str) -> None:
    """Receive, verify, store and acknowledge records."""
    try:
        key = open_collector_key(data / "key", name)
        roots = TrustRoots.load(trust or data / "trust")
    except Refused as refusal:
        raise SystemExit(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}") from refusal
    store = RecordStore.open(data, database)
    click.echo(f"http://{LOOPBACK}:{port}")
    try:
        serve_loopback(create_app(store, roots, key, time.time), port)
    finally:
        store.close()


if __name__ == "__main__":
    main()
