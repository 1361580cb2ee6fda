"""The Ray Serve application: one ingress deployment, whose replicas host a router each."""

from typing import Final

from fastapi import FastAPI
from ray import serve

from orchestrator.ingress import keep_replica_local
from orchestrator.settings import load_settings

__all__ = ["APPLICATION", "app", "build_app"]

APPLICATION: Final = "orchestrator"


def build_app() -> FastAPI:
    """The ASGI application of a replica; its lifespan opens the router in that process."""
    from actors.router_actor import open_service  # noqa: PLC0415  a replica's imports, not the driver's

    from .app import create_app  # noqa: PLC0415  as above

    keep_replica_local()
    most = load_settings().policies.ingress.max_requests
    return create_app(open_service, most_requests=most)


_ingress = serve.deployment(
    name="ingress",
    num_replicas=1,
    # The application bounds what it takes, and says so; Serve's default of 5 would hold it back.
    max_ongoing_requests=100_000,
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=5,
    graceful_shutdown_timeout_s=10,
)(serve.ingress(build_app)())

app = _ingress.bind()
"""What `serve run` and `cluster.yaml` import: `orchestrator.web.deployment:app`."""
