"""What each of Ray's worker processes, and the one that starts them, does before anything else."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

__all__ = ["HOOK", "HOOK_VARIABLE", "keep_pandas_out_of_serve"]

HOOK_VARIABLE: Final = "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR"
"""Names a function, as `module.function`, that each worker process calls when it starts."""
HOOK: Final = "orchestrator.worker_start.keep_pandas_out_of_serve"

_ASKS: Final = "ray.serve._private.utils"
_NOT_FOR_IT: Final = "pandas"


class _NotForServe(MetaPathFinder):
    """Serve imports pandas, where it is installed, to encode answers that are frames; none is here.

    That is 40 MB and a third of a second in every process of Serve's. Whoever else imports it gets
    it.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  of the protocol
        target: ModuleType | None = None,  # noqa: ARG002  as above
    ) -> ModuleSpec | None:
        """Find nothing, or refuse."""
        if fullname == _NOT_FOR_IT and _is_being_imported(_ASKS):
            raise ModuleNotFoundError(f"{fullname} is kept out of Ray Serve", name=fullname)
        return None


def keep_pandas_out_of_serve() -> None:
    """Have Ray Serve, when it is imported in this process, believe that pandas is not there."""
    if not any(isinstance(finder, _NotForServe) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NotForServe())


def _is_being_imported(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and bool(getattr(module.__spec__, "_initializing", False))
