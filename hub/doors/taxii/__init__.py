"""TAXII 2.1, the reading side: discovery, one API root, one TAXII collection per readable collection.

``query`` reads what is asked, ``cursor`` the opaque ``next``, ``resources`` writes what TAXII defines, ``routes`` asks
the store and puts them together. Rows come out of the store as they are served; no object is parsed here.
"""

from hub.doors.taxii.routes import routes

__all__ = ["routes"]
