"""What becomes of a strip: the head that burns it, the pockets it lives in, the telephone that photographs it.

wear: how bad, in physical terms; head: dots to optical density; paper: density to worn paper; phone: worn paper to the
JPEG of a 720p telephone. Everything is deterministic by the generator that is given.
"""
