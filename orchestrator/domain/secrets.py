"""Credentials in clear: held only by the provider's actor, never shown, never pickled."""

from collections.abc import Mapping
from typing import NoReturn

from pydantic import SecretStr

__all__ = ["Credential"]


class Credential:
    """A provider's credential for one connection, as named parts (`{"access_token": …}`).

    It shows no part in `repr` and refuses pickling, so that it cannot enter a Ray message, the
    object store or a log by accident. Parts that identify but grant nothing (an MX member guid)
    live here too: they are in no answer either.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = {name: SecretStr(value) for name, value in parts.items()}

    def __getitem__(self, name: str) -> str:
        """The clear value of a part.

        Raises:
            KeyError: there is no such part.

        """
        return self._parts[name].get_secret_value()

    def get(self, name: str) -> str | None:
        """The clear value of a part, or None."""
        part = self._parts.get(name)
        return None if part is None else part.get_secret_value()

    @property
    def names(self) -> frozenset[str]:
        """Which parts there are."""
        return frozenset(self._parts)

    def reveal(self) -> dict[str, str]:
        """All parts in clear, for sealing them into the vault and for nothing else."""
        return {name: part.get_secret_value() for name, part in self._parts.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credential) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash(frozenset(self.reveal().items()))

    def __repr__(self) -> str:
        return f"Credential({', '.join(sorted(self._parts))}: **********)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Credential is never pickled: seal it with the vault's cipher first")
