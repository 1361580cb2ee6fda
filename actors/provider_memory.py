"""What a provider's actor remembers over its own death: circuits, limits, and how much it has sent.

Two small files a provider. One is written anew about once a second; the other is a counter in a
mapped page, raised before each call, so that what was sent after the last writing is known to the
call however the process ended.
"""

import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

import orjson
import structlog

from orchestrator.domain import Clock
from orchestrator.resilience import GuardMemory, ProviderGuard, guard_memory, restore_guard

__all__ = ["ProviderMemory"]

_VERSION: Final = 1
_COUNTER: Final = struct.Struct("<Q")

_log = structlog.get_logger("provider")


class ProviderMemory:
    """One provider's memory in a folder.

    Where the folder takes nothing, the actor works on and remembers nothing.

    Args:
        folder: of all providers' memories; made where it is missing.
        guard: what is remembered.
        clock: monotonic and wall time.

    """

    def __init__(self, folder: Path, guard: ProviderGuard, clock: Clock) -> None:
        self._path = folder / f"{guard.provider}.json"
        self._guard = guard
        self._clock = clock
        self._calls: mmap.mmap | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._calls = _mapped(folder / f"{guard.provider}.calls")
        except OSError as error:
            _log.error("memory_unwritable", provider=guard.provider, error=error.strerror)

    @property
    def calls(self) -> int:
        """Calls that were counted, over all lives of this provider's actor."""
        return 0 if self._calls is None else int(_COUNTER.unpack_from(self._calls)[0])

    def count_call(self) -> None:
        """Count a call that is about to be sent."""
        if self._calls is not None:
            _COUNTER.pack_into(self._calls, 0, self.calls + 1)

    def restore(self) -> bool:
        """Take up what the last life remembered; False where there was nothing of use.

        A memory that cannot be read leaves the guard as it is: nothing counted, nothing open.
        """
        try:
            told = orjson.loads(self._path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return False
        try:
            if told["version"] != _VERSION:
                return False
            restore_guard(
                self._guard,
                cast(GuardMemory, told["memory"]),
                self._clock.now_s(),
                self._clock.unix_s() - float(told["writtenAt"]),
                sent_since=max(0, self.calls - int(told["calls"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            _log.error(
                "memory_unreadable", provider=self._guard.provider, error=type(error).__name__
            )
            return False
        return True

    def write(self) -> None:
        """Write down how things are, whole or not at all."""
        memory = guard_memory(self._guard, self._clock.now_s())
        told: Mapping[str, object] = {
            "version": _VERSION,
            "writtenAt": self._clock.unix_s(),
            "calls": self.calls,
            "memory": memory,
        }
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_bytes(orjson.dumps(told))
            draft.replace(self._path)
        except OSError as error:
            _log.error("memory_unwritable", provider=self._guard.provider, error=error.strerror)

    def close(self) -> None:
        """Write a last time, and let the files go."""
        self.write()
        if self._calls is not None:
            self._calls.close()
            self._calls = None


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < _COUNTER.size:
            os.ftruncate(descriptor, _COUNTER.size)
        return mmap.mmap(descriptor, _COUNTER.size)
    finally:
        os.close(descriptor)
