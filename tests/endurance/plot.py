"""The run as a picture: memory over the captures, with what else is held. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from tests.endurance.run import Outcome

DPI = 130
MEGA = 1e6


def draw(path: Path, outcome: Outcome) -> None:
    """Writes a PNG."""
    captures = [sample.captures for sample in outcome.samples]
    figure = Figure(figsize=(9, 6), layout="constrained")
    memory, held = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    memory.plot(captures, [sample.kiosk_bytes / MEGA for sample in outcome.samples], label="kiosk", color="#1f4e79")
    cameras = [sample.camera_bytes / MEGA for sample in outcome.samples]
    memory.plot(captures, cameras, ".", markersize=3, label="camera's process", color="#c55a11")
    memory.set(ylabel="memory of its own, MB", ylim=(0, None))
    growth = f"{outcome.growth_bytes / MEGA:+.2f} MB"
    memory.set_title(
        f"{outcome.captures} captures, {outcome.faults} faults, seed {outcome.seed}: {growth} after the warm-up"
    )
    for name, values in {
        "descriptors": [sample.descriptors for sample in outcome.samples],
        "shared-memory segments": [sample.segments for sample in outcome.samples],
        "camera processes": [sample.processes for sample in outcome.samples],
    }.items():
        held.plot(captures, values, label=name)
    held.set(ylabel="held by the kiosk", xlabel="captures", ylim=(0, None))
    for axes in (memory, held):
        axes.grid(color="#e4e4e4")
        axes.legend(frameon=False, loc="center right")
    figure.savefig(path, dpi=DPI)
