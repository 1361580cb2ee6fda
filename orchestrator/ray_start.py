"""Ray on this machine alone, without those of its parts that nobody here would use, in our order."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Final

from orchestrator.worker_start import HOOK, HOOK_VARIABLE, keep_pandas_out_of_serve

__all__ = ["start_ray"]

_OBJECT_STORE_BYTES: Final = 128 * 1024 * 1024


def start_ray(namespace: str) -> str:
    """Start Ray and join it; answers the address under which others join.

    Ray reads much of its environment when it is imported: prepare that first.
    """
    import ray  # noqa: PLC0415  as above

    keep_pandas_out_of_serve()
    with _as_wanted_here(), _told_to_workers(HOOK_VARIABLE, HOOK):
        ray.init(
            address="local",
            namespace=namespace,
            num_cpus=max(2, os.cpu_count() or 2),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=True,
            _node_ip_address="127.0.0.1",
        )
    return str(ray.get_runtime_context().gcs_address)


@contextmanager
def _as_wanted_here() -> Iterator[None]:
    """Inside it, Ray starts no autoscaler, no forwarder of logs, no dashboard and no agent for it.

    Together they take a quarter of a gigabyte and some of the start's time, and `ray.init` has a
    switch for none of them: `include_dashboard=False` starts the dashboard without its pages. What
    is left of the agent is that of an installation without the dashboard's packages.

    What it starts is a session of its own. Ctrl-C in a terminal goes to everybody in the terminal's
    session: Ray would be gone before what runs on it could be stopped. Its processes end with this
    one all the same, as the kernel tells them.
    """
    parameter = import_module("ray._private.parameter")
    services = import_module("ray._private.services")
    utils = import_module("ray._private.utils")
    process = partial(services.ConsolePopen, start_new_session=True)
    lean = partial(parameter.RayParams, no_monitor=True, include_log_monitor=False)
    with ExitStack() as undone:
        undone.enter_context(_put(parameter, "RayParams", lean))
        undone.enter_context(_put(services, "start_api_server", _start_nothing))
        undone.enter_context(_put(services, "ConsolePopen", process))
        undone.enter_context(_put(utils, "get_dashboard_dependency_error", _no_dashboard))
        yield


@contextmanager
def _told_to_workers(variable: str, value: str) -> Iterator[None]:
    """Inside it, Ray is started with this in its environment, which its workers inherit."""
    os.environ[variable] = value
    try:
        yield
    finally:
        del os.environ[variable]


def _start_nothing(*_given: object, **_named: object) -> tuple[None, None]:
    """In place of the dashboard: no address, no process."""
    return None, None


def _no_dashboard() -> ImportError:
    return ImportError("this system has no use for Ray's dashboard")


@contextmanager
def _put(module: ModuleType, name: str, value: object) -> Iterator[None]:
    before = vars(module)[name]
    vars(module)[name] = value
    try:
        yield
    finally:
        vars(module)[name] = before
