"""A trained model, as the router uses it: a table of success ratios, looked up in a dict.

The regression is evaluated over its whole grid when it is trained, so that a decision needs no
scikit-learn: a look-up takes a tenth of a microsecond, a prediction five milliseconds.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

__all__ = ["SCHEMA_VERSION", "ScoreKey", "SelectionModel", "content_digest"]

SCHEMA_VERSION: Final = 1
"""Of the stored form and of the table's meaning; models of another one are refused."""

_YEAR_10000_S: Final = 253_402_300_800.0

ScoreKey = tuple[str, str, str, str | None]
"""Provider, operation, region, institution; None stands for every institution without a row."""


@dataclass(frozen=True, slots=True)
class SelectionModel:
    """Success ratios by provider, operation, region and institution, and where they come from.

    `version` is the training time and a hash of the content (`20261123T231500Z-1a2b3c4d`).
    `trained_at` is unix seconds. `card` holds rows, span, features and metrics, as JSON values.
    Make one with `of`, which checks the table.
    """

    version: str
    trained_at: float
    schema_version: int
    table: Mapping[ScoreKey, float]
    card: Mapping[str, object]

    @classmethod
    def of(
        cls, *, trained_at: float, table: Mapping[ScoreKey, float], card: Mapping[str, object]
    ) -> Self:
        """A model of this content, its version made from it.

        Raises:
            ValueError: the table is empty, a score is not within 0 and 1, `trained_at` is not a
                time, or the card is not JSON.

        """
        if not table:
            raise ValueError("a model needs at least one score")
        for key, score in table.items():
            if not 0.0 <= score <= 1.0:
                raise ValueError(f"the score of {key} is {score}, not within 0 and 1")
        if not 0.0 <= trained_at < _YEAR_10000_S:
            raise ValueError(f"trained_at is unix seconds, not {trained_at}")
        when = datetime.fromtimestamp(trained_at, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            digest = content_digest(trained_at=trained_at, table=table, card=card)
        except TypeError as error:
            raise ValueError(f"the card is not JSON: {error}") from None
        return cls(
            version=f"{when}-{digest[:8]}",
            trained_at=trained_at,
            schema_version=SCHEMA_VERSION,
            table=dict(table),
            card=dict(card),
        )

    def prior(
        self, provider: str, operation: str, region: str, institution_id: str | None
    ) -> float | None:
        """The success ratio to expect in calm, 0 to 1; None where it knows nothing of them.

        An institution without a row of its own has that of all the rest at this provider.

        >>> model = SelectionModel.of(trained_at=0.0, card={},
        ...                           table={("plaid", "getAccounts", "US", None): 0.9})
        >>> model.prior("plaid", "getAccounts", "US", "ins_new")
        0.9
        >>> model.prior("belvo", "getAccounts", "MX", None) is None
        True

        """
        found = self.table.get((provider, operation, region, institution_id))
        if found is None and institution_id is not None:
            return self.table.get((provider, operation, region, None))
        return found

    def reward(
        self, provider: str, operation: str, region: str, institution_id: str | None
    ) -> float | None:
        """What to rank by; the prior, where nothing more is known than whether calls worked."""
        return self.prior(provider, operation, region, institution_id)


def content_digest(
    *, trained_at: float, table: Mapping[ScoreKey, float], card: Mapping[str, object]
) -> str:
    """SHA-256 (hex) of all that a model says, whatever the order of its entries."""
    rows = sorted(([*key[:3], key[3] or "", key[3] is None, score] for key, score in table.items()))
    content = [SCHEMA_VERSION, trained_at, rows, dict(card)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
