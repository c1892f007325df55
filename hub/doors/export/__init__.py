"""Lists for products that block: firewalls, resolvers, sensors. One value per line, row or JSON object.

``blockable`` decides what may be in any of them, ``formats/`` has one module for each way to write it, ``asked`` reads
the request, ``listing`` makes the list, ``routes`` sends it. Only values that a visible, live, unexpired
indicator asserts positively and alone are in a list.
"""

from hub.doors.export.routes import routes

__all__ = ["routes"]
