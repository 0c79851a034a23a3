"""`make bench`: what each stage of reading a page costs, as a multiple of decoding the same JPEG; and peak memory. Then
the same from the press to the page's numbers, with the burst and its way out of the camera's process.

The pictures are made by one process and read by another. The figures also go to build/bench/bench.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "bench" / "bench.json"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _run(module: str, *arguments: str) -> str:
    """What the module prints, run in a process of its own on one thread."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def _show(name: str, figures: dict[str, Any]) -> None:
    print(f"\n{name}: {figures['pages']} pages, {figures['cells']} cells; decoding a page = 1", end=" ")
    print(f"({figures['decode_ms']:.0f} ms, {figures['page_bytes'] / 1e6:.1f} MB)")
    for stage, ratio in figures["stages"].items():
        note = f"   ({figures['cell_ms']:.2f} ms a cell)" if stage == "model" else ""
        print(f"  {stage:<12}{ratio:6.2f}{note}")
    print(f"  {'whole':<12}{figures['whole']:6.2f}   (page by page", end=" ")
    print(", ".join(f"{ratio:.2f}" for ratio in figures["each_page"]) + ")")
    print(f"  peak memory {figures['peak_memory_mib']:.0f} MiB")


def _show_press(name: str, stages: dict[str, float]) -> None:
    print(f"\n{name}, press to numbers of page 1; decoding it = 1")
    for stage, ratio in stages.items():
        print(f"  {stage:<12}{ratio:6.2f}")
    print(f"  {'whole':<12}{sum(stages.values()):6.2f}")


def main() -> None:
    """Prints all figures and writes them."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        _run("tests.bench.pictures", folder)
        for entry in sorted(Path(folder).iterdir()):
            form = entry.name.rpartition(".")[0]
            found[entry.name] = json.loads(_run("tests.bench.measure", str(entry), form))
            _show(entry.name, found[entry.name])
        for entry in sorted(Path(folder).glob("*.rendered")):
            found[f"press {entry.name}"] = json.loads(_run("tests.bench.press", str(entry / "page1.jpg")))
            _show_press(entry.name, found[f"press {entry.name}"])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
