"""Verifies what is stored: compares it with what the merge makes of the stored claims, and says what fits the logs.

It reads what claims say, which the merge may not, but shows nothing of it: whoever runs it has the store.
"""
