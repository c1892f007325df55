"""The store: contributions, views, change logs, receipts, registry. One schema, two dialects."""
