"""Step 4, enrol: a device's keys are born on the device, and get their certificates.

    on the device   the device key and the keys for TLS, and a request of each
    in the office   the issuing and TLS authorities answer: serial and protection are those of the plan, which a person
                    has compared with the devices
    on the device   the certificates, when they are of these keys, of this election, and valid

Each third is done where it can be done, and what it made is kept in the device's papers: over a network all at once;
with a stick on the device, then at the desk, then on the device again. Run again, it goes on where it stopped.
A certificate that was issued stays issued: a device whose keys were made anew needs another serial, or the old
certificate revoked and taken out of `issued/` by the authority.
"""

from __future__ import annotations

import threading

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.signing.certificates import load_certificates
from firmware.signing.keys import key_id
from provisioning.authority import folder as authority_folder
from provisioning.authority import issuing
from provisioning.authority.connections import Party, issue_connection
from provisioning.authority.issuing import Authority, ProvisioningRefused
from provisioning.batch.job import End, Job, Result
from provisioning.batch.judging import judge_connection, judge_device, judge_time
from provisioning.batch.office import PROTECTION
from provisioning.batch.words import Certificates, Requests, Seen, Wish
from provisioning.inventory import State

REQUESTS = "requests.json"
DEVICE, UPLINK, LAN = "device.pem", "uplink.pem", "lan.pem"
_AT_THE_DESK = threading.Lock()
"""An authority's key may be in a TPM or a token, which do one thing at a time."""


def enrol(job: Job) -> Result:
    """Goes as far as it can. Raises Refused."""
    seen = job.look() if job.place else None
    requests = _requests(job, seen)
    if seen and requests and seen.serial and job.papers.read(DEVICE) is not None:
        return _done_before(job, requests, seen)
    if job.dry_run:
        return Result(End.WOULD, f"make keys and certificates of {job.row.serial}")
    if requests is None:
        return Result(End.WAITS_FOR_DEVICE)
    if not _issued(job, requests):
        return Result(End.WAITS_FOR_OFFICE)
    _judge(job, requests)
    if job.place is None:
        return Result(End.WAITS_FOR_DEVICE, "the certificates are there")
    seen = job.ask("enrol", certificates_of(job), Seen)
    job.note(State.ENROLLED, "enrol", kid=seen.kid)
    return Result(End.DONE, f"key {seen.kid}, {seen.protection}")


def _done_before(job: Job, requests: Requests, seen: Seen) -> Result:
    """The device has a certificate: the one that the office knows, which is still good."""
    _judge(job, requests)
    known = load_certificates(_paper(job, DEVICE), DEVICE)[0]
    if key_id(known.public_bytes(Encoding.DER)).hex() != seen.kid:
        raise ProvisioningRefused("enrol-other-key", serial=job.row.serial)
    if job.office.inventory.device(job.row.serial).state in (State.UNKNOWN, State.INSTALLED):
        job.note(State.ENROLLED, "enrol", kid=seen.kid)
    return Result(End.DONE, f"key {seen.kid}, {seen.protection}")


def _requests(job: Job, seen: Seen | None) -> Requests | None:
    """What the device asks for: asked of it when it is here, else as it was kept."""
    kept = job.papers.read(REQUESTS)
    if seen is None or job.dry_run or (kept is not None and seen.serial):
        return msgspec.json.decode(kept, type=Requests) if kept else None
    _check_protection(job)
    office = job.office
    wish = Wish(job.row.serial, office.world, office.key, office.tcti, office.file.seal, office.lan)
    made = job.ask("request", wish, Requests)
    job.papers.keep(REQUESTS, msgspec.json.encode(made))
    return made


def _check_protection(job: Job) -> None:
    kept = PROTECTION.get(job.office.key)
    if kept is not job.row.protection:
        raise ProvisioningRefused(
            "enrol-protection", serial=job.row.serial, said=str(job.row.protection), found=str(kept or job.office.key)
        )


def _issued(job: Job, requests: Requests) -> bool:
    """Whether every certificate is there, after those were issued that can be issued here."""
    wanted = {DEVICE: requests.device, UPLINK: requests.uplink} | ({LAN: requests.lan} if requests.lan else {})
    for name, pem in wanted.items():
        if job.papers.read(name) is None:
            with _AT_THE_DESK:
                made = _issue(job, name, x509.load_pem_x509_csr(pem.encode()))
            if made is None:
                return False
            job.papers.keep(name, made)
    return True


def _issue(job: Job, name: str, request: x509.CertificateSigningRequest) -> bytes | None:
    """The certificate, or None when the authority is not here.

    One that was registered before is handed out again, if it is of this key: the laptop may have been switched off.
    """
    office, row = job.office, job.row
    authority = office.issuing if name == DEVICE else office.tls_issuing
    if authority is None:
        return None
    folder = office.beside(office.file.issuing if name == DEVICE else office.file.tls_issuing)
    register = row.serial if name == DEVICE else f"{row.serial}-{name.removesuffix('.pem')}"
    before = authority_folder.issued(folder, register)
    if before is not None and before.public_key() == request.public_key():
        return _pem(before, authority, chain=name == DEVICE)
    judge_time(authority.certificate, row.serial, job.now())
    made = _made(job, authority, name, request)
    authority_folder.register(folder, register, made)
    return _pem(made, authority, chain=name == DEVICE)


def _made(job: Job, authority: Authority, name: str, request: x509.CertificateSigningRequest) -> x509.Certificate:
    row = job.row
    if name == DEVICE:
        return issuing.issue_device(authority, request, row.serial, row.protection, job.now())
    hosts = [dict(row.settings).get("lan.address", "")] if name == LAN else []
    return issue_connection(authority, request, Party.KIOSK, row.serial, hosts, job.now())


def _judge(job: Job, requests: Requests) -> None:
    """What will be sent is what was asked for, of this election, now. Raises Refused, by name."""
    asked = x509.load_pem_x509_csr(requests.device.encode())
    judge_device(_paper(job, DEVICE), asked, job.office.issuers, job.now())
    for name, pem in ((UPLINK, requests.uplink), (LAN, requests.lan)):
        if pem:
            wished = x509.load_pem_x509_csr(pem.encode())
            judge_connection(_paper(job, name), wished, job.row.serial, job.office.tls, job.now())


def certificates_of(job: Job) -> Certificates:
    """What is sent to the device."""
    office, lan = job.office, job.papers.read(LAN)
    operators = office.beside(office.file.operators) if office.file.operators else None
    if lan is not None and operators is None:
        raise office.missing("operators")
    return Certificates(
        root=_text(office.root),
        authority=_text(office.authority),
        election=office.beside(office.file.election).read_bytes(),
        device=_paper(job, DEVICE).decode(),
        tls=_text(office.tls),
        uplink=_paper(job, UPLINK).decode(),
        lan=lan.decode() if lan else "",
        operators=operators.read_text(encoding="ascii") if lan and operators else "",
    )


def _paper(job: Job, name: str) -> bytes:
    data = job.papers.read(name)
    assert data is not None
    return data


def _pem(certificate: x509.Certificate, authority: Authority, *, chain: bool) -> bytes:
    above = authority.certificate.public_bytes(Encoding.PEM) if chain else b""
    return certificate.public_bytes(Encoding.PEM) + above


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
