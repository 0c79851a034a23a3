"""What a verifier tells as it goes: every claim that was checked and holds, one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that was checked and holds; the sentence is `verify.<key>` in messages/."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


Report = Callable[[Claim], None]


def silent(_claim: Claim) -> None:
    """For a caller who wants no lines."""
