"""The OpenAPI document, and whether values have the shapes that it states."""

import json
from pathlib import Path
from typing import Any

import jsonschema

DOCUMENT = Path(__file__).resolve().parents[2] / "gen" / "thequantcloud" / "openapi.json"
API: dict[str, Any] = json.loads(DOCUMENT.read_text())


def conforms(value: object, schema: dict[str, Any]) -> None:
    """Raise `ValidationError` unless the value has the shape of a schema of the document."""
    whole = {**schema, "components": API["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def component(name: str) -> dict[str, Any]:
    """A schema of the document by its name."""
    return {"$ref": f"#/components/schemas/{name}"}
