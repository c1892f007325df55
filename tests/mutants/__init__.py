"""Deliberate breakages of the core, each of which the short tests must notice: ``python -m tests.mutants [NAME ...]``.

The lists are the ``*.toml`` beside this file, one for each subject; ``entries`` says what is in them.
"""
