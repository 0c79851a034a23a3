"""The kiosk's screen and the local API (Flask)."""
