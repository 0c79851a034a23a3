"""The digit model: its file, manifest and card, and the training that makes them."""
