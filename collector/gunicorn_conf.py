"""How gunicorn serves the collector: with TLS of its own and client certificates, or on a Unix socket behind nginx.

    C1KIOSK_COLLECTOR=/etc/c1kiosk/collector.toml gunicorn -c python:collector.gunicorn_conf 'collector.wsgi:make()'

A client certificate is asked for and not required: the public pages are for every browser; what needs one refuses
without (callers.py). One that is shown and was not issued by `client_ca` ends the handshake.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.settings import ENVIRONMENT, Settings

_settings = Settings.load(Path(os.environ[ENVIRONMENT]))

bind = _settings.file.address
workers = _settings.file.workers
worker_class = "gthread"
threads = 8
"""Of a worker: they wait for the same commit together; more would only wait for the processor."""
keepalive = 30
"""Seconds a connection may rest: a kiosk sends its records one after the other over a 2G line."""
graceful_timeout = 30
"""Seconds for requests that run when a worker is replaced."""
umask = 0o007
"""Of the Unix socket: nginx's group may connect."""

if _settings.file.tls:
    certfile = str(_settings.path(_settings.file.tls.certificate))
    keyfile = str(_settings.path(_settings.file.tls.key))
    ca_certs = str(_settings.path(_settings.file.callers.client_ca))
    cert_reqs = ssl.CERT_OPTIONAL


_contexts: dict[int, ssl.SSLContext] = {}
"""One for each process: gunicorn asks for one with every connection, and reading the files takes longer than the rest
of the handshake. New files are read by new workers (SIGHUP)."""


def ssl_context(_config: Any, make_default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """As gunicorn makes it, and: TLS 1.2 at least; an authority in `client_ca` need not be a root; no tickets, so that
    every connection shows its certificate again."""
    if os.getpid() not in _contexts:
        context = make_default()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        _contexts[os.getpid()] = context
    return _contexts[os.getpid()]
