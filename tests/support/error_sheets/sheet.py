"""Vendors' errors as their fact sheets tell them, in a form that is quick to read and to compare."""

__all__ = ["Rows", "documented"]

Rows = dict[str, tuple[str, str, bool]]
"""Code → class, scope and whether another provider may do better."""


def documented(sheet: str) -> Rows:
    """The rows of lines like `class scope yes|no: CODE CODE`, an indented line going on."""
    found: Rows = {}
    for line in sheet.strip().replace("\n  ", " ").splitlines():
        head, _, codes = line.partition(": ")
        error_class, scope, elsewhere = head.split()
        found |= dict.fromkeys(codes.split(), (error_class, scope, elsewhere == "yes"))
    return found
