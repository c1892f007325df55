"""What a test fails with when a server cannot be had."""


class MissingServer(RuntimeError):
    """Says exactly what to type."""
