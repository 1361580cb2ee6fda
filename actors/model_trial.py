"""A running router follows the trial of a challenger, as it follows the active model."""

import asyncio
from typing import Final

import structlog

from models import ModelRegistry, ModelUnusable
from models.promotion import TrialOptions, TrialPolicy, TrialWatch
from orchestrator.domain import Json

__all__ = ["TrialFollowing"]

_EVERY_S: Final = 1.0
_log = structlog.get_logger("models")


class TrialFollowing:
    """Gives the challenger's model and its share to the policy when the trial changes.

    What cannot be read is reported once, and the champion decides alone.
    """

    def __init__(self, registry: ModelRegistry, watch: TrialWatch, policy: TrialPolicy) -> None:
        self._registry = registry
        self._watch = watch
        self._policy = policy
        self._options = TrialOptions()
        self._task: asyncio.Task[None] | None = None

    def poll(self) -> None:
        """Look once; cheap where nothing has changed."""
        try:
            if not self._watch.poll():
                return
            trial = self._watch.trial
            if trial is None:
                self._policy.give_up()
                return
            model = self._registry.load(trial.challenger)
        except (ModelUnusable, OSError) as error:
            self._policy.give_up()
            _log.error("trial_unusable", problem=str(error))
            return
        self._policy.try_out(model, share=trial.share(self._options))
        _log.info("trial_followed", challenger=trial.challenger, stage=trial.stage.value)

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

    def describe(self) -> Json:
        """The trial, for the `model` member of the stats; None without one."""
        trial = self._watch.trial
        if trial is None:
            return None
        return {
            "version": trial.challenger,
            "stage": trial.stage.value,
            "share": trial.share(self._options),
        }

    async def _poll_forever(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            self.poll()
