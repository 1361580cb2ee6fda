"""A running router takes up the active model, without a restart and without a request lost."""

import asyncio
from typing import Final

import structlog

from models import ActiveModelWatch, SelectionModel, Unchanged
from models.promotion import TrialPolicy
from orchestrator.domain import Json, from_unix, rfc3339

__all__ = ["ModelTakeUp"]

_EVERY_S: Final = 1.0
_log = structlog.get_logger("models")


class ModelTakeUp:
    """Swaps the policy's model when the registry names another.

    A damaged model is reported once and the old one stays.
    """

    def __init__(self, watch: ActiveModelWatch, policy: TrialPolicy) -> None:
        self._watch = watch
        self._policy = policy
        self._model: SelectionModel | None = None
        self._task: asyncio.Task[None] | None = None

    def poll(self) -> None:
        """Look once; cheap where nothing has changed."""
        found = self._watch.poll()
        if isinstance(found, Unchanged):
            if found.problem is not None:
                _log.error("model_unusable", problem=found.problem)
            return
        self._policy.swap(found)
        self._model = found
        _log.info("model_active", version=None if found is None else found.version)

    def start(self) -> None:
        """Begin to look each second, on the running event loop."""
        self.poll()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._poll_forever())

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def describe(self) -> dict[str, Json]:
        """The `model` member of the stats."""
        model = self._model
        return {
            "version": None if model is None else model.version,
            "policy": self._policy.name,
            "trainedAt": None if model is None else rfc3339(from_unix(model.trained_at)),
        }

    async def _poll_forever(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            self.poll()
