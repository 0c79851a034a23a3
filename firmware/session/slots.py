"""The pages of a session: one slot for each page of the form, and pictures of what is in them for people."""

from __future__ import annotations

from collections.abc import Callable

from firmware.forms.layout import FormLayout
from firmware.panel.pictures import strip_jpeg
from firmware.records import Page


class Slots:
    """The pages that are there. One thread fills them; any thread may ask for pictures."""

    def __init__(self, layout: FormLayout, upright: Callable[[Page], bytes]) -> None:
        self._layout = layout
        self._upright = upright
        self._pages: dict[int, Page] = {}
        self._pictures: dict[int, bytes] = {}

    def put(self, page: Page) -> None:
        """Fills the page's slot, also when it is filled."""
        self._pictures[page.number] = self._upright(page)
        self._pages[page.number] = page

    @property
    def pages(self) -> list[Page]:
        """What is there, in page order."""
        return [page for _, page in sorted(self._pages.items())]

    @property
    def numbers(self) -> frozenset[int]:
        """The pages that are there."""
        return frozenset(self._pages)

    def hold(self, sha256: str) -> bool:
        """True when this picture is in a slot."""
        return any(page.frame.sha256 == sha256 for page in self.pages)

    def picture(self, number: int) -> bytes | None:
        """The upright picture (JPEG) of a page."""
        return self._pictures.get(number)

    def strip(self, field: str) -> bytes | None:
        """The picture (JPEG) of a field's boxes."""
        found = next((strip for page in self.pages for strip in page.strips if strip.field == field), None)
        return strip_jpeg(found) if found else None
