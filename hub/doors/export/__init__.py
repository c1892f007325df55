"""Lists for what blocks: firewalls, resolvers, sensors. One value per line, row or JSON object.

``blockable`` decides what may be in any of them, ``formats/`` has one module for each way to write it, ``asked`` reads
what somebody wants, ``listing`` makes the list, ``routes`` sends it. Only values that a visible, live, unexpired
indicator asserts positively and alone get out here.
"""

from hub.doors.export.routes import routes

__all__ = ["routes"]
