"""What Ray and Ray Serve read in the environment when they are imported."""

import os
import resource
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Final

from .own_places import LOOPBACK, OwnPlaces

__all__ = ["keep_replica_local", "ray_environment", "serve_environment", "tell_imported_ray"]

_MOST_CONNECTIONS: Final = 16_000
_LONGEST_ANSWER_S: Final = 660
"""Longer than the longest deadline a request may have."""

_CLUSTER: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray listens on every interface unless it is told that this machine is all there is; the switch is
named after the systems for which that is so by default."""

_RAY: Final = {
    _CLUSTER: "0",
    # Any free port in place of the two that every Ray on the machine would want.
    "AUTOSCALER_METRIC_PORT": "0",
    "DASHBOARD_METRIC_PORT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray's workers give way to everything else on the machine, which is right for computations that
    # take hours, and makes whoever waits for an answer wait for every busy neighbour as well.
    "RAY_worker_niceness": "0",
}
_SERVE: Final = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    # With these on, a Python actor reads a line for each request.
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    "RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S": str(_LONGEST_ANSWER_S),
    "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(_LONGEST_ANSWER_S),
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "2s",
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_FALL": "3",
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_RISE": "1",
    # A machine with much else to do takes its time; a proxy that is late is killed at its start.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
    # A HAProxy that died is missed at the third look.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    # There is no other application that could inherit a replica's port.
    "RAY_SERVE_PORT_QUARANTINE_S": "0",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.2",
    "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
}


def ray_environment() -> Mapping[str, str]:
    """What makes Ray a system of this machine alone."""
    return _RAY


def serve_environment(places: OwnPlaces, haproxy: str) -> Mapping[str, str]:
    """What makes Serve take HAProxy, in this start's own places.

    Args:
        places: of this start.
        haproxy: the program that Serve runs as HAProxy.

    """
    first, behind = places.replica_ports
    return _SERVE | {
        "RAY_SERVE_HAPROXY_BINARY_PATH": haproxy,
        "RAY_SERVE_HAPROXY_MAXCONN": str(_most_connections()),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(places.folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(places.folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(places.folder / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(places.folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(places.folder / "server-state"),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(places.fallback_port),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(behind),
    }


def _most_connections() -> int:
    """Callers' connections at once; HAProxy refuses to start where they need more files than it may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(100, min(_MOST_CONNECTIONS, (hard - 500) // 2))


def keep_replica_local() -> None:
    """In a replica's process, before it is up: have Serve's own server listen on loopback alone.

    Serve offers no setting for the server that other deployments would call, and asks nobody who
    calls it for a token. Of many machines, it is left as it is.
    """
    if os.environ.get(_CLUSTER) != "0":
        return
    replica = import_module("ray.serve._private.replica")
    add_port = replica.add_port_to_grpc_server

    def add_local_port(server: object, address: str) -> int:
        return int(add_port(server, address.replace("[::]", LOOPBACK)))

    vars(replica)["add_port_to_grpc_server"] = add_local_port


def tell_imported_ray() -> None:
    """Have a Ray that was imported before the environment was prepared read it once more."""
    raylet = sys.modules.get("ray._raylet")
    if raylet is not None:
        raylet.Config.initialize("")
    constants = sys.modules.get("ray._private.ray_constants")
    if constants is not None:
        vars(constants)["ENABLE_RAY_CLUSTER"] = False
