"""Doubles that behave like the hardware: they take time, fail mid-way and go away."""
