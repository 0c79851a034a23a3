"""Signed messages for other implementations, valid and hostile, and the program that makes them: see make.py."""
