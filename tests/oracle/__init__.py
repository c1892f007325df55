"""What a hub must show, computed from a whole history, by the specification alone.

It shares no code with the hub and keeps no views: each is made from all claims. Plain and slow on purpose. The
constants of STIX and of docs/semantics.md are written out again; patterns are those of the histories, and a table has
their meaning.

``intake`` decides what each centre claims, ``sight`` what an audience sees of a claim, ``choice`` whose object is shown
under an id, ``merged`` what several claims become together, and ``showing`` what a collection holds.

Source: docs/semantics.md.
"""
