"""How a running router notices that another model became active."""

from dataclasses import dataclass

from .errors import ModelUnusable
from .model import SelectionModel
from .registry import ModelRegistry

__all__ = ["ActiveModelWatch", "Unchanged"]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Go on with what you have; `problem` says, once, why the active model was not taken up."""

    problem: str | None = None


class ActiveModelWatch:
    """Tells whoever holds a policy and polls it, each second say, of a newly active model.

        match watch.poll():
            case Unchanged(problem): ...    # report the problem, if there is one
            case model: policy.swap(model)  # None: nothing is active any more

    It begins as a policy does, without a model. A model that cannot be used leaves the old one in
    place; it is tried again at every poll and taken up as soon as it is whole. An idle poll is one
    `stat`. Not thread-safe.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._seen: tuple[int, int, int] | None = None
        self._version: str | None = None
        self._problem: str | None = None

    def poll(self) -> SelectionModel | Unchanged | None:
        """The newly active model, None if there is no longer one, or `Unchanged`."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return Unchanged()
            version = self._registry.active()
            same = version == self._version
            model = None if same or version is None else self._registry.load(version)
        except (ModelUnusable, OSError) as error:
            return self._report(str(error))
        self._seen, self._version, self._problem = stamp, version, None
        return Unchanged() if same else model

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            stat = self._registry.pointer.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _report(self, problem: str) -> Unchanged:
        if problem == self._problem:
            return Unchanged()
        self._problem = problem
        return Unchanged(problem)
