"""Who may talk to the screen: our own pages, in a browser on this machine.

Specification. Every request must name this kiosk in `Host` (else 421: a DNS name that was pointed at loopback is not
us). Every change (any method but GET, HEAD) must come from our own page: `Origin`, where the browser sends one, is
ours; `Sec-Fetch-Site`, where sent, is `same-origin`; and the form carries the token of this browser's session
(else 403). The session cookie is HttpOnly and SameSite=Strict and dies with the process. Every answer forbids
framing, foreign content, inline code and caching. Two tabs of one browser share its session and both may press; the
station answers each with how things stand. Another user of this machine does not get as far as this: see peer.py.
"""

from __future__ import annotations

import hmac
import secrets

from flask import Flask, Response, abort, request, session

from firmware.http import LOOPBACK

TOKEN_BYTES = 32
FORM_BYTES_MAX = 16 * 1024
"""Largest form post in bytes: a field, a token and a button are under 300."""
SAFE_METHODS = frozenset({"GET", "HEAD"})

CONTENT_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def install(app: Flask, port: int) -> None:
    """Puts the guard in front of every route of `app`, which is served on loopback at `port`."""
    hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
    app.secret_key = secrets.token_bytes(TOKEN_BYTES)
    app.config.update(
        SESSION_COOKIE_NAME="c1kiosk",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=FORM_BYTES_MAX,
    )

    @app.before_request
    def check() -> None:
        if request.host not in hosts:
            abort(421)
        if request.method not in SAFE_METHODS:
            _check_own_page(hosts)

    app.after_request(harden)


def token() -> str:
    """This browser session's token, for the forms of a page."""
    if "token" not in session:
        session["token"] = secrets.token_urlsafe(TOKEN_BYTES)
    return str(session["token"])


def _check_own_page(hosts: set[str]) -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin not in {f"http://{host}" for host in hosts}:
        abort(403)
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        abort(403)
    if not hmac.compare_digest(
        request.form.get("token", "").encode(), session.get("token", secrets.token_hex()).encode()
    ):
        abort(403)


def harden(response: Response) -> Response:
    """Forbids framing, foreign content, inline code and, unless the answer says otherwise, caching."""
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
