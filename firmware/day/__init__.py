"""The day of a TPS: the ketua opens it, contest follows contest, the ketua closes it."""
