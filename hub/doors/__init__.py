"""The doors: ways in and out over HTTP (and, beside them, Kafka). They read the same change log and never decide more
than "may this principal read this collection?".
"""
