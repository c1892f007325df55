"""The feed that MISP pulls: a manifest, one file for each event, and the hashes of all values.

``attribute_types`` and ``tags`` have MISP's words, ``attributes`` says what MISP is told of an indicator, ``events``
divides indicators into events, ``feed`` writes all files in one pass, ``kept_feeds`` keeps them, ``routes`` sends them.
"""

from hub.doors.export.misp.routes import MISP_FEED_INFO, misp_feed_routes

__all__ = ["MISP_FEED_INFO", "misp_feed_routes"]
