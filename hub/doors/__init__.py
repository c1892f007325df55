"""The doors: interfaces over HTTP, and the relay to Kafka. All read the same change logs. Their only decision is
whether a principal may read a collection.
"""
