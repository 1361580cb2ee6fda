"""An institution: our id, and what each provider calls it."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Institution"]


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution in one region. `provider_ids` holds only the providers that cover it."""

    institution_id: str
    name: str
    region: str
    provider_ids: Mapping[str, str]
