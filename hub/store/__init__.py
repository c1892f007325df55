"""The store: contributions, views, change logs, receipts, registry. One schema for two SQL dialects."""
