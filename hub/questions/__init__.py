"""What people ask the hub: why something is shown, its status, what became of what they sent.

A question takes a principal, or the collections that it may read, and the store's port; it gives frozen values. Doors
and commands parse, call, and write the answer as their protocol wants it.
"""
