"""Bare Ray and Serve with as many actors as the system has, which do nothing.

`python -m benchmarks.skeleton ACTORS`, in an environment as `orchestrator serve` has it, serves the
no-op application until it is ended.
"""

import logging
import os
import signal
import sys
import threading
from typing import Final, cast

import ray
from ray import serve

from actors.options import Handle
from benchmarks.noop_app import APPLICATION, PREFIX, SERVE_LOGGING, bound_noop
from orchestrator.bootstrap import prepare_environment
from orchestrator.settings import load_settings

__all__ = ["main"]

_OBJECT_STORE_BYTES: Final = 128 * 1024 * 1024


class Nothing:
    """An async actor without anything in it."""

    async def nothing(self) -> None:
        """Do nothing."""


def main() -> None:
    """Start, serve, and stop at SIGTERM."""
    actors = int(sys.argv[1])
    settings = load_settings()
    prepare_environment(settings)
    stop = threading.Event()
    ray.init(
        address="local",
        num_cpus=max(2, os.cpu_count() or 2),
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
    )
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    kind = ray.remote(Nothing).options(num_cpus=0, max_concurrency=4096)
    handles = [cast(Handle, kind.remote()) for _ in range(actors)]
    serve.start(
        proxy_location="HeadOnly",
        http_options={
            "host": settings.environment.host,
            "port": settings.environment.port,
            "access_log": False,
        },
        logging_config=SERVE_LOGGING,
    )
    ray.get([handle.__ray_ready__.remote() for handle in handles])
    serve.run(bound_noop(), name=APPLICATION, route_prefix=PREFIX, logging_config=SERVE_LOGGING)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    serve.delete(APPLICATION)
    ray.shutdown()


if __name__ == "__main__":
    main()
