"""The image of a kiosk: what builds it (on a laptop), and what judges it (on the kiosk, see health.py)."""
