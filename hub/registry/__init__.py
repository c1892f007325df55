"""Who exists and who may: centres, members, groups, collections, operators, tokens, grants."""
