"""The receipt: its layout (pure) and the printer."""
