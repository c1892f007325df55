"""What claims become together, per audience: project first, then merge projections, then stamp what changed.

``merge`` receives projections only and has no way to reach a contribution: whatever it does, it cannot leak.
"""
