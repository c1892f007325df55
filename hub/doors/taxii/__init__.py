"""The TAXII 2.1 server, read-only: discovery, one API root, one TAXII collection per readable collection.

``query`` parses requests, ``cursor`` the opaque ``next``, ``resources`` writes TAXII resources, ``routes`` has the
endpoints. Objects are sent as they are stored, without parsing.
"""

from hub.doors.taxii.routes import routes

__all__ = ["routes"]
