"""A loopback upstream that answers as Plaid does, and faster than anybody here can ask.

nginx with static answers where it is installed, else a server of our own that does nothing either.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.programs import await_port, free_port, stop

__all__ = ["ANSWERS", "upstream"]

ACCOUNTS: Final = 4
_NGINX: Final = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    tcp_nodelay on;
    client_body_buffer_size 64k;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
{locations}
    }}
}}
"""


def _account(number: int) -> dict[str, object]:
    return {
        "account_id": f"blgvvBlXw3cq5GMPwqB6s6q4dLKB9WcVqGD{number:02}",
        "balances": {
            "available": 100.25 + number,
            "current": 110.5 + number,
            "iso_currency_code": "USD",
            "limit": None,
            "unofficial_currency_code": None,
        },
        "mask": f"{number:04}",
        "name": f"Everyday Checking {number}",
        "official_name": f"Everyday Gold Standard Checking {number}",
        "subtype": "checking",
        "type": "depository",
    }


_ITEM: Final[Mapping[str, object]] = {
    "available_products": ["balance"],
    "billed_products": ["transactions"],
    "consent_expiration_time": None,
    "error": None,
    "institution_id": None,
    "item_id": "benchmark-item",
    "update_type": "background",
    "webhook": "",
}
ANSWERS: Final[Mapping[str, Mapping[str, object]]] = {
    "/link/token/create": {
        "expiration": "2099-01-01T00:00:00Z",
        "link_token": "link-benchmark-token",
        "request_id": "benchmark0link0",
    },
    "/item/public_token/exchange": {
        "access_token": "access-benchmark-token",
        "item_id": "benchmark-item",
        "request_id": "benchmark0exchange0",
    },
    "/item/get": {"item": _ITEM, "status": None, "request_id": "benchmark0item0"},
    "/accounts/get": {
        "accounts": [_account(number) for number in range(ACCOUNTS)],
        "item": _ITEM,
        "request_id": "benchmark0accounts0",
    },
}
"""By path, whatever is asked."""


@contextmanager
def upstream(folder: Path, *, own: bool = False) -> Iterator[str]:
    """Run one; gives its address.

    Args:
        folder: for its files.
        own: take our own server even where nginx is installed.

    Raises:
        BenchmarkFailed: it does not come up.

    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    nginx = None if own else shutil.which("nginx", path=_with_sbin())
    if nginx is None:
        command = [sys.executable, "-m", "benchmarks.static_server", str(port)]
    else:
        config = folder / "nginx.conf"
        config.write_text(_config(folder, port), encoding="utf-8")
        command = [nginx, "-p", str(folder), "-c", str(config)]
    with (folder / "upstream.out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        await_port(process, port, folder / "upstream.out")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def _with_sbin() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def _config(folder: Path, port: int) -> str:
    locations = "\n".join(
        f"        location = {path} {{ return 200 '{json.dumps(answer)}'; }}"
        for path, answer in ANSWERS.items()
    )
    return _NGINX.format(folder=folder, port=port, locations=locations)
