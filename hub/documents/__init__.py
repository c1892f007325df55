"""Generates the documents in ``schemas/`` that depend on the hub's tables and routes: ``make docs``.

No process of the hub imports this package. A test finds outdated documents.
"""
