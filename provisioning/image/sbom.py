"""The image's bill of materials, CycloneDX 1.6 as JSON, checked against its schema before anybody gets it.

The same image gives the same bytes: the serial number is made of the image's hash, the time is the image's.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from provisioning.image.contents import Artifact, Image, Package, Wheel

_NAMESPACE = uuid.UUID("6a1f4f5e-9a0b-4d6c-8a53-0c1c10500000")
"""Of serial numbers; the disk's own."""


class SbomInvalid(Exception):
    """What was made does not follow the schema: a mistake of this program."""


def bill(image: Image) -> str:
    """The document. Raises SbomInvalid."""
    root = next(entry for entry in image.artifacts if entry.name == "root.ext4")
    product = Component(
        name="c1kiosk-image",
        version=image.version,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="image",
        hashes=[_hash(root.sha256)],
        properties=[Property(name="c1kiosk:commit", value=image.commit)],
    )
    parts = [
        *(_package(entry) for entry in image.packages),
        *(_wheel(entry) for entry in image.wheels),
        _model(image.model),
    ]
    document = Bom(
        components=parts,
        serial_number=uuid.uuid5(_NAMESPACE, root.sha256),
        metadata=BomMetaData(component=product, timestamp=datetime.fromtimestamp(image.epoch, UTC)),
    )
    document.register_dependency(product, parts)
    text: str = JsonV1Dot6(document).output_as_string(indent=1)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise SbomInvalid(str(fault))
    return text


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _package(entry: Package) -> Component:
    url = PackageURL("deb", "debian", entry.name, entry.version, {"arch": entry.architecture})
    return Component(
        name=entry.name,
        version=entry.version,
        bom_ref=url.to_string(),
        purl=url,
        hashes=[_hash(entry.sha256)],
        supplier=OrganizationalEntity(name=entry.supplier),
        properties=[Property(name="debian:source", value=f"{entry.source} {entry.source_version}")],
    )


def _wheel(entry: Wheel) -> Component:
    url = PackageURL("pypi", None, entry.name.lower().replace("_", "-"), entry.version)
    return Component(
        name=entry.name,
        version=entry.version,
        bom_ref=url.to_string(),
        purl=url,
        hashes=[_hash(entry.sha256)],
        licenses=[LicenseExpression(entry.license)] if entry.license else None,
    )


def _model(entry: Artifact) -> Component:
    return Component(
        name="digits.onnx",
        version=entry.sha256[:16],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        hashes=[_hash(entry.sha256)],
    )
