"""Fingerprints that people compare: two strips side by side, or a strip and the screen. Pure.

The short fingerprint of a record is its SHA-256, read as a big-endian number, modulo 20**16, written in base 20
with ALPHABET, most significant first, in four groups of four. Groups, not words: sixteen characters stand in large
letters on one line of 80 mm paper, need no word list in anybody's language, and can be read out over a telephone.

What an equal fingerprint proves (20**16 is 69.1 bits):
- By accident, two given records share it with a probability of 1 in 6.6e20; somewhere among the records of 823,000
  polling stations with five contests each, with 1 in 7.7e7.
- To forge, for a given strip, another record with its fingerprint takes 6.6e20 records on average, each signed with the
  device's own key: a TPM that signs ten a second needs longer than the universe has lasted.
- Who looks only at the first and the last group compares 34.6 bits: 1 in 2.6e10 by accident.
- It does not bind whoever holds the device key to one record: two records with one fingerprint, both of their making,
  are found in some 2.6e10 signatures (a birthday). Against that stand the code, with the whole hash, and the log.
"""

from __future__ import annotations

ALPHABET = "3479ACDEFHJKMNPRTWXY"
"""Twenty characters of which no two look alike in a faded print or a shaking hand: no 0 O Q, 1 I L, 2 Z, 5 S, 6 G, 8 B,
U V."""

GROUPS = 4
GROUP_LENGTH = 4

_HEX_DIGITS = 16
"""Of a picture or log hash on paper: the first 64 bits, in hexadecimal because `sha256sum` prints that."""


def short_fingerprint(sha256: bytes) -> str:
    """The short fingerprint of a record hash (32 bytes), such as "ACDE 3479 FHJK WXYM"."""
    number = int.from_bytes(sha256, "big")
    letters = ""
    for _ in range(GROUPS * GROUP_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters = ALPHABET[digit] + letters
    return " ".join(letters[start : start + GROUP_LENGTH] for start in range(0, len(letters), GROUP_LENGTH))


def hex_prefix(sha256: bytes) -> str:
    """The first 64 bits of a hash as `sha256sum` shows them, in groups of four: "1a2b 3c4d 5e6f 7a8b"."""
    digits = sha256.hex()[:_HEX_DIGITS]
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
