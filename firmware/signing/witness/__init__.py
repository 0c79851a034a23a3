"""The witness's page: one file that checks receipts on any phone, without server or network; see README.md here."""
