"""Vendors' OpenAPI documents as judges of answers.

OpenAPI 3.0 schemas become JSON Schema: `nullable` becomes a type, and an object may hold only the
fields that the document names, so that an invented field is found too. The documents belong to the
vendors and are not part of this project; `PROVIDER_SPECS_DIR` says where they are.
"""

import os
from collections.abc import Iterator, Mapping
from functools import cache
from json import loads
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

__all__ = ["Document", "document"]

_KEPT = frozenset(
    {"type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "format"}
    | {"minItems", "maxItems", "required"}
)
_COMBINED = ("allOf", "anyOf", "oneOf")


class Document:
    """One vendor's OpenAPI 3.0 document."""

    def __init__(self, path: Path) -> None:
        self._document = loads(path.read_text("utf-8"))
        self._definitions: dict[str, object] = {}

    def problems(self, method: str, path: str, status: int, body: object) -> list[str]:
        """What is wrong with an answer, in words; nothing when the document allows it.

        Args:
            method: HTTP method.
            path: as the document writes it, with its braces.
            status: the answer's; `default` judges those that the document does not list.
            body: the answer's JSON; None for an empty one.

        Raises:
            KeyError: the document has no such endpoint, or nothing to say of this status.

        """
        responses = self._document["paths"][path][method.lower()]["responses"]
        response = responses[str(status)] if str(status) in responses else responses["default"]
        content: Mapping[str, Any] = response.get("content") or {}
        if not content:
            return [] if body is None else ["a body where the document has none"]
        schema = next(iter(content.values()))["schema"]
        root = {**self._converted(schema, is_open=False), "$defs": self._definitions}
        validator = Draft202012Validator(root, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in _leaves(validator, body)]

    def _converted(self, schema: Any, *, is_open: bool) -> dict[str, Any]:
        if "$ref" in schema:
            name = f"{schema['$ref'].rsplit('/', 1)[-1]}{'-open' if is_open else ''}"
            if name not in self._definitions:
                self._definitions[name] = {}
                target = self._document["components"]["schemas"][name.removesuffix("-open")]
                self._definitions[name] = self._converted(target, is_open=is_open)
            return {"$ref": f"#/$defs/{name}"}
        kept = {key: schema[key] for key in _KEPT & set(schema)}
        for key in _COMBINED:
            if key in schema:
                kept[key] = [self._converted(part, is_open=True) for part in schema[key]]
        if "items" in schema:
            kept["items"] = self._converted(schema["items"], is_open=False)
        if "properties" in schema:
            kept["properties"] = {
                name: self._converted(part, is_open=False)
                for name, part in schema["properties"].items()
            }
        names_fields = "properties" in schema or "allOf" in schema
        if names_fields and not is_open:
            kept["unevaluatedProperties"] = False
        if schema.get("nullable"):
            return {"anyOf": [{"type": "null"}, kept]}
        return kept


def _leaves(validator: Draft202012Validator, body: object) -> Iterator[Any]:
    for error in validator.iter_errors(body):
        deepest = error
        while deepest.context:
            deepest = max(
                deepest.context, key=lambda e: (len(e.absolute_path), e.validator != "type")
            )
        yield deepest


@cache
def _read(path: Path) -> Document:
    return Document(path)


def document(name: str) -> Document:
    """The trimmed document of that name; skips the test where there are no documents."""
    folder = os.environ.get("PROVIDER_SPECS_DIR")
    if not folder:
        pytest.skip("PROVIDER_SPECS_DIR is not set: the vendors' OpenAPI documents are not at hand")
    return _read(Path(folder) / f"{name}.trimmed.json")
