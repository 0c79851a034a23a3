"""The self-test: the technician's one page, READY or NOT READY with the reasons, printed and signed."""
