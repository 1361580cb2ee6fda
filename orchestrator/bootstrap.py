"""Starting and stopping a whole system on this machine: sandbox, Ray, actors, Ray Serve.

The one place where the parts meet. Settings that must reach every process travel in the
environment, which Ray's processes inherit; secrets never in arguments.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.domain import ConfigurationError, OrchestratorError
from orchestrator.ingress import LOOPBACK, OwnPlaces, ray_environment, tell_imported_ray
from orchestrator.ray_start import start_ray
from orchestrator.ray_stop import stop_ray
from orchestrator.runtime import TOKEN_FILE, RunningSystem
from orchestrator.sandbox_process import SandboxProcess, sandbox_environment
from orchestrator.settings import Settings, load_settings

if TYPE_CHECKING:
    from ray import ObjectRef

    from actors.options import Handle
    from actors.remote_ports import RemoteProvider

__all__ = ["Progress", "System", "prepare_environment"]

T = TypeVar("T")

Progress = Callable[[str], None]
"""Is told each step, so that nobody wonders."""

_ACTOR_START_TIMEOUT_S: Final = 120.0
_SERVE_LOGGING: Final = {"log_level": "WARNING", "enable_access_log": False}


def prepare_environment(settings: Settings) -> None:
    """Put what every process must see alike into the environment, best before Ray is imported."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    os.environ["ORCHESTRATOR_DATA_DIR"] = str(settings.data_dir)
    if settings.environment.config is not None:
        os.environ["ORCHESTRATOR_CONFIG"] = str(settings.environment.config.absolute())
    for name, value in ray_environment().items():
        os.environ.setdefault(name, value)
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(_token_file(settings.data_dir))
    tell_imported_ray()


def _token_file(data_dir: Path) -> Path:
    """Ray's own token file is made readable for everybody; ours is not."""
    path = data_dir / TOKEN_FILE
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path


