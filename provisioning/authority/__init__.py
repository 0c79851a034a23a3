"""The authorities: where their keys lie, and what they sign."""
