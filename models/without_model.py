"""What policies share that use no model and keep no record of what is under way."""

from typing import ClassVar

from .context import SelectionContext
from .model import SelectionModel

__all__ = ["WithoutModel"]


class WithoutModel:
    """The parts of the protocol that such a policy has no use for."""

    model_version: ClassVar[str | None] = None

    def dispatch(
        self, context: SelectionContext, provider: str, attempt_number: int, at: float
    ) -> None:
        """Nothing: what is under way changes no order."""

    def withdraw(self, context: SelectionContext, provider: str, at: float) -> None:
        """Nothing, as of the start."""

    def swap(self, model: SelectionModel | None) -> None:
        """Nothing: it uses no model."""
