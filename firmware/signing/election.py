"""The signed election definition: COSE_Sign1 over a JSON file, by an election authority that the root has issued.

    root.pem        the root, believed
    authority.pem   the election authority's certificate: purpose `election`, issued by the root
    election.cose   COSE_Sign1, type ELECTION, payload the definition's JSON, kid of authority.pem

The SHA-256 of the JSON is the name of the definition, whoever signs it. A definition of a real election
is believed only when it is signed, in the world of the root, and its id is that of the authority's certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import VerificationRefused
from firmware.signing.authorities import Purpose, Scope, check_root, check_scope
from firmware.signing.certificates import load_certificates
from firmware.signing.cose import MessageType, SigningKey, parse, sign_bytes, verified_bytes
from firmware.signing.keys import key_id, public_key_of

ROOT = "root.pem"
AUTHORITY = "authority.pem"
MAX_BYTES = 4 * 1024 * 1024
"""A kabupaten's election definition is well under 1 MB."""
MAX_PEM_BYTES = 64 * 1024
"""Of a file that holds one certificate."""


@dataclass(frozen=True, slots=True)
class SignedElection:
    """A definition whose signature holds; its content has not been looked at."""

    data: bytes
    """The JSON file."""
    root: x509.Certificate
    scope: Scope
    """World and election for which its authority may speak."""


def sign_election(data: bytes, key: SigningKey) -> bytes:
    """`election.cose` for the JSON file `data`."""
    return sign_bytes(data, MessageType.ELECTION, key)


def open_election(cose: bytes, root: x509.Certificate, authority: x509.Certificate) -> SignedElection:
    """The definition in `cose`; raises VerificationRefused."""
    above, scope = check_root(root), Scope.of(authority)
    check_scope(authority, root, Scope(Purpose.ELECTION, above.world, scope.election))
    envelope = parse(cose, MAX_BYTES)
    if envelope.kid != key_id(authority.public_bytes(Encoding.DER)):
        raise VerificationRefused("election-authority", kid=envelope.kid.hex())
    return SignedElection(verified_bytes(envelope, MessageType.ELECTION, public_key_of(authority)), root, scope)


def is_signed(data: bytes) -> bool:
    """Whether an election file is a signed one: JSON begins with text, COSE_Sign1 with its tag."""
    return data.startswith(b"\xd2")


def election_json(data: bytes, trust: Path) -> bytes:
    """The JSON of an election file, signed or not; a signed one is verified with the root in the trust folder.

    Raises VerificationRefused. What an unsigned one may be used for is for the caller to say.
    """
    if not is_signed(data):
        return data
    return open_election(data, load_pem(trust / ROOT), load_pem(trust / AUTHORITY)).data


def load_pem(path: Path) -> x509.Certificate:
    """The certificate in a PEM file; raises VerificationRefused("trust-unreadable")."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PEM_BYTES)
    except OSError as error:
        raise VerificationRefused("trust-unreadable", file=path.name, problem=error.strerror or "") from error
    return only_certificate(data, path.name)


def only_certificate(pem: bytes, file: str) -> x509.Certificate:
    """The one certificate of a PEM file; raises VerificationRefused("trust-unreadable")."""
    found = load_certificates(pem, file)
    if len(found) != 1:
        raise VerificationRefused("trust-unreadable", file=file, problem=f"{len(found)} certificates")
    return found[0]
