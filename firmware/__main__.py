"""`python -m firmware` is `c1kiosk`."""

from firmware.cli import main

main()
