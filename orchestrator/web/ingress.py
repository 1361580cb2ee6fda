"""Serve behind HAProxy, which answers in our words where no answer of ours can come."""

import os
from typing import Final

from orchestrator.ingress import OwnPlaces, haproxy_binary, serve_environment, write_haproxy

from .problem_documents import TOO_MANY_REQUESTS, own_answers, problem_body

__all__ = ["take_haproxy"]

_REQUEST_ID: Final = "REQUEST_ID"
"""HAProxy puts the request's own in this place."""


def take_haproxy(places: OwnPlaces, host: str, port: int, *, most_requests: int) -> bool:
    """Prepare the environment for a Serve behind HAProxy; False where this machine has none.

    Args:
        places: of this start.
        host: address to answer on; everything else listens on loopback.
        port: to answer on.
        most_requests: under way at once.

    """
    binary = haproxy_binary()
    if binary is None:
        return False
    program = write_haproxy(
        places.folder,
        binary,
        bind=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        most_requests=most_requests,
        overloaded=problem_body(TOO_MANY_REQUESTS, _REQUEST_ID),
        errors=own_answers(_REQUEST_ID),
    )
    os.environ.update(serve_environment(places, program))
    return True
