"""The latest alarms of the drift watch, on disk beside the models, for whoever shows them."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from .drift import Alarm

__all__ = ["DriftFile"]

_FILE: Final = "drift.json"


class DriftFile:
    """The alarms in one folder of models.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     DriftFile(folder).write([Alarm("calibration", "worse")], at=0.0)
    ...     DriftFile(folder).alarms()
    (Alarm(what='calibration', detail='worse'),)

    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._path = Path(folder) / _FILE

    def alarms(self) -> tuple[Alarm, ...]:
        """What the last look found; nothing where there was none, or where the file is damaged."""
        try:
            content = json.loads(self._path.read_bytes())
            return tuple(Alarm(str(one["what"]), str(one["detail"])) for one in content["alarms"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def write(self, alarms: Iterable[Alarm], *, at: float) -> None:
        """Keep what a look at unix time `at` found.

        Raises:
            OSError: the folder cannot be written.

        """
        listed = [{"what": alarm.what, "detail": alarm.detail} for alarm in alarms]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"at": at, "alarms": listed}, indent=2), encoding="utf-8")
        draft.replace(self._path)
