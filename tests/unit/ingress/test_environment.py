"""What Ray and Ray Serve are told in the environment."""

import resource
import sys
from pathlib import Path
from types import ModuleType

import pytest

from orchestrator.ingress import (
    OwnPlaces,
    keep_replica_local,
    ray_environment,
    serve_environment,
    tell_imported_ray,
)

ONE = OwnPlaces(Path("/tmp/one"), 20_000, (20_001, 20_017))
OTHER = OwnPlaces(Path("/tmp/other"), 20_017, (20_018, 20_034))
LIMIT = resource.RLIMIT_NOFILE


def test_places_of_two_starts_differ_in_everything_that_could_collide() -> None:
    """Every path and port that Serve is told of is the start's own."""
    one, other = serve_environment(ONE, "/one/haproxy"), serve_environment(OTHER, "/other/haproxy")

    same = {name for name, value in one.items() if other[name] == value}
    assert one.keys() == other.keys()
    assert not {
        name for name in same if name.endswith(("_PORT", "_PATH", "_LOC", "_BASE", "_FILE"))
    }
    assert not {name for name in same if "/" in one[name]}


@pytest.mark.parametrize(
    ("most_files", "connections"),
    [(resource.RLIM_INFINITY, 16_000), (1_048_576, 16_000), (20_000, 9_750), (256, 100)],
)
def test_connections_fit_into_the_files_that_may_be_open(
    monkeypatch: pytest.MonkeyPatch, most_files: int, connections: int
) -> None:
    """HAProxy is never told to hold more connections than it may open files for."""
    monkeypatch.setattr("resource.getrlimit", lambda _what: (1024, most_files))

    told = serve_environment(ONE, "/one/haproxy")

    assert str(connections) == told["RAY_SERVE_HAPROXY_MAXCONN"]


def test_an_imported_ray_is_told_that_this_machine_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray that was imported before the environment was prepared takes it up, too."""
    constants, raylet = ModuleType("constants"), ModuleType("raylet")
    read: list[str] = []
    vars(constants)["ENABLE_RAY_CLUSTER"] = True
    vars(raylet)["Config"] = type("Config", (), {"initialize": staticmethod(read.append)})
    monkeypatch.setitem(sys.modules, "ray._private.ray_constants", constants)
    monkeypatch.setitem(sys.modules, "ray._raylet", raylet)

    tell_imported_ray()

    assert [""] == read
    assert vars(constants)["ENABLE_RAY_CLUSTER"] is False


@pytest.mark.parametrize(
    ("environ", "listens"), [(ray_environment(), "127.0.0.1:0"), ({}, "[::]:0")]
)
def test_a_replica_listens_on_loopback_where_there_is_one_machine(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], listens: str
) -> None:
    """Serve's own server in a replica is kept local, and left alone on a cluster of many machines."""
    added: list[str] = []

    def add_port(_server: object, address: str) -> int:
        added.append(address)
        return 7

    replica = ModuleType("replica")
    vars(replica)["add_port_to_grpc_server"] = add_port
    monkeypatch.setitem(sys.modules, "ray.serve._private.replica", replica)
    for name in ray_environment():
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    keep_replica_local()
    port = vars(replica)["add_port_to_grpc_server"](object(), "[::]:0")

    assert (7, [listens]) == (port, added)
