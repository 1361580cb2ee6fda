"""The sandbox as a process of its own, and the environment that points the providers at it."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from orchestrator.domain import ConfigurationError
from orchestrator.provider_registry import REGISTRY

__all__ = ["SandboxProcess", "sandbox_environment"]

_START_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 5.0


def sandbox_environment(sandbox_url: str) -> dict[str, str]:
    """Environment variables that make every provider the sandbox's, in place of any real one."""
    environment: dict[str, str] = {}
    for spec in REGISTRY.values():
        environment |= zip(spec.credentials, spec.sandbox_credentials, strict=True)
        environment[f"{spec.env_prefix}_BASE_URL"] = f"{sandbox_url}/{spec.name}"
        environment[f"{spec.env_prefix}_ENV"] = "sandbox"
    return environment


class SandboxProcess:
    """Starts `python -m sandbox` and ends it.

    Args:
        port: on 127.0.0.1.
        seed: of its world.
        data_dir: keeps what was linked, and its log.

    """

    def __init__(self, port: int, seed: int, data_dir: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        data_dir.mkdir(parents=True, exist_ok=True)
        self._log_path = data_dir / "sandbox.log"
        arguments = ["-m", "sandbox", "--port", str(port), "--seed", str(seed)]
        arguments += ["--state", str(data_dir / "sandbox.json"), "--until-stdin-closes"]
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [sys.executable, *arguments],
                # Ours alone, so that the sandbox notices even when we are killed.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # Of its own, so that Ctrl-C in the terminal reaches it through us, in our order.
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            ConfigurationError: it did not start; says why.

        """
        ended = threading.Event()
        spoke: list[bytes] = []
        output = self._process.stdout

        def listen() -> None:
            if output is not None:
                spoke.append(output.readline())
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        if ended.wait(_START_TIMEOUT_S) and spoke[0]:
            return
        self.stop()
        said = self._log_path.read_text(encoding="utf-8", errors="replace").strip()
        raise ConfigurationError(
            f"the sandbox did not start: {said.splitlines()[-1] if said else 'it said nothing'}"
        )

    def stop(self) -> None:
        """End it, and wait until it is gone."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
