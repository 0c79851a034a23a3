"""The API on a network: off unless provisioning turns it on ([lan] of kiosk.toml). Specification.

The application holds the LAN routes of the API and nothing else: no screen, no session, no cookie, no token; GET and
HEAD. Who may connect is decided by TLS (cheroot_server.py) with a key of its own: a key that signs records is refused,
because whoever takes the laptop's side of a handshake must never be answered by the device key. Its threads are not the
screen's, and a network that is not there yet does not hold the screen up: binding is tried again.

The unit of the endpoint reaches loopback alone; a kiosk with [lan] has a drop-in beside it (systemd/README.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask, abort, request

from firmware.config import LanFiles
from firmware.endpoint import api, exposure, guard, problems
from firmware.endpoint.cheroot_server import TlsServer, mutual_tls
from firmware.endpoint.exposure import Exposure
from firmware.endpoint.sources import Sources
from firmware.errors import LayoutRefused
from firmware.signing.trust import TrustRoots

RETRY_SECONDS = 10.0
"""Until binding is tried again: a cable is plugged in, an address is given."""

_log = structlog.get_logger(__name__)


def create_lan_app(sources: Sources) -> Flask:
    """The application on the network. Raises RuntimeError if anything but LAN routes got into it."""
    app = Flask(__name__, static_folder=None)
    app.extensions["sources"] = sources
    app.url_map.converters.update(api.CONVERTERS)
    app.register_blueprint(api.routes)
    exposure.check(app, most=Exposure.LAN)
    problems.install(app)

    @app.before_request
    def only_reads() -> None:
        if request.method not in guard.SAFE_METHODS:
            abort(405, valid_methods=sorted(guard.SAFE_METHODS))

    app.after_request(guard.harden)
    return app


def start_lan(files: LanFiles, sources: Sources) -> threading.Thread:
    """Serves the API on the network in a thread of this process, which ends with it. Raises Refused before that when
    the certificate, its key or the clients' authority cannot be used."""
    refuse_signing_key(files, sources)
    context = mutual_tls(files.certificate, files.key, files.client_ca)
    app = create_lan_app(sources)
    thread = threading.Thread(
        target=serve,
        args=(lambda: TlsServer(app, files.address, files.port, context), threading.Event()),
        name="lan",
        daemon=True,
    )
    thread.start()
    return thread


def serve(make: Callable[[], TlsServer], stop: threading.Event, retry_s: float = RETRY_SECONDS) -> None:
    """Serves until `stop`; a server whose address is not there yet, or is gone, is made anew."""
    while not stop.is_set():
        server = make()
        try:
            _log.info("lan.serving", address=server.bind_addr)
            server.start()
        except OSError as problem:
            _log.warning("lan.not-there", address=server.bind_addr, problem=str(problem))
            stop.wait(retry_s)
        finally:
            server.stop()


def refuse_signing_key(files: LanFiles, sources: Sources) -> None:
    """Returns when the TLS certificate is of no device key that is believed. Raises Refused("lan-signing-key")."""
    try:
        own = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except (OSError, ValueError) as problem:
        raise LayoutRefused("lan-certificate", file=str(files.certificate), problem=str(problem)) from problem
    devices = TrustRoots.load(sources.trust).devices.values()
    if _public(own) in {_public(device.certificate) for device in devices}:
        raise LayoutRefused("lan-signing-key", file=str(files.certificate))


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
