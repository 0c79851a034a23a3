"""Other people's readers on the same boxes as ours, in one run: `make bench-peers`."""
