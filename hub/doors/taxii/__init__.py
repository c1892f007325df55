"""The TAXII 2.1 server: discovery, one API root, one TAXII collection per readable collection, and one to write to.

``query`` parses requests, ``cursor`` the opaque ``next``, ``resources`` and ``statuses`` write TAXII resources.
``pages`` answers for what can be read, ``writing`` for what is added and deleted, ``routes`` has the endpoints. Objects
are sent as they are stored, without parsing.
"""

from hub.doors.taxii.routes import routes

__all__ = ["routes"]
