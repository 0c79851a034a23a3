"""A DER SEQUENCE of UTF8Strings: what the extensions of this system's certificates hold."""

from __future__ import annotations

MAX_TEXT_BYTES = 40
"""Of one text, so that every DER length of up to three is one byte."""
_MAX_BODY_BYTES = 127

_SEQUENCE, _UTF8_STRING = 0x30, 0x0C


def encode_texts(texts: tuple[str, ...]) -> bytes:
    """The DER of `texts`. Raises ValueError for what is too long."""
    body = b""
    for text in texts:
        data = text.encode()
        if len(data) > MAX_TEXT_BYTES:
            raise ValueError(f"longer than {MAX_TEXT_BYTES} bytes: {text}")
        body += bytes([_UTF8_STRING, len(data)]) + data
    if len(body) > _MAX_BODY_BYTES:
        raise ValueError(f"{len(body)} bytes of texts, at most {_MAX_BODY_BYTES}")
    return bytes([_SEQUENCE, len(body)]) + body


def decode_texts(data: bytes) -> list[str]:
    """The texts; raises ValueError or IndexError unless `data` is exactly what `encode_texts` makes."""
    texts, at = [], 2
    while at < len(data):
        size = data[at + 1]
        texts.append(data[at + 2 : at + 2 + size].decode())
        at += 2 + size
    if encode_texts(tuple(texts)) != data:
        raise ValueError("not a sequence of texts")
    return texts
