"""Tests against real parts: a browser, an independent printer renderer, the real forms and digits."""
