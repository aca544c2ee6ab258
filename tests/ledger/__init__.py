"""What the ledger room does."""
