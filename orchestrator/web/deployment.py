"""The Ray Serve application: one ingress deployment, whose replicas host a router each."""

from typing import Final

from fastapi import FastAPI
from ray import serve

__all__ = ["APPLICATION", "app", "build_app"]

APPLICATION: Final = "orchestrator"


def build_app() -> FastAPI:
    """The ASGI application of a replica; its lifespan opens the router in that process."""
    from actors.router_actor import open_service  # noqa: PLC0415  a replica's imports, not the driver's

    from .app import create_app  # noqa: PLC0415  as above

    return create_app(open_service)


_ingress = serve.deployment(
    name="ingress",
    num_replicas=1,
    # A queue of our own choosing: Serve's default of 5 would hold everything else back.
    max_ongoing_requests=1024,
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=5,
    graceful_shutdown_timeout_s=10,
)(serve.ingress(build_app)())

app = _ingress.bind()
"""What `serve run` and `cluster.yaml` import: `orchestrator.web.deployment:app`."""
