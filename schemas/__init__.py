"""Pydantic models of the external interfaces. The JSON Schema, OpenAPI and AsyncAPI documents come from them."""
