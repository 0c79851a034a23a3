"""How a camera's process begins: it says that it lives before it loads anything large, and after every library.

    python -m firmware.capture.camera_start MODULE [OPTION...] SOCKET MEMORY

then runs the driver's MODULE. From a slow card, numpy and OpenCV together may take longer to load than the kiosk waits
for a sign of life; a driver that hangs while it loads must be noticed as soon as one that hangs later. Nothing but the
standard library is imported here.
"""

from __future__ import annotations

import importlib
import runpy
import socket
import sys

ALIVE = b'{"type":"Alive"}'
"""As camera_wire.Alive is encoded."""
LIBRARIES = ("msgspec", "numpy", "cv2", "firmware.capture.camera_worker")
"""What every driver needs, in the order in which they need one another."""


def main() -> None:
    """Loads step by step, then becomes the driver."""
    link = socket.socket(fileno=int(sys.argv[-2]))
    link.send(ALIVE)
    for name in LIBRARIES:
        importlib.import_module(name)
        link.send(ALIVE)
    link.detach()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
