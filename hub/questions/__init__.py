"""What people ask the hub: why something is shown, the status, the results of what they sent.

A question takes a principal, or the collections that it may read, and the store's port; it returns frozen values. Doors
and commands parse the request, call the question, and format the answer for their protocol.
"""
