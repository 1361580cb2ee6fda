"""What a reader may ask: one SELECT over the log's tables.

DuckDB's configuration closes files and settings to writing; what it leaves open (catalogue views,
`duckdb_settings()`, `query('…')`, an INSERT inside a WITH) is refused here, on the tree that
DuckDB's own parser makes of the text. What the check does not know, it refuses.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import duckdb

from orchestrator.domain import QueryRefused

from .allowed_functions import FUNCTIONS, TABLE_FUNCTIONS
from .schema import TABLES

__all__ = ["check_query"]

_LONGEST_CHARS: Final = 20_000
_LOG_TABLES: Final = frozenset(table.name for table in TABLES)
_ALLOWED: Final = (
    "one SELECT (WITH … SELECT too) over the tables attempts, circuit_changes and requests"
)
_KNOWN_NODES: Final = frozenset(
    {
        # queries
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        # what can stand after FROM
        "BASE_TABLE",
        "EMPTY",
        "EXPRESSION_LIST",
        "JOIN",
        "PIVOT",
        "SUBQUERY",
        "TABLE_FUNCTION",
        # what can follow
        "DISTINCT_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "ORDER_MODIFIER",
        "ASCENDING",
        "DESCENDING",
        "ORDER_DEFAULT",
    }
)
_KNOWN_EXPRESSIONS: Final = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "OPERATOR",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    }
)

Tree = Mapping[str, Any]


def check_query(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The text of the one SELECT, proven harmless.

    Args:
        connection: whose parser is asked; nothing runs on it but the parser.
        sql: what the reader asks.

    Raises:
        QueryRefused: anything else; says what is allowed.

    """
    if len(sql) > _LONGEST_CHARS:
        raise QueryRefused(f"the query is longer than {_LONGEST_CHARS} characters: ask {_ALLOWED}")
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryRefused(f"the query cannot be read: {error}") from None
    if len(statements) != 1:
        raise QueryRefused(f"{len(statements)} statements: ask {_ALLOWED}")
    text = statements[0].query
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryRefused(f"not a SELECT: ask {_ALLOWED}")
    try:
        _check(_tree(connection, text), frozenset(), in_lambda=False)
    except RecursionError:
        raise QueryRefused(f"the query is nested too deeply: ask {_ALLOWED}") from None
    return text


def _tree(connection: duckdb.DuckDBPyConnection, text: str) -> object:
    ((serialized,),) = connection.execute("select json_serialize_sql(?)", [text]).fetchall()
    tree = json.loads(serialized)
    if tree["error"]:
        raise QueryRefused(f"not a plain SELECT: ask {_ALLOWED}")
    return tree["statements"]


def _check(tree: object, with_names: frozenset[str], *, in_lambda: bool) -> None:
    """Walk a part of the tree; `with_names` are the WITH queries in scope there."""
    if isinstance(tree, list):
        for part in tree:
            _check(part, with_names, in_lambda=in_lambda)
    elif isinstance(tree, dict):
        if "class" in tree:
            _check_expression(tree, in_lambda=in_lambda)
            in_lambda = in_lambda or tree["class"] == "LAMBDA"
        elif isinstance(tree.get("type"), str):
            _check_node(tree, with_names)
        _check_parts(tree, with_names, in_lambda=in_lambda)


def _check_parts(tree: Tree, with_names: frozenset[str], *, in_lambda: bool) -> None:
    # A WITH query sees those before it and never itself: `with duckdb_settings as (select * from
    # duckdb_settings)` reads the view.
    for name, query in _with_queries(tree):
        _check(query, with_names, in_lambda=in_lambda)
        with_names |= {name}
    for field, part in tree.items():
        if field == "function" and tree.get("type") == "TABLE_FUNCTION":
            _check_table_function(part)
            _check(list(part.values()), with_names, in_lambda=in_lambda)
        elif field != "cte_map":
            _check(part, with_names, in_lambda=in_lambda)


def _with_queries(tree: Tree) -> list[tuple[str, object]]:
    with_map = tree.get("cte_map")
    if not isinstance(with_map, dict):
        return []
    return [(entry["key"].casefold(), entry["value"]) for entry in with_map["map"]]


def _check_node(tree: Tree, with_names: frozenset[str]) -> None:
    kind = tree["type"]
    if kind not in _KNOWN_NODES:
        raise QueryRefused(f"{kind} is not for readers: ask {_ALLOWED}")
    if kind == "BASE_TABLE":
        _check_table(tree, with_names)


def _check_table(tree: Tree, with_names: frozenset[str]) -> None:
    path = [part.casefold() for part in _path(tree)]
    if len(path) == 1 and path[0] in with_names:
        return
    if path[-1] not in _LOG_TABLES or path[:-1] not in ([], ["main"]):
        raise QueryRefused(f"table {'.'.join(path)!r} is not for readers: ask {_ALLOWED}")


def _check_expression(tree: Tree, *, in_lambda: bool) -> None:
    expression = tree["class"]
    if expression not in _KNOWN_EXPRESSIONS:
        raise QueryRefused(f"{expression} is not for readers: ask {_ALLOWED}")
    if expression == "LAMBDA" and in_lambda:
        # Lists of lists grow past DuckDB's memory bound.
        raise QueryRefused("a lambda within a lambda is not for readers: use joins and groups")
    if "function_name" in tree and _function_name(tree) not in FUNCTIONS:
        raise QueryRefused(f"function {_function_name(tree)!r} is not for readers: ask {_ALLOWED}")


def _check_table_function(function: object) -> None:
    name = _function_name(function) if isinstance(function, dict) else None
    if name not in TABLE_FUNCTIONS:
        raise QueryRefused(f"table function {name!r} is not for readers: ask {_ALLOWED}")


def _function_name(tree: Tree) -> str:
    path = _path(tree) if "qualified_name" in tree else [tree["function_name"]]
    return str(path[-1]).casefold()


def _path(tree: Tree) -> list[str]:
    qualified = tree["qualified_name"]
    if not isinstance(qualified, dict) or not qualified.get("path"):
        raise QueryRefused(f"a nameless table or function: ask {_ALLOWED}")
    return [str(part) for part in qualified["path"]]
