"""The kiosk's devices where no station holds them: the self-test opens them itself, each when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache

from firmware.building import open_camera, open_printer
from firmware.config import KioskConfig
from firmware.panel.fittings import Fittings
from firmware.selftest.devices import Bench, Presses, TriedPanel


@contextmanager
def own_devices(config: KioskConfig) -> Iterator[Bench]:
    """The kiosk's devices where no station holds them."""
    with ExitStack() as opened:

        def listening() -> tuple[TriedPanel, Presses]:
            fittings, heard = opened.enter_context(closing(Fittings(config.file.panel))), Presses()
            fittings.listen(heard)
            return TriedPanel(fittings.panel), heard

        yield Bench(
            cache(lambda: opened.enter_context(closing(open_camera(config)))),
            cache(lambda: open_printer(config)),
            cache(listening),
            config.file.printer.width_dots,
        )
