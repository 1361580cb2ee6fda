"""Where a running system can be found: a file in its data folder, written when it is ready."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import psutil

__all__ = ["RUNTIME_FILE", "TOKEN_FILE", "RunningSystem"]

RUNTIME_FILE: Final = "runtime.json"
TOKEN_FILE: Final = "ray.token"  # noqa: S105  a file's name, not its content


@dataclass(frozen=True, slots=True)
class RunningSystem:
    """A system that runs on this machine out of one data folder.

    `started_at` is the process's start in unix seconds, which tells it from a later process that
    was given the same number. `url` is None where it serves no HTTP.
    """

    pid: int
    started_at: float
    ray_address: str
    url: str | None
    sandbox_url: str | None

    @classmethod
    def here(cls, *, ray_address: str, url: str | None, sandbox_url: str | None) -> Self:
        """This process's."""
        process = psutil.Process()
        return cls(process.pid, process.create_time(), ray_address, url, sandbox_url)

    @classmethod
    def find(cls, data_dir: Path) -> Self | None:
        """The system that runs out of this folder, None where there is none or it has died."""
        try:
            found = cls(**json.loads((data_dir / RUNTIME_FILE).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found if found.is_alive() else None

    def is_alive(self) -> bool:
        """Whether its process still runs."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started_at) < 1.0
        except psutil.Error:
            return False

    def write(self, data_dir: Path) -> None:
        """Make it known; readers see it whole or not at all."""
        draft = data_dir / f".{RUNTIME_FILE}.{self.pid}"
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(draft, data_dir / RUNTIME_FILE)  # noqa: PTH105  says that it replaces

    def forget(self, data_dir: Path) -> None:
        """Take it back, unless another system has taken its place."""
        if RunningSystem.find(data_dir) in (None, self):
            (data_dir / RUNTIME_FILE).unlink(missing_ok=True)
