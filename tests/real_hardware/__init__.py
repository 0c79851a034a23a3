"""The tests of the parts, on the parts themselves: see README.md."""
