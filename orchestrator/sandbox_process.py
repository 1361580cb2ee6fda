"""The sandbox as a process of its own, and the environment that points the providers at it."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.domain import ConfigurationError

__all__ = ["SandboxProcess", "sandbox_environment"]

_START_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 5.0
# Documented credentials of the sandbox; they open nothing else.
_CREDENTIALS: Final[Mapping[str, str]] = {
    "PLAID_CLIENT_ID": "sandbox_client",
    "PLAID_SECRET": "sandbox_secret",
    "MX_CLIENT_ID": "sandbox_client",
    "MX_API_KEY": "sandbox_key",
    "FINICITY_PARTNER_ID": "sandbox_partner",
    "FINICITY_PARTNER_SECRET": "sandbox_secret",
    "FINICITY_APP_KEY": "sandbox_app_key",
    "BELVO_SECRET_ID": "sandbox_id",
    "BELVO_SECRET_PASSWORD": "sandbox_password",
}


def sandbox_environment(sandbox_url: str) -> dict[str, str]:
    """Environment variables that make every provider the sandbox's, in place of any real one."""
    addresses = {
        f"{name.upper()}_BASE_URL": f"{sandbox_url}/{name}"
        for name in ("plaid", "mx", "finicity", "belvo", "bitso")
    }
    stages = {f"{name}_ENV": "sandbox" for name in ("PLAID", "MX", "BELVO")}
    return {**_CREDENTIALS, **addresses, **stages}


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
