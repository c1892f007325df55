"""Writes the documents: ``python -m hub.documents``."""

from __future__ import annotations

from hub.documents import openapi, stix_schema

for each in (stix_schema, openapi):
    each.PATH.write_bytes(each.document_bytes())
