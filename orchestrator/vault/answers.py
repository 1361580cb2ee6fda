"""What the answer kept under an idempotency key is sealed for."""

import json

__all__ = ["answer_owner"]


def answer_owner(caller_id: str, operation: str, key: str) -> str:
    """What the answer under a key is sealed for."""
    return json.dumps([caller_id, operation, key])
