"""From where each address may be reached. Specification.

Every route declares it, or start-up fails: what is not thought about is not served. The screen's blueprints declare
LOOPBACK as a whole, because that is the narrow answer; a route that may leave this machine says so itself, one by one,
so that nothing gets onto a network by standing in the same file. The application on the network holds LAN routes and
nothing else (lan.py), the one on loopback holds both.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from flask import Blueprint, Flask

View = TypeVar("View", bound=Callable[..., Any])


class Exposure(Enum):
    """How far away a client may be."""

    LOOPBACK = "loopback"
    """In a browser or program on this machine: the screen and what is pressed on it."""
    LAN = "lan"
    """Also over TLS with a client certificate, where provisioning turned that on. Only reads."""


_MARK = "kiosk_exposure"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def reachable(exposure: Exposure) -> Callable[[View], View]:
    """Declares the route of a view."""

    def declare(view: View) -> View:
        vars(view)[_MARK] = exposure
        return view

    return declare


def loopback_only(routes: Blueprint) -> Blueprint:
    """Declares all routes of a blueprint, also those to come, as of this machine alone."""
    vars(routes)[_MARK] = Exposure.LOOPBACK
    return routes


def check(app: Flask, most: Exposure) -> None:
    """Returns when every route of `app` is declared and fits where it is served.

    `most` is the furthest client of the application. On loopback everything may be served, on a network LAN routes
    alone, and those only for reading. Raises RuntimeError with the route that is wrong.
    """
    for rule in app.url_map.iter_rules():
        declared = exposure_of(app, rule.endpoint)
        if declared is None:
            raise RuntimeError(f"{rule.rule} ({rule.endpoint}) does not declare its exposure")
        writes = (rule.methods or set()) - _READS
        if declared is Exposure.LAN and writes:
            raise RuntimeError(f"{rule.rule} ({rule.endpoint}) is declared for the LAN and takes {sorted(writes)}")
        if most is Exposure.LAN and declared is not Exposure.LAN:
            raise RuntimeError(f"{rule.rule} ({rule.endpoint}) is of loopback alone")


def exposure_of(app: Flask, endpoint: str) -> Exposure | None:
    """What the route of that name declares, by itself or by its blueprint; None when neither does."""
    routes = app.blueprints.get(endpoint.rpartition(".")[0])
    declared = vars(app.view_functions[endpoint]).get(_MARK) or (vars(routes).get(_MARK) if routes else None)
    return declared if isinstance(declared, Exposure) else None
