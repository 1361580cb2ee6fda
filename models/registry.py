"""Trained models on disk, which of them is active, and how a router notices a change.

    <folder>/<version>/      one model (see `artefact`), never changed once it is there
    <folder>/active.json     the active version and what was active before

Everything appears by one rename, so a reader sees all of a model or nothing of it.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .artefact import read_artefact, read_card, write_artefact
from .errors import ModelNotFound, ModelUnusable
from .model import SelectionModel

__all__ = ["ModelCard", "ModelRegistry"]

_VERSION: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_POINTER: Final = "active.json"
_HISTORY: Final = 100


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One stored model as a list shows it.

    `trained_at` is unix seconds, None where the card cannot be read; `problem` then says why.
    """

    version: str
    trained_at: float | None
    active: bool
    card: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None


class ModelRegistry:
    """The models in one folder; made on the first `save`. Any number of processes may share it.

    >>> import tempfile
    >>> model = SelectionModel.of(trained_at=0.0, card={},
    ...                           table={("plaid", "getAccounts", "US", None): 0.9})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     registry = ModelRegistry(folder)
    ...     version = registry.save(model)
    ...     registry.activate(version)
    ...     registry.load(registry.active()).prior("plaid", "getAccounts", "US", "ins_chase")
    0.9

    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    @property
    def pointer(self) -> Path:
        """The file that names the active version."""
        return self.folder / _POINTER

    def save(self, model: SelectionModel) -> str:
        """Store a model and answer its version; storing the same one again changes nothing.

        Raises:
            OSError: the folder cannot be written.

        """
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / model.version
        if place.exists():
            return model.version
        draft = Path(tempfile.mkdtemp(dir=self.folder, prefix=".saving-"))
        try:
            write_artefact(model, draft)
            draft.rename(place)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not place.exists():  # else another process stored the same model first
                raise
        return model.version

    def load(self, version: str) -> SelectionModel:
        """The model of that version, checked whole.

        Raises:
            ModelNotFound: there is none.
            ModelUnusable: it is damaged, foreign or of another schema.

        """
        return read_artefact(self._place(version))

    def versions(self) -> list[ModelCard]:
        """Every stored model, oldest first; one that cannot be used says so in `problem`."""
        if not self.folder.is_dir():
            return []
        active = self._active_or_none()
        names = sorted(
            entry.name
            for entry in self.folder.iterdir()
            if entry.is_dir() and _VERSION.fullmatch(entry.name)
        )
        return [self._card(name, active=name == active) for name in names]

    def active(self) -> str | None:
        """The active version; None where there is none.

        Raises:
            ModelUnusable: the pointer file is damaged.

        """
        version = self._pointer().get("version")
        return version if isinstance(version, str) else None

    def history(self) -> list[Mapping[str, object]]:
        """What was activated when, oldest first.

        Each has `version` (None: deactivated), `at` (unix s), `by` and `why`.

        Raises:
            ModelUnusable: the pointer file is damaged.

        """
        history = self._pointer().get("history", [])
        if not isinstance(history, list):
            raise ModelUnusable(f"{_POINTER} is damaged: its history is not a list")
        return list(history)

    def activate(
        self,
        version: str,
        *,
        at: float | None = None,
        by: str = "operator",
        why: str = "activated",
    ) -> None:
        """Make a version the active one, once it has proved readable; `at` is unix seconds.

        `by` and `why` go into the history.

        Raises:
            ModelNotFound: there is no such version.
            ModelUnusable: it is damaged, foreign or of another schema; what was active stays.

        """
        self.load(version)
        self._point(version, at, by, why)

    def deactivate(
        self,
        *,
        at: float | None = None,
        by: str = "operator",
        why: str = "deactivated",
    ) -> None:
        """Leave no model active: routers go on from the priority order and live health."""
        self._point(None, at, by, why)

    def roll_back(self, *, at: float | None = None, by: str = "operator") -> str | None:
        """Go back to what was active before the active one, and answer it; None: no model.

        A version that can no longer be used is passed over.

        Raises:
            ModelUnusable: the pointer file is damaged.

        """
        left, seen = self.active(), [entry.get("version") for entry in self.history()]
        while seen and seen[-1] == left:
            seen.pop()
        for version in reversed(seen):
            if not isinstance(version, str) or version == left:
                break
            try:
                self.activate(version, at=at, by=by, why=f"rolled back from {left}")
            except ModelUnusable:
                continue
            return version
        self.deactivate(at=at, by=by, why=f"rolled back from {left}")
        return None

    def _point(self, version: str | None, at: float | None, by: str, why: str) -> None:
        try:
            history = self.history()
        except ModelUnusable:
            history = []  # a damaged pointer is mended by writing a new one
        now = time.time() if at is None else at
        entry = {"version": version, "at": now, "by": by, "why": why}
        content = {"version": version, "history": [*history, entry][-_HISTORY:]}
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=self.folder, prefix=".active-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self.pointer)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise

    def _pointer(self) -> Mapping[str, object]:
        try:
            content: object = json.loads(self.pointer.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            raise ModelUnusable(f"{_POINTER} is damaged: activate a version to mend it") from None
        if not isinstance(content, dict):
            raise ModelUnusable(f"{_POINTER} is damaged: activate a version to mend it")
        return content

    def _active_or_none(self) -> str | None:
        try:
            return self.active()
        except ModelUnusable:
            return None

    def _card(self, version: str, *, active: bool) -> ModelCard:
        try:
            stored = read_card(self.folder / version)
        except ModelUnusable as error:
            return ModelCard(version, None, active=active, problem=str(error))
        trained_at, card = stored.get("trainedAt"), stored.get("card")
        return ModelCard(
            version,
            float(trained_at) if isinstance(trained_at, int | float) else None,
            active=active,
            card=card if isinstance(card, dict) else {},
        )

    def _place(self, version: str) -> Path:
        place = self.folder / version
        if not _VERSION.fullmatch(version) or not place.is_dir():
            raise ModelNotFound(f"no model {version!r} is stored in this registry")
        return place
