"""Form layouts as data, their loader and their renderer."""
