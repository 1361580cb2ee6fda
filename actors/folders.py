"""A guard against a mixed installation: our packages have names that others use too."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from orchestrator.domain import ConfigurationError

__all__ = ["check_same_folder"]

_PACKAGES: Final = ("orchestrator", "actors", "models", "sandbox")


def check_same_folder() -> None:
    """Refuse to run with packages out of different folders.

    Raises:
        ConfigurationError: names the packages and where each was found.

    """
    found: dict[str, Path] = {}
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise ConfigurationError(f"package {name!r} is not installed: run 'make env'")
        found[name] = Path(next(iter(spec.submodule_search_locations))).resolve().parent
    if len(set(found.values())) > 1:
        places = ", ".join(f"{name} in {folder}" for name, folder in found.items())
        raise ConfigurationError(f"packages come from different folders: {places}")
