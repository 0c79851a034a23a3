"""Whole ways through the kiosk."""
