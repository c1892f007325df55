"""Principals and their rights: centres, members, operators, groups, collections, tokens, grants."""
