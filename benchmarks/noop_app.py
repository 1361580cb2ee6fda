"""A Serve application that does nothing: the floor of a POST under the same ingress.

`python -m benchmarks.noop_app`, in the environment of a running system, deploys it beside the
system's own application and leaves it there.
"""

from typing import Final

import ray
from fastapi import FastAPI, Request, Response
from ray import serve

from orchestrator.bootstrap import prepare_environment
from orchestrator.runtime import RunningSystem
from orchestrator.settings import load_settings

__all__ = ["APPLICATION", "PATH", "PREFIX", "READY_PATH", "SERVE_LOGGING", "bound_noop", "main"]

PREFIX: Final = "/benchmark"
PATH: Final = f"{PREFIX}/noop"
READY_PATH: Final = f"{PREFIX}/ready"
APPLICATION: Final = "benchmark-noop"
SERVE_LOGGING: Final = {"log_level": "WARNING", "enable_access_log": False}


def _build() -> FastAPI:
    app = FastAPI()

    @app.post("/noop")
    async def noop(request: Request) -> Response:
        await request.body()
        return Response(b'{"success":true}', media_type="application/json")

    @app.get("/ready")
    async def ready() -> Response:
        return Response(b"{}", media_type="application/json")

    return app


def bound_noop() -> serve.Application:
    """One replica of it, with the options of the system's own ingress."""
    return (
        serve.deployment(
            name="noop",
            num_replicas=1,
            max_ongoing_requests=1024,
            ray_actor_options={"num_cpus": 0},
        )(serve.ingress(_build)())
    ).bind()


def main() -> None:
    """Join the system of `ORCHESTRATOR_DATA_DIR` and deploy."""
    settings = load_settings()
    running = RunningSystem.find(settings.data_dir)
    if running is None:
        raise SystemExit(f"no system runs out of {settings.data_dir}")
    prepare_environment(settings)
    ray.init(address=running.ray_address, log_to_driver=False)
    serve.run(
        bound_noop(),
        name=APPLICATION,
        route_prefix=PREFIX,
        logging_config=SERVE_LOGGING,
    )
    ray.shutdown()


if __name__ == "__main__":
    main()
