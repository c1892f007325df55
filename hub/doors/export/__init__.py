"""Lists for products that block, such as firewalls, resolvers and sensors. One value per line, row or JSON object.

``blockable`` selects the values, ``formats/`` has one module per format, ``asked`` reads the request, ``listing``
creates the list, ``routes`` sends it. A list has only values that a visible, live, unexpired indicator asserts
positively and alone.
"""

from hub.doors.export.routes import routes

__all__ = ["routes"]
