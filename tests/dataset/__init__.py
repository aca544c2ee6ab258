"""What the dataset room does."""
