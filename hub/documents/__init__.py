"""Documents in ``schemas/`` that are made of the hub's own tables and routes: ``make docs`` writes them.

No process of the hub imports this. Tests find a document that is stale.
"""
