"""The steps in which the tables came to be, for alembic."""
