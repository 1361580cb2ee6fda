"""Vendors' OpenAPI documents as judges of answers and of requests.

OpenAPI 3.0 schemas become JSON Schema: `nullable` becomes a type, and an object may hold only the
fields that the document names, so that an invented field is found too. The documents belong to the
vendors and are not part of this project; `PROVIDER_SPECS_DIR` says where they are.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from json import loads
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

__all__ = ["Document", "document"]

_KEPT = frozenset(
    {"type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "format"}
    | {"minItems", "maxItems", "required"}
)
_COMBINED = ("allOf", "anyOf", "oneOf")


class _JsonTypes(yaml.CSafeLoader):
    """YAML's types as far as JSON has them."""


_JsonTypes.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _mend_finicity(schemas: dict[str, Any]) -> None:
    # A nickname is wanted of every account and is none of its properties, so no account could have
    # it; an error's code is an object by its type, and a number or a text by its words and examples.
    schemas["CustomerAccount"]["required"].remove("accountNickname")
    schemas["ErrorMessage"]["properties"]["code"] = {
        "oneOf": [{"type": "string"}, {"type": "integer"}]
    }


_MENDED: Mapping[str, Callable[[dict[str, Any]], None]] = {"finicity": _mend_finicity}
"""What contradicts itself in a document, by the vendor that its file's name begins with."""


class Document:
    """One vendor's OpenAPI 3.0 document."""

    def __init__(self, path: Path) -> None:
        text = path.read_text("utf-8")
        # Timestamps stay texts, as JSON has them.
        self._document = loads(text) if path.suffix == ".json" else yaml.load(text, _JsonTypes)
        mend = _MENDED.get(path.name.split(".")[0])
        if mend is not None:
            mend(self._document["components"]["schemas"])
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
        response = self._resolved(
            responses[str(status)] if str(status) in responses else responses["default"]
        )
        content: Mapping[str, Any] = response.get("content") or {}
        if not content:
            return [] if body is None else ["a body where the document has none"]
        return self._judged(next(iter(content.values()))["schema"], body)

    def request_problems(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        raw: bytes,
    ) -> list[str]:
        """What is wrong with a request, in words; nothing when the document allows it.

        Args:
            method: HTTP method.
            path: as it was sent, below the vendor's base URL.
            query: its items.
            headers: its headers, by lower-case name.
            raw: its body.

        """
        template = self.template(method, path)
        if template is None:
            return [f"{method} {path}: there is no such endpoint"]
        endpoint = self._document["paths"][template]
        operation = endpoint[method.lower()]
        declared = [
            self._resolved(parameter)
            for parameter in [*endpoint.get("parameters", []), *operation.get("parameters", [])]
        ]
        problems = [
            f"{method} {template}: {problem}"
            for problem in self._parameter_problems(declared, query, headers)
        ]
        if not self._is_secured(operation, headers):
            problems.append(f"{method} {template}: a header of ours that is asked for is missing")
        content = self._resolved(operation.get("requestBody", {})).get("content", {})
        if raw and not content:
            problems.append(f"{method} {template}: a body where the document has none")
        if content:
            schema = next(iter(content.values()))["schema"]
            problems += [
                f"{method} {template}: {problem}" for problem in self._judged(schema, loads(raw))
            ]
        return problems

    def problems_of(self, schema: str, value: object) -> list[str]:
        """What is wrong with a JSON value that should be one of the document's schemas, in words.

        Args:
            schema: its name.
            value: the JSON.

        """
        return self._judged({"$ref": f"#/components/schemas/{schema}"}, value)

    def _is_secured(self, operation: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
        """Whether the headers of keys are there, as one of the ways that the document names."""
        schemes = self._document.get("components", {}).get("securitySchemes", {})
        ways = operation.get("security", self._document.get("security", []))
        return not ways or any(
            all(
                schemes[name].get("in") != "header" or schemes[name]["name"].lower() in headers
                for name in way
            )
            for way in ways
        )

    def template(self, method: str, path: str) -> str | None:
        """The document's path of an operation that is called by this one; None where it has none."""
        parts = path.strip("/").split("/")
        fitting = [
            template
            for template, endpoint in self._document["paths"].items()
            if method.lower() in endpoint
            and len(names := template.strip("/").split("/")) == len(parts)
            and all(
                name.startswith("{") or name == part
                for name, part in zip(names, parts, strict=True)
            )
        ]
        return min(fitting, key=lambda template: template.count("{"), default=None)

    def _resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Any = part
        if "$ref" in part:
            found = self._document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
        return dict(found)

    def _parameter_problems(
        self,
        declared: list[Mapping[str, Any]],
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> Iterator[str]:
        known = {p["name"] for p in declared if p["in"] == "query"}
        yield from (f"query item {name} is not known" for name in query if name not in known)
        for parameter in declared:
            name, place = parameter["name"], parameter["in"]
            sent = {"query": query.get(name), "header": headers.get(name.lower())}.get(place)
            if place in ("query", "header") and sent is None and parameter.get("required"):
                yield f"{place} item {name} is missing"
            if sent is not None:
                schema = self._resolved(parameter["schema"])
                yield from (
                    f"{name}: {problem}" for problem in self._judged(schema, _typed(sent, schema))
                )

    def _judged(self, schema: Any, value: object) -> list[str]:
        root = {**self._converted(schema, is_open=False), "$defs": self._definitions}
        validator = Draft202012Validator(root, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in _leaves(validator, value)]

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


def _typed(sent: str, schema: Mapping[str, Any]) -> object:
    """A query item's text as the type that its schema names."""
    kind = schema.get("type")
    if kind == "integer" and sent.lstrip("-").isdecimal():
        return int(sent)
    if kind == "boolean" and sent in ("true", "false"):
        return sent == "true"
    if kind == "array":
        return sent.split(",")
    return sent


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


def document(name: str, *, whole: bool = False) -> Document:
    """The document of that name; skips the test where there are none.

    Of a vendor's long document there may be a shorter one of what adapters use, which is read in
    its place unless the `whole` is wanted.
    """
    folder = os.environ.get("PROVIDER_SPECS_DIR")
    if not folder:
        pytest.skip("PROVIDER_SPECS_DIR is not set: the vendors' OpenAPI documents are not at hand")
    trimmed = Path(folder) / f"{name}.trimmed.json"
    is_short = trimmed.exists() and not whole
    return _read(trimmed if is_short else Path(folder) / f"{name}.yml")
