"""A webhook on its way from the edge to its provider's actor."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["WebhookDelivery"]


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One delivery as it came, its body raw. Header names are lower case.

    `received_at` is unix seconds. Neither headers nor body are shown: they can hold secrets.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: float
