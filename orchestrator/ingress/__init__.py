"""How a system listens: one public address, everything else on this machine's loopback."""

from .environment import (
    keep_replica_local,
    ray_environment,
    serve_environment,
    tell_imported_ray,
)
from .own_places import LOOPBACK, OwnPlaces
from .proxy_plan import haproxy_binary, write_haproxy

__all__ = [
    "LOOPBACK",
    "OwnPlaces",
    "haproxy_binary",
    "keep_replica_local",
    "ray_environment",
    "serve_environment",
    "tell_imported_ray",
    "write_haproxy",
]
