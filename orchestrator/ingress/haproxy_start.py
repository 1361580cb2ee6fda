"""Starts HAProxy in Ray Serve's stead: rewrites what Serve configured, then becomes HAProxy.

Serve writes HAProxy's configuration itself and knows no way to change it, but it runs any program
that it is told to. Run by its path, without this project's or any other package, so that a reload
costs little: `python -I -S haproxy_start.py PLAN.json -f CONFIG …`.
"""

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

_FRONTEND: Final = "frontend http_frontend"
# Pages for Prometheus and people, on all interfaces and on ports that every installation shares.
_LEFT_OUT: Final = ("frontend prometheus", "listen stats")
_NOT_WANTED: Final = (
    "log ",
    "option httplog",
    "option log-health-checks",
    # Answers are short, and each connection would want files for a pipe.
    "option splice-",
    "errorfile ",
)
_HEADERS_WITHIN: Final = "30s"
# The operator's pages are answered however much is under way.
_BOUNDED: Final = "/v1/"
_PLAIN_ID: Final = "^[A-Za-z0-9_.:-]{1,128}$"
_ID: Final = "%[var(txn.request_id)]"
_ALIVE: Final = (
    'http-request return status 200 content-type application/json string \'{"status":"ok"}\''
    f" hdr X-Request-Id {_ID} hdr Cache-Control no-store"
)
_FEW_LEFT: Final = 0.75
"""From this share of all connections on, none is kept open for another request: the next caller, or
whoever asks for our health, would wait for a place that an idle one holds."""
_PARENT_DEATH: Final = 1  # PR_SET_PDEATHSIG

Section: TypeAlias = list[str]
"""A section's lines, the first of which names it."""


def rewritten(config: str, plan: Mapping[str, object]) -> str:
    """Serve's configuration as this installation wants it.

    One listener, where the plan says; no log and no pages of HAProxy's own; answers of HAProxy's
    own as problem documents; `/healthz` and what is over the bound answered without a replica; no
    connection kept idle where few are left.

    Args:
        config: as Ray Serve wrote it.
        plan: `bind` (address and port to listen on), `most_requests` (under way at once),
            `overloaded` and `errors` (problem documents by status, `REQUEST_ID` in the id's place).

    Raises:
        ValueError: the configuration is not of the kind that is known here.

    """
    sections = [s for s in _sections(config) if s[0] not in _LEFT_OUT]
    served = [name for s in sections if (name := _backend(s))]
    servers = {name: _servers(name, sections) for name in served}
    crowded = int(_most_connections(sections) * _FEW_LEFT)
    told = [line for s in sections for line in _section(s, plan, servers, crowded)]
    binds = [line.split()[1] for line in told if line.split()[:1] == ["bind"]]
    if binds != [plan["bind"]]:
        raise ValueError(f"HAProxy would listen on {binds}")
    return "\n".join(told) + "\n"


def _section(
    section: Section,
    plan: Mapping[str, object],
    servers: Mapping[str, Sequence[str]],
    crowded: int,
) -> Section:
    match section[0]:
        case "global":
            return _private(section)
        case "defaults":
            return _answering(_quiet(section), plan)
        case name if name == _FRONTEND:
            return _listening(_quiet(section), plan, servers, crowded)
        case "backend default_backend":
            return [section[0], "    " + _return(503, _errors(plan)["503"])]
        case _:
            return _quiet(section)


def _sections(config: str) -> list[Section]:
    found: list[Section] = []
    for line in config.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            found.append([line.rstrip()])
        elif line.strip() and not line.strip().startswith("#"):
            if not found:
                raise ValueError("HAProxy's configuration begins without a section")
            found[-1].append(line.rstrip())
    if _FRONTEND not in [section[0] for section in found]:
        raise ValueError(f"HAProxy's configuration has no {_FRONTEND!r}")
    return found


def _backend(section: Section) -> str | None:
    """The name of an application's backend, None for other sections."""
    kind, _, name = section[0].partition(" ")
    is_application = any(line.split()[:2] == ["option", "httpchk"] for line in section)
    return name if kind == "backend" and is_application else None


