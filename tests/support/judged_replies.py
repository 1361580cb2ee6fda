"""A sandbox's answers before the judge of a vendor's document."""

from tests.support.openapi_documents import Document
from tests.support.vendor_callers import Reply

__all__ = ["judge", "plainly"]


def plainly(reply: Reply) -> object:
    """The body with numbers that a validator knows; None where it is empty."""
    return _floats(reply.body) if reply.raw else None


def _floats(value: object) -> object:
    if isinstance(value, dict):
        return {name: _floats(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_floats(part) for part in value]
    return value if value is None or isinstance(value, str | int) else float(str(value))


def judge(judged: Document, method: str, path: str, reply: Reply, status: int = 200) -> list[str]:
    """The document's objections to an answer that should have this status."""
    assert status == reply.status, reply.raw[:300]

    return judged.problems(method, path, reply.status, plainly(reply))
