"""Lists for products that block, such as firewalls, resolvers and sensors, and files of whole objects.

``selection`` selects values and objects, ``formats/`` has one module per format, ``asked`` reads the request,
``listing`` writes the list to a file, ``routes`` sends it. A list of values has only those that a visible, live,
unexpired indicator asserts positively and alone.
"""

from hub.doors.export.routes import routes

__all__ = ["routes"]
