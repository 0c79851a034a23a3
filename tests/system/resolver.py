"""A name server for one name, which tells the truth, lies, knows nothing, or is silent."""

from __future__ import annotations

import socket
import threading
from enum import StrEnum

_HEADER_BYTES = 12
_ADDRESS, _CLASS = b"\x00\x01", b"\x00\x01"
_POINTER_TO_QUESTION = b"\xc0\x0c"


class Mood(StrEnum):
    """How it answers."""

    TRUTH = "truth"
    LIE = "lie"
    UNKNOWN = "unknown"
    SILENT = "silent"


class Resolver:
    """Answers every question for an IPv4 address at `listen`, port 53, until closed."""

    def __init__(self, listen: str, truth: str, lie: str) -> None:
        self.mood = Mood.TRUTH
        self._addresses = {Mood.TRUTH: truth, Mood.LIE: lie}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((listen, 53))
        self._socket.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                question, who = self._socket.recvfrom(512)
            except TimeoutError:
                continue
            if self.mood is not Mood.SILENT:
                self._socket.sendto(self._answer(question), who)

    def _answer(self, question: bytes) -> bytes:
        """Names one address for type A; none, without an error, for other types."""
        end = question.index(b"\x00", _HEADER_BYTES) + 5
        asked, kind = question[_HEADER_BYTES:end], question[end - 4 : end - 2]
        if self.mood is Mood.UNKNOWN:
            return question[:2] + b"\x81\x83" + b"\x00\x01" + bytes(6) + asked
        if kind != _ADDRESS:
            return question[:2] + b"\x81\x80" + b"\x00\x01" + bytes(6) + asked
        data = socket.inet_aton(self._addresses[self.mood])
        answer = _POINTER_TO_QUESTION + _ADDRESS + _CLASS + bytes(4) + b"\x00\x04" + data
        return question[:2] + b"\x81\x80" + b"\x00\x01\x00\x01" + bytes(4) + asked + answer
