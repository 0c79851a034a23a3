"""Somebody who looks at a receipt with the witness's page, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from firmware.signing.witness.command import witness_page_command

ROOT = Path(__file__).parent.parent.parent
WEB = ROOT / "firmware" / "signing" / "witness" / "web"
SCREENS = ROOT / "build" / "screens" / "witness"
PHONE, TABLET = {"width": 390, "height": 844}, {"width": 1024, "height": 768}
PATIENCE_MS = 30_000
NO_PACKAGES = 3
"""Exit status of build.sh when npm cannot fetch what is pinned."""

CHECK = """async texts => {
  const found = [];
  for (const text of texts) {
    document.getElementById("text").value = text;
    document.getElementById("typed").requestSubmit();
    while (!document.getElementById("busy").hidden) await new Promise(done => setTimeout(done));
    const result = document.getElementById("result");
    found.push([result.className, result.dataset.code]);
  }
  return found;
}"""
"""Pastes one text after the other; the verdict and the code of each."""


VERDICT = """async () => {
  const [busy, result] = ["busy", "result"].map(id => document.getElementById(id));
  while (!busy.hidden) await new Promise(done => setTimeout(done, 50));
  return result.className;
}"""
"""When what was begun is done."""


class Witness:
    """Somebody with the page open, and a list of everything that their browser asked of any network."""

    def __init__(self, browser: Any) -> None:
        self.context = browser.new_context(viewport=PHONE, locale="id-ID")
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, url: str) -> Witness:
        self.page.goto(url)
        return self

    def paste(self, *texts: str) -> list[list[str]]:
        """Verdict and code of each text."""
        found: list[list[str]] = self.page.evaluate(CHECK, list(texts))
        return found

    def read(self) -> str:
        """Everything in the result."""
        return str(self.page.inner_text("#result"))

    def numbers(self) -> dict[str, str]:
        """The numbers shown, by field."""
        rows = self.page.query_selector_all("#result tr")
        return {row.get_attribute("data-field"): row.query_selector(".number").inner_text() for row in rows}

    def keep(self, name: str) -> None:
        """The page as it is, on a phone and on a tablet; nothing may stick out."""
        for label, size in {"phone": PHONE, "tablet": TABLET}.items():
            self.page.set_viewport_size(size)
            (SCREENS / label).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=SCREENS / label / f"{name}.png", full_page=True)
            assert self.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{name}: {label}"
        self.page.set_viewport_size(PHONE)


def made(trust: Path, out: Path) -> Path:
    """The page of a trust folder."""
    result = CliRunner().invoke(
        witness_page_command, ["--trust", str(trust), "--out", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return out
