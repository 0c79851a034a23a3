"""The bill of materials is not what its schema says, or differs between two makings of the same image."""

from __future__ import annotations

import json

import msgspec
import pytest

pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib is not installed")

from provisioning.image.contents import Artifact, Image, Package, Wheel
from provisioning.image.sbom import bill

pytestmark = pytest.mark.system

DIGEST = "ab" * 32
IMAGE = Image(
    version="1.2.3",
    epoch=1_790_000_000,
    commit="0123456789abcdef",
    artifacts=(Artifact("root.ext4", 1, DIGEST),),
    packages=(Package("libssl3t64", "3.5.7-1~deb13u3", "arm64", "openssl", "3.5.7-1~deb13u3", DIGEST, "Debian"),),
    wheels=(Wheel("ruamel_yaml", "1.0", DIGEST, "MIT"), Wheel("odd", "1.0", DIGEST, "")),
    model=Artifact("digits.onnx", 1, DIGEST),
    files=(),
)


def test_the_bill_names_everything_and_is_always_the_same() -> None:
    text = bill(IMAGE)
    assert bill(IMAGE) == text
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["timestamp"].startswith("2026-09-21")
    purls = {entry.get("purl") for entry in document["components"]}
    assert purls == {
        "pkg:deb/debian/libssl3t64@3.5.7-1~deb13u3?arch=arm64",
        "pkg:pypi/ruamel-yaml@1.0",
        "pkg:pypi/odd@1.0",
        None,
    }
    (product,) = (entry for entry in document["dependencies"] if entry["ref"] == "image")
    assert len(product["dependsOn"]) == len(document["components"])


def test_a_wheel_with_a_licence_that_is_none() -> None:
    """Whatever a wheel says of itself: the document stays valid."""
    bill(msgspec.structs.replace(IMAGE, wheels=(Wheel("odd", "1.0", DIGEST, "Something of our own"),)))
