"""Writes manifest.json and sbom.cdx.json of an image that build.sh has just made; run by it.

python -m provisioning.image.describe --work DIR --version V --epoch SECONDS --commit ID
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from provisioning.image import contents
from provisioning.image.contents import Image
from provisioning.image.sbom import bill

ARTIFACTS = ("root.ext4", "boot.vfat", "data.ext4", "disk.img")


def describe(work: Path, version: str, epoch: int, commit: str) -> Image:
    """What lies in the work folder of the build."""
    out, root = work / "out", work / "root"
    (model,) = sorted(root.glob(f"opt/c1kiosk-releases/*/.venv/lib/python*/site-packages/{contents.MODEL}"))
    return Image(
        version=version,
        epoch=epoch,
        commit=commit,
        artifacts=tuple(contents.artifact(out / name) for name in ARTIFACTS),
        packages=contents.packages((out / "packages").read_text(), (out / "packages.deb822").read_text()),
        wheels=tuple(contents.wheels(work / "in" / "wheelhouse" / "wheels")),
        model=contents.artifact(model),
        files=contents.files((out / "tree").read_text(), (out / "files.sha256").read_text()),
    )


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--version", required=True)
@click.option("--epoch", type=int, required=True)
@click.option("--commit", required=True)
def main(work: Path, version: str, epoch: int, commit: str) -> None:
    """Write the image's manifest and bill of materials."""
    image = describe(work, version, epoch, commit)
    manifest = msgspec.json.format(msgspec.json.encode(image), indent=1)
    (work / "out" / "manifest.json").write_bytes(manifest + b"\n")
    (work / "out" / "sbom.cdx.json").write_text(bill(image) + "\n", encoding="utf-8")
    click.echo(f"{len(image.packages)} packages, {len(image.wheels)} wheels, {len(image.files)} paths")


if __name__ == "__main__":
    main()
