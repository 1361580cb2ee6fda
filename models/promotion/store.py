"""The trial under way, on disk beside the models, and how a router notices that it changed.

    <folder>/trial.json      the trial, if there is one, and how earlier ones ended

Written by the retraining job alone; it appears by one rename.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import ModelUnusable

from .trial import Stage, Trial

__all__ = ["TrialStore", "TrialWatch"]

_FILE: Final = "trial.json"
_HISTORY: Final = 100


class TrialStore:
    """The trial in one folder of models.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = TrialStore(folder)
    ...     store.write(Trial.begin("v2", "v1", now=0.0))
    ...     store.current().stage.value
    'shadow'

    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    @property
    def path(self) -> Path:
        """The file of the trial."""
        return self.folder / _FILE

    def current(self) -> Trial | None:
        """The trial under way; None where there is none.

        Raises:
            ModelUnusable: the file is damaged.

        """
        stored = self._read().get("trial")
        if stored is None:
            return None
        try:
            return _trial(stored)
        except (KeyError, TypeError, ValueError):
            raise ModelUnusable(f"{_FILE} is damaged: the next trial mends it") from None

    def history(self) -> list[Mapping[str, object]]:
        """How trials went, oldest first: each change of stage with `at` (unix s) and `why`.

        Raises:
            ModelUnusable: the file is damaged.

        """
        history = self._read().get("history", [])
        if not isinstance(history, list):
            raise ModelUnusable(f"{_FILE} is damaged: its history is not a list")
        return list(history)

    def write(self, trial: Trial) -> None:
        """Keep where a trial is; one that has ended leaves its place and goes into the history.

        Raises:
            OSError: the folder cannot be written.

        """
        try:
            history = self.history()
        except ModelUnusable:
            history = []  # a damaged file is mended by writing a new one
        entry = _json(trial)
        if not history or history[-1] != entry:
            history.append(entry)
        content = {
            "trial": None if trial.stage.ended else entry,
            "history": history[-_HISTORY:],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=self.folder, prefix=".trial-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self.path)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise

    def _read(self) -> Mapping[str, object]:
        try:
            content: object = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            raise ModelUnusable(f"{_FILE} is damaged: the next trial mends it") from None
        if not isinstance(content, dict):
            raise ModelUnusable(f"{_FILE} is damaged: the next trial mends it")
        return content


@dataclass(frozen=True, slots=True)
class _Stamp:
    mtime_ns: int
    inode: int
    size: int


class TrialWatch:
    """Tells a router of a changed trial: `poll` answers True once for each change.

    `trial` is the last one that could be read; a damaged file leaves it in place. An idle poll is
    one `stat`. Not thread-safe.
    """

    def __init__(self, store: TrialStore) -> None:
        self._store = store
        self._seen: _Stamp | None = None
        self.trial: Trial | None = None

    def poll(self) -> bool:
        """Look once.

        Raises:
            ModelUnusable: the file is damaged; said once for each state of it.

        """
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        before, self.trial = self.trial, self._store.current()
        return before != self.trial

    def _stamp(self) -> _Stamp | None:
        try:
            stat = self._store.path.stat()
        except FileNotFoundError:
            return None
        return _Stamp(stat.st_mtime_ns, stat.st_ino, stat.st_size)


def _json(trial: Trial) -> dict[str, object]:
    compared = trial.comparison
    return {
        "challenger": trial.challenger,
        "champion": trial.champion,
        "stage": trial.stage.value,
        "at": trial.since,
        "why": trial.why,
        "challengerCalls": compared.challenger_calls,
        "championCalls": compared.champion_calls,
    }


def _trial(stored: object) -> Trial:
    """The trial without its evidence, which is counted from the log anew."""
    if not isinstance(stored, dict):
        raise TypeError("a trial is an object")
    return Trial(
        challenger=str(stored["challenger"]),
        champion=None if stored["champion"] is None else str(stored["champion"]),
        stage=Stage(stored["stage"]),
        since=float(stored["at"]),
        why=str(stored["why"]),
    )
