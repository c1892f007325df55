"""What crosses a border, as pydantic models; the JSON Schema, OpenAPI and AsyncAPI documents come from them."""