def check_port_free(host: str, port: int, variable: str) -> None:
    """Refuse a port that somebody listens on.

    Raises:
        ConfigurationError: it is taken; names the variable to set.

    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {host} cannot be used ({error.strerror}): set {variable}"
            ) from None


class System:
    """A system started by this process. `start`, then `stop` whatever happened in between.

    Args:
        settings: where and what to serve.
        progress: is told each step.
        http: whether Ray Serve is started, too.
        use_sandbox: True starts the sandbox and ignores real credentials, False never starts it,
            None starts it when no provider's credentials are set.
        cancelled: when set, the start is given up after the step that is under way.

    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        *,
        http: bool = True,
        use_sandbox: bool | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._settings = settings
        self._cancelled = cancelled or threading.Event()
        self._progress = progress
        self._http = http
        self._use_sandbox = use_sandbox
        self._sandbox: SandboxProcess | None = None
        self._places: OwnPlaces | None = None
        self._serve_host = settings.environment.host
        self._running: RunningSystem | None = None
        self._ray_started = False
        self._providers: dict[str, RemoteProvider] = {}
        self._starting: dict[str, ObjectRef[object]] = {}

    @property
    def running(self) -> RunningSystem:
        """Where it can be found.

        Raises:
            OrchestratorError: it has not been started.

        """
        if self._running is None:
            raise OrchestratorError("the system has not been started")
        return self._running

    def start(self) -> RunningSystem:
        """Start everything; on failure stop what was started.

        Raises:
            ConfigurationError: something is missing, taken or already running.
            OrchestratorError: an actor did not start, or the start was given up.

        """
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def take_up_backfills(self) -> None:
        """Have the jobs go on that the end of an earlier system has cut off.

        Call it once the system is ready: nobody who asks for something waits for it.
        """
        from actors.options import begin_backfill  # noqa: PLC0415  imports Ray
        from orchestrator.backfill import cut_off_jobs  # noqa: PLC0415  as above

        for job_id in cut_off_jobs(self._settings.data_dir):
            begin_backfill(job_id)
            self._progress(f"backfill job {job_id} goes on")

    def stop(self) -> None:
        """Drain and stop everything that was started. Quiet where there is nothing to stop."""
        if self._running is not None:
            self._running.forget(self._settings.data_dir)
            self._running = None
        if self._ray_started:
            stop_ray(self._providers, self._progress, http=self._http)
            self._ray_started = False
            self._progress("Ray stopped")
        if self._places is not None:
            self._places.remove()
            self._places = None
        if self._sandbox is not None:
            self._sandbox.stop()
            self._sandbox = None
            self._progress("sandbox stopped")

    def _start(self) -> RunningSystem:
        found = RunningSystem.find(self._settings.data_dir)
        if found is not None:
            raise ConfigurationError(
                f"a system runs out of {self._settings.data_dir} already (process {found.pid}): "
                "stop it, or set ORCHESTRATOR_DATA_DIR and ORCHESTRATOR_PORT for a second one"
            )
        from actors.preflight import check_installation, check_vault  # noqa: PLC0415  --help is fast

        check_installation(self._settings, http=self._http)
        host, port = self._settings.environment.host, self._settings.environment.port
        if self._http:
            check_port_free(host, port, "ORCHESTRATOR_PORT")
        check_vault(self._settings)
        prepare_environment(self._settings)
        if self._http:
            self._take_places(host, port)
        self._start_sandbox()
        address = self._step(self._start_ray)
        self._step(self._make_actors)
        if self._http:
            self._step(lambda: self._start_serve(port))
        self._step(self._await_actors)
        if self._http:
            self._step(self._run_application)
        self._running = RunningSystem.here(
            ray_address=address,
            url=f"http://{host}:{port}" if self._http else None,
            sandbox_url=None if self._sandbox is None else self._sandbox.url,
        )
        self._running.write(self._settings.data_dir)
        self._start_retraining()
        return self._running

    def _step(self, work: Callable[[], T]) -> T:
        if self._cancelled.is_set():
            raise OrchestratorError("the start was given up")
        return work()

    def _take_places(self, host: str, port: int) -> None:
        """Tell Serve, before it is imported anywhere, to answer through HAProxy where there is one."""
        from orchestrator.web.ingress import take_haproxy  # noqa: PLC0415  keeps --help fast

        self._places = OwnPlaces.find(self._settings.data_dir)
        most = self._settings.policies.ingress.max_requests
        if take_haproxy(self._places, host, port, most_requests=most):
            self._serve_host = LOOPBACK  # HAProxy alone listens where callers come
        else:
            self._progress("no HAProxy on this machine: Ray Serve's own proxy answers, slower")

    def _start_sandbox(self) -> None:
        from actors.installation import configured_providers  # noqa: PLC0415  keeps --help fast

        wanted = self._use_sandbox
        if wanted is None:
            wanted = not configured_providers(self._settings)
        if not wanted:
            return
        port = self._settings.environment.sandbox_port
        check_port_free("127.0.0.1", port, "ORCHESTRATOR_SANDBOX_PORT")
        self._sandbox = SandboxProcess(
            port, self._settings.environment.seed, self._settings.data_dir
        )
        self._sandbox.wait_ready()
        os.environ.update(sandbox_environment(self._sandbox.url))
        self._settings = load_settings()
        why = "as asked" if self._use_sandbox else "as no provider credentials are set"
        self._progress(f"sandbox providers at {self._sandbox.url}, {why}")

    def _start_ray(self) -> str:
        from actors.options import NAMESPACE  # noqa: PLC0415  imports Ray

        self._ray_started = True
        address = start_ray(NAMESPACE)
        self._progress("Ray started")
        return address

    def _make_actors(self) -> None:
        """Make the actors; they start while other things do."""
        from actors.installation import configured_providers  # noqa: PLC0415  as above
        from actors.options import attempt_log_actor, provider_actor, vault_actor  # noqa: PLC0415
        from actors.remote_ports import RemoteProvider  # noqa: PLC0415  as above

        handles: dict[str, Handle] = {"vault": vault_actor(), "attempt log": attempt_log_actor()}
        for name in configured_providers(self._settings):
            handle = provider_actor(name)
            handles[f"provider {name}"] = handle
            self._providers[name] = RemoteProvider(handle)
        self._starting = {what: h.__ray_ready__.remote() for what, h in handles.items()}

    def _start_retraining(self) -> None:
        """Have models trained beside all that serves; nobody waits for it to come up."""
        from actors.options import retraining_actor  # noqa: PLC0415  as above

        if self._settings.policies.learning.retrain_every_s:
            retraining_actor()

    def _await_actors(self) -> None:
        import ray  # noqa: PLC0415  as above
        from ray.exceptions import RayError  # noqa: PLC0415  as above

        deadline = time.monotonic() + _ACTOR_START_TIMEOUT_S
        for what, reference in self._starting.items():
            try:
                ray.get(reference, timeout=max(0.1, deadline - time.monotonic()))
            except RayError as error:
                cause = getattr(error, "cause", None) or error
                raise OrchestratorError(f"the actor of {what} did not start: {cause}") from None
            self._progress(f"{what} ready")

    def _start_serve(self, port: int) -> None:
        from ray import serve  # noqa: PLC0415  as above

        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": self._serve_host, "port": port, "access_log": False},
            logging_config=_SERVE_LOGGING,
        )
        self._progress("Ray Serve started")

    def _run_application(self) -> None:
        from ray import serve  # noqa: PLC0415  as above

        from orchestrator.web.deployment import APPLICATION, app  # noqa: PLC0415  as above

        serve.run(app, name=APPLICATION, route_prefix="/", logging_config=_SERVE_LOGGING)
        self._progress("HTTP ready")
