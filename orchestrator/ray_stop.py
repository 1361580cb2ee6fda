"""Stopping what runs on Ray, in bounded time, whether Ray is still there or not.

Ray's own calls wait for their answers for a minute and longer, and it may be that nobody is left to
give them: somebody ended Ray's processes, or the machine is out of memory.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

import psutil
import structlog

if TYPE_CHECKING:
    from actors.remote_ports import RemoteProvider

__all__ = ["bounded", "stop_ray"]

_SERVE_TIMEOUT_S: Final = 15.0
"""Requests under way get ten seconds; see `graceful_shutdown_timeout_s`."""
_DRAIN_TIMEOUT_S: Final = 10.0
_SHUTDOWN_TIMEOUT_S: Final = 15.0
_LEFT_TIMEOUT_S: Final = 3.0
_LOOK_EVERY_S: Final = 0.2

_log = structlog.get_logger("stop")


def stop_ray(
    providers: "Mapping[str, RemoteProvider]", progress: Callable[[str], None], *, http: bool
) -> None:
    """End everything on the Ray that this process started, and Ray.

    Where Ray is gone already nothing is waited for: rows that were not in the attempt log yet are
    in the spool, and the next start collects them.

    Args:
        providers: ports of their actors; what they hold in memory goes to disk.
        progress: is told each step.
        http: whether Ray Serve runs.

    """
    import ray  # noqa: PLC0415  only where Ray was started

    if not ray.is_initialized():
        return
    sessions = _sessions()
    if http and bounded(_stop_serve, within_s=_SERVE_TIMEOUT_S, hopeless=_is_ray_gone):
        progress("Ray Serve stopped")
    if bounded(
        lambda: asyncio.run(_drain(providers)),
        within_s=_DRAIN_TIMEOUT_S,
        hopeless=_is_ray_gone,
    ):
        progress("attempt log and vault closed")
    bounded(ray.shutdown, within_s=_SHUTDOWN_TIMEOUT_S)
    _end_what_is_left(sessions)


def bounded(
    work: Callable[[], None],
    *,
    within_s: float,
    hopeless: Callable[[], bool] = lambda: False,
) -> bool:
    """Do this in a thread of its own; False where it failed, or was given up.

    Args:
        work: what to do.
        within_s: is given up after this long.
        hopeless: looked at all the while; true, it is given up at once.

    """
    done: list[bool] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  the stop goes on whatever a step meets
            _log.warning("stop_step_failed", error=type(error).__name__, problem=str(error))
        else:
            done.append(True)

    if hopeless():
        return False
    thread = threading.Thread(target=run, name="stop", daemon=True)
    deadline = time.monotonic() + within_s
    thread.start()
    while thread.is_alive() and time.monotonic() < deadline and not hopeless():
        thread.join(_LOOK_EVERY_S)
    return bool(done)


def _is_ray_gone() -> bool:
    """Whether one of the processes that this one's Ray is made of has ended."""
    node = vars(_worker())["_global_node"]
    return node is None or bool(node.dead_processes())


def _sessions() -> frozenset[int]:
    """The sessions in which this one's Ray runs: each of its first processes has its own."""
    node = vars(_worker())["_global_node"]
    if node is None:
        return frozenset()
    return frozenset(
        info.process.pid for infos in node.all_processes.values() for info in infos
    ) - {os.getsid(0)}


def _worker() -> ModuleType:
    return import_module("ray._private.worker")


def _end_what_is_left(sessions: frozenset[int]) -> None:
    """End the processes of these sessions that do not end by themselves.

    Those that Ray's killed daemon has left behind look after it once a minute.
    """
    left = []
    for process in psutil.process_iter():
        with suppress(OSError):
            if os.getsid(process.pid) in sessions:
                left.append(process)
    for process in psutil.wait_procs(left, timeout=_LEFT_TIMEOUT_S)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _stop_serve() -> None:
    """Drain the replicas, whose routers then flush.

    The controller and the proxy hold nothing and end with Ray.
    """
    from ray import serve  # noqa: PLC0415  as above

    from orchestrator.web.deployment import APPLICATION  # noqa: PLC0415  as above

    serve.delete(APPLICATION)


async def _drain(providers: "Mapping[str, RemoteProvider]") -> None:
    """Everything acknowledged goes to disk before its actors are ended."""
    from actors.options import attempt_log_actor, vault_actor  # noqa: PLC0415  as above
    from actors.remote_ports import RemoteLog  # noqa: PLC0415  as above
    from actors.remote_vault import RemoteVault  # noqa: PLC0415  as above

    await asyncio.gather(*(port.drain() for port in providers.values()))
    await RemoteLog(attempt_log_actor()).close()
    await RemoteVault(vault_actor()).close()
