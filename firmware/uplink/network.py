"""Notices that a network has come up: a route that was not there a moment ago.

The kernel's tables are read in /proc/thread-self/net: a few lines, once a second, and no socket that the unit would
have to allow. Which route leads to a collector is not judged; trying costs nothing.
"""

from __future__ import annotations

from pathlib import Path

_TABLES = {
    "route": (0, 1, 2, 7),  # interface, destination, gateway, mask
    "ipv6_route": (9, 0, 1, 4),  # interface, destination, prefix length, gateway
}
"""The columns that name a route; the others count its use."""

_NO_WAY_OUT = ("lo", "Iface")
"""In the column of the interface: loopback, and the table's head."""


class NetworkWatch:
    """Remembers the routes seen last; `folder` is the kernel's."""

    def __init__(self, folder: Path = Path("/proc/thread-self/net")) -> None:
        self._folder = folder
        self._known = self._routes()

    def came_up(self) -> bool:
        """Whether there is a route that the last call did not see."""
        before, self._known = self._known, self._routes()
        return bool(self._known - before)

    def routed(self) -> bool:
        """Whether the last look saw a route out of this machine."""
        return any(route[0] not in _NO_WAY_OUT for route in self._known)

    def _routes(self) -> frozenset[tuple[str, ...]]:
        return frozenset(
            tuple(columns[place] for place in places)
            for name, places in _TABLES.items()
            for columns in self._lines(name)
            if len(columns) > max(places)
        )

    def _lines(self, name: str) -> list[list[str]]:
        """None where the kernel has no such table: without IPv6."""
        try:
            return [line.split() for line in (self._folder / name).read_text(encoding="ascii").splitlines()]
        except FileNotFoundError:
            return []