def _servers(backend: str, sections: Sequence[Section]) -> list[str]:
    """The replicas of a backend: those servers that stand in for no other."""
    lines = next(s for s in sections if s[0] == f"backend {backend}")
    words = [line.split() for line in lines]
    return [w[1] for w in words if w[0] == "server" and "backup" not in w]


def _most_connections(sections: Sequence[Section]) -> int:
    words = [line.split() for section in sections if section[0] == "global" for line in section]
    told = next((w[1] for w in words if w[0] == "maxconn"), None)
    if told is None:
        raise ValueError("HAProxy's configuration does not bound its connections")
    return int(told)


def _private(section: Section) -> Section:
    return [
        re.sub(r"(stats socket .*)mode 666", r"\1mode 600", line)
        for line in section
        if not line.strip().startswith("log ")
    ]


def _quiet(section: Section) -> Section:
    return [line for line in section if not line.strip().startswith(_NOT_WANTED)]


def _errors(plan: Mapping[str, object]) -> Mapping[str, str]:
    errors = plan["errors"]
    assert isinstance(errors, dict)  # noqa: S101  written by our own start
    return errors


def _answer(status: int, document: str) -> str:
    if "'" in document:
        raise ValueError("an answer of HAProxy's own may hold no apostrophe")
    text = document.replace("%", "%%").replace("REQUEST_ID", _ID)
    wait = " hdr Retry-After 1" if status in (429, 503) else ""
    return (
        f"status {status} content-type application/problem+json lf-string '{text}'"
        f" hdr X-Request-Id {_ID}{wait}"
    )


def _return(status: int, document: str) -> str:
    return f"http-request return {_answer(status, document)}"


def _answering(section: Section, plan: Mapping[str, object]) -> Section:
    errors = [f"    http-error {_answer(int(s), text)}" for s, text in _errors(plan).items()]
    return [*section, f"    timeout http-request {_HEADERS_WITHIN}", *errors]


def _listening(
    section: Section,
    plan: Mapping[str, object],
    servers: Mapping[str, Sequence[str]],
    crowded: int,
) -> Section:
    asked = "req.hdr(x-request-id)"
    twice = "res.hdr_cnt(x-request-id) gt 1"
    overloaded = _return(429, str(plan["overloaded"]))
    rules = [
        f"bind {plan['bind']}",
        "unique-id-format req_%[uuid,regsub(-,,g)]",
        "http-request set-var(txn.request_id) unique-id",
        f"http-request set-var(txn.request_id) {asked} if {{ {asked} -m reg {_PLAIN_ID} }}",
        f"http-request set-header X-Request-Id %[unique-id] if !{{ {asked} -m found }}",
        # Serve tells the id, too.
        f"http-response set-header X-Request-Id %[res.hdr(x-request-id,1)] if {{ {twice} }}",
        f"http-after-response set-header Connection close if {{ fe_conn ge {crowded} }}",
        *(
            f"{_ALIVE} if {{ path /healthz }} METH_GET {{ srv_is_up({backend}/{server}) }}"
            for backend, replicas in servers.items()
            for server in replicas
        ),
        *(
            f"{overloaded} if {{ path_beg {_BOUNDED} }}"
            f" {{ be_conn({backend}) ge {plan['most_requests']} }}"
            for backend in servers
        ),
    ]
    return [
        section[0],
        *(f"    {rule}" for rule in rules),
        *(line for line in section[1:] if line.split()[0] != "bind"),
    ]


def main(arguments: Sequence[str]) -> None:
    """Rewrite the configuration that `-f` names, and become HAProxy with these arguments."""
    plan = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    rest = list(arguments[1:])
    file = Path(rest[rest.index("-f") + 1])
    file.write_text(rewritten(file.read_text(encoding="utf-8"), plan), encoding="utf-8")
    # A manager that is killed would leave this process behind, listening on the manager's port.
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    os.execv(plan["binary"], [plan["binary"], *rest])  # noqa: S606  HAProxy itself, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
