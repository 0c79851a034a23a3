"""A kiosk with an uplink, the real collector, and servers that are none: for tests of forwarding."""

from __future__ import annotations

import http.server
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from waitress.server import create_server

from collector.app import create_app
from collector.store import RecordStore
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.records import Delivery
from firmware.signing.verification import verify_acknowledgement
from firmware.uplink.forwarder import Forwarder
from firmware.uplink.outcome import Attempt
from firmware.uplink.transport import HttpTransport, Transport
from tests.kiosk_files import write_kiosk
from tests.sealing import World, make_world, pictures_of

NAME = "collector"


@dataclass
class Kiosk:
    """A ledger with records, an outbox, and a clock that the test sets."""

    folder: Path
    """Of kiosk.toml; ledger and outbox are in its `state`."""
    world: World
    ledger: Ledger
    outbox: Outbox
    now: float = 0.0

    def store(self, number: int) -> bytes:
        sealed = self.world.seal(number)
        self.ledger.commit(sealed, pictures_of(number))
        return sealed.sha256

    def forwarder(self, transport: Transport, name: str = NAME, **choices: Any) -> tuple[Forwarder, list[Attempt]]:
        """A forwarder, and what it tells."""
        attempts: list[Attempt] = []
        trust = self.world.trust
        forwarder = Forwarder(
            self.ledger,
            self.outbox,
            name,
            transport,
            lambda cose, record: verify_acknowledgement(cose, trust, record),
            lambda: self.now,
            random.Random(1),
            lambda _item, attempt: attempts.append(attempt),
            **choices,
        )
        return forwarder, attempts

    def round(self, url: str, silence_seconds: float = 5.0, name: str = NAME, **ways: Any) -> list[Attempt]:
        """One round for the records alone."""
        with HttpTransport(url, silence_seconds, **ways) as transport:
            forwarder, attempts = self.forwarder(transport, name, pictures=False)
            forwarder.round()
        return attempts

    def delivery(self, record: bytes) -> Delivery:
        (found,) = self.outbox.deliveries(record)
        return found


@contextmanager
def opened(folder: Path) -> Iterator[Kiosk]:
    """A new kiosk in `folder`."""
    state = folder / "state"
    with Ledger.open(state / "ledger") as ledger, Outbox.open(state / "outbox") as outbox:
        yield Kiosk(folder, make_world(folder), ledger, outbox)


@contextmanager
def collector(kiosk: Kiosk) -> Iterator[str]:
    """The real one, on a free port of the loopback."""
    with closing(RecordStore.open(kiosk.folder / "collector")) as store:
        app = create_app(store, kiosk.world.trust, kiosk.world.collector_key, time.time)
        server = create_server(app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.effective_port}"
        finally:
            with suppress(OSError):  # its thread may have closed the trigger while we still pull
                server.trigger.pull_trigger(server.close)  # in its own thread, which then ends
            thread.join()
            server.task_dispatcher.shutdown()


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def somebody(
    answer: Answer, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """A server that is not the collector: `answer(handler, body)` replies to everything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            answer(self, self.rfile.read(int(self.headers["content-length"] or 0)))

        do_POST = do_PATCH = do_HEAD = do_CONNECT = do_PUT

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hung up is what many tests want."""

    server = Server((host, port), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"{'https' if tls else 'http'}://{shown}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def dead_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def write_uplink(folder: Path, collectors: dict[str, str], **uplink: str | bool) -> Path:
    """A kiosk.toml of the kiosk in `folder` for its real uplink process, with `[uplink]`; returns its path."""
    path = write_kiosk(folder, {"driver": "development-file"})
    election = json.loads((folder / "election.json").read_bytes())
    election["collectors"] = [{"id": name, "url": url} for name, url in collectors.items()]
    (folder / "election.json").write_text(json.dumps(election), encoding="utf-8")
    lines = ["[uplink]", *(f"{name} = {json.dumps(value)}" for name, value in uplink.items())]
    path.write_text(path.read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")
    return path
