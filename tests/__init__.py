"""The tests: the same program without a Pi."""
