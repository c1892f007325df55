"""Webhooks: the hub posts the changes of a collection to the URL of a reader.

``routes.py`` manages them, ``deliverer.py`` delivers, ``batches.py`` says what is in a message, ``sender.py`` posts it,
``places.py`` who goes first, ``leadership.py`` which process does it, ``process.py`` starts it there.
"""

from hub.doors.webhooks.routes import routes

__all__ = ["routes"]
