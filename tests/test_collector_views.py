"""The views that others read, on SQLite: the document is the contract."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import RecordStore
from tests.database_sharing import CONTRACT
from tests.sealing import World, make_world


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__.removeprefix("check_"))
def test_on_sqlite(check: Callable[[RecordStore, World], None], tmp_path: Path) -> None:
    with closing(RecordStore.open(tmp_path / "collector")) as store:
        check(store, make_world(tmp_path))
