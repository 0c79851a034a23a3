"""A person meets a code without a sentence, or a sentence that wants what the code does not tell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import provisioning
from firmware import signing
from firmware.messages import LANGUAGES, sentence

ROOMS = (Path(signing.__file__).parent, Path(provisioning.__file__).parent)
SOURCES = sorted(path for room in ROOMS for path in room.rglob("*.py"))


def told() -> Iterator[tuple[str, frozenset[str]]]:
    """Every refusal and claim in the rooms: its key in messages/, and the names of the details it is given."""
    for path in SOURCES:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                yield from _of(call, call.func.id)


def _of(call: ast.Call, name: str) -> Iterator[tuple[str, frozenset[str]]]:
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    named = frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
    if texts and (name.endswith("Refused") or name == "_require"):
        yield f"error.{texts[0]}", named
    if texts and name == "_refusal" and isinstance(call.args[1], ast.Dict):
        yield f"error.{texts[0]}", _keys(call.args[1])
    if texts and name == "Claim":
        yield f"verify.{texts[0]}", _keys(call.args[1]) if isinstance(call.args[1], ast.Dict) else frozenset()


def _keys(node: ast.expr) -> frozenset[str]:
    assert isinstance(node, ast.Dict)
    return frozenset(key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


TOLD = sorted({(key, tuple(sorted(names))) for key, names in told() if re.fullmatch(r"[a-z.-]+", key)})


def test_the_room_is_searched() -> None:
    assert len({key for key, _names in TOLD}) > 60


@pytest.mark.parametrize(("key", "names"), [entry for entry in TOLD if entry[0] != "verify.device"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_has_no_sentence(key: str, names: tuple[str, ...], language: str) -> None:
    assert sentence(key, language, **dict.fromkeys(names, "7"))
