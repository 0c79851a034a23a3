"""Training of the digit model: `python -m models.train --data ../shared/data`, with the extra `train`."""
