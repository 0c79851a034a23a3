"""The kiosk's screen and the local API (Flask): server-rendered pages on loopback, and read-only records."""
