"""The demo's station process: the same station as on a kiosk, with the simulated camera in the camera's place."""

from __future__ import annotations

from pathlib import Path

import click

from firmware.building import serve_station
from firmware.capture.camera_process import ProcessCamera
from firmware.config import load_config
from firmware.processes import log_to_stderr
from tests.simulators.camera import Desk, command


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), required=True)
@click.option("--desk", type=click.Path(path_type=Path), required=True)
def main(path: Path, desk: Path) -> None:
    """Run the station over the desk in that folder."""
    log_to_stderr()
    serve_station(load_config(path), ProcessCamera(command(Desk(desk), helping_hand=True)))


if __name__ == "__main__":
    main()
