"""A whole system as a user starts it: `orchestrator serve` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from orchestrator.provider_registry import REGISTRY
from orchestrator.sandbox_process import sandbox_environment

START_TIMEOUT_S = 170.0
STOP_TIMEOUT_S = 60.0
_OURS = ("ORCHESTRATOR_", "RAY_", *(f"{spec.env_prefix}_" for spec in REGISTRY.values()))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Serving:
    """A running `orchestrator serve` with sandbox providers."""

    url: str
    sandbox_url: str
    data_dir: Path
    environ: dict[str, str]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def http(self) -> httpx.Client:
        """A client of the server."""
        return httpx.Client(base_url=self.url, timeout=60)

    def sandbox(self) -> httpx.Client:
        """A client of the sandbox."""
        return httpx.Client(base_url=self.sandbox_url, timeout=30)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `orchestrator` with these arguments against this system."""
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def python(self, program: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program that joins this system."""
        return subprocess.run(
            [sys.executable, "-c", program],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def processes(self) -> list[psutil.Process]:
        """Every live process that was started for this data folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("ORCHESTRATOR_DATA_DIR") == str(self.data_dir):
                    found.append(process)
            except psutil.Error:
                continue
        return [p for p in found if p.pid != os.getpid() and p.status() != psutil.STATUS_ZOMBIE]

    def kill(self) -> None:
        """End every process of it at once, as a machine's memory killer might, or a power cut."""
        processes = [*self.processes(), psutil.Process(self.process.pid)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        # Large ones take a moment to go, and hold their locks till then.
        psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S)

    def stop(self) -> int:
        """Ask it to stop, as an init system would; answers its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)


@contextmanager
def serving(folder: Path, config: str = "", *, sandbox_url: str | None = None) -> Iterator[Serving]:
    """Start a system with its own ports and data; stop it whatever happens.

    Args:
        folder: gets its data, and may hold those of an earlier one.
        config: TOML over the shipped defaults.
        sandbox_url: a sandbox that outlives the system; its own when left out.

    """
    port, sandbox_port = free_port(), free_port()
    data_dir = (folder / "data").resolve()
    config_file = folder / "orchestrator.toml"
    config_file.write_text(config, encoding="utf-8")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)} | {
        "ORCHESTRATOR_DATA_DIR": str(data_dir),
        "ORCHESTRATOR_PORT": str(port),
        "ORCHESTRATOR_SANDBOX_PORT": str(sandbox_port),
        "ORCHESTRATOR_CONFIG": str(config_file),
        "ORCHESTRATOR_SEED": "7",
        "PYTHONUNBUFFERED": "1",
        **({} if sandbox_url is None else sandbox_environment(sandbox_url)),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "serve"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A group of its own, as a shell gives it, so that a test can send that group a signal.
        start_new_session=True,
    )
    system = Serving(
        url=f"http://127.0.0.1:{port}",
        sandbox_url=sandbox_url or f"http://127.0.0.1:{sandbox_port}",
        data_dir=data_dir,
        environ=environ,
        process=process,
    )
    ready = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            system.lines.append(line.rstrip())
            if line.startswith("ready at"):
                ready.set()
        ready.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        assert ready.wait(START_TIMEOUT_S), f"not ready in time: {system.lines}"
        # Its last line may be read before its end can be seen.
        said = any(line.startswith("ready at") for line in system.lines)
        assert said, f"it ended: {system.lines}"
        assert process.poll() is None, f"it ended: {system.lines}"
        yield system
    finally:
        try:
            system.stop()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join(5)
        if process.stdout is not None:
            process.stdout.close()
