"""Input made to break things: every one is refused with a code, and loses nothing."""
