"""A trained model, as the router uses it: a table of success ratios, looked up in a dict.

The regression is evaluated over its whole grid when it is trained, so that a decision needs no
scikit-learn: a look-up takes a tenth of a microsecond, a prediction five milliseconds.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self

__all__ = ["SCHEMA_VERSION", "ScoreKey", "SelectionModel", "content_digest"]

SCHEMA_VERSION: Final = 2
"""Of the stored form and of the table's meaning; models of another one are refused."""

_YEAR_10000_S: Final = 253_402_300_800.0

ScoreKey = tuple[str, str, str, str | None]
"""Provider, operation, region, institution; None stands for every institution without a row."""


@dataclass(frozen=True, slots=True)
class SelectionModel:
    """Success ratios by provider, operation, region and institution, and where they come from.

    `version` is the training time and a hash of the content (`20261123T231500Z-1a2b3c4d`).
    `trained_at` is unix seconds. `card` holds rows, span, features and metrics, as JSON values.
    `latency_s` is how long a success usually takes and `completion` the share of answered
    `createLink`s that come to a working connection, both where they are known, for keys of `table`.
    Make one with `of`, which checks the tables.
    """

    version: str
    trained_at: float
    schema_version: int
    table: Mapping[ScoreKey, float]
    card: Mapping[str, object]
    latency_s: Mapping[ScoreKey, float] = field(default_factory=dict)
    completion: Mapping[ScoreKey, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        trained_at: float,
        table: Mapping[ScoreKey, float],
        card: Mapping[str, object],
        latency_s: Mapping[ScoreKey, float] | None = None,
        completion: Mapping[ScoreKey, float] | None = None,
    ) -> Self:
        """A model of this content, its version made from it.

        Raises:
            ValueError: the table is empty, a score is not within 0 and 1, a latency is not finite,
                one of them has no score beside it, `trained_at` is not a time, or the card is not
                JSON.

        """
        latencies, completions = dict(latency_s or {}), dict(completion or {})
        if not table:
            raise ValueError("a model needs at least one score")
        for key, score in (*table.items(), *completions.items()):
            if not 0.0 <= score <= 1.0:
                raise ValueError(f"the score of {key} is {score}, not within 0 and 1")
        for key, latency in latencies.items():
            if not (math.isfinite(latency) and latency >= 0.0):
                raise ValueError(f"the latency of {key} is {latency}, not a number of seconds")
        for key in (*latencies, *completions):
            if key not in table:
                raise ValueError(f"{key} has no score")
        if not 0.0 <= trained_at < _YEAR_10000_S:
            raise ValueError(f"trained_at is unix seconds, not {trained_at}")
        when = datetime.fromtimestamp(trained_at, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            digest = content_digest(
                trained_at=trained_at,
                table=table,
                card=card,
                latency_s=latencies,
                completion=completions,
            )
        except TypeError as error:
            raise ValueError(f"the card is not JSON: {error}") from None
        return cls(
            version=f"{when}-{digest[:8]}",
            trained_at=trained_at,
            schema_version=SCHEMA_VERSION,
            table=dict(table),
            card=dict(card),
            latency_s=latencies,
            completion=completions,
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
        return _looked_up(self.table, provider, operation, region, institution_id)

    def reward(
        self, provider: str, operation: str, region: str, institution_id: str | None
    ) -> float | None:
        """What to rank by: the prior, and for `createLink` that the link comes to something.

        >>> key = ("plaid", "createLink", "US", None)
        >>> model = SelectionModel.of(trained_at=0.0, card={}, table={key: 0.9},
        ...                           completion={key: 0.5})
        >>> model.prior(*key), model.reward(*key)
        (0.9, 0.45)

        """
        prior = self.prior(provider, operation, region, institution_id)
        if prior is None or not self.completion:
            return prior
        completed = _looked_up(self.completion, provider, operation, region, institution_id)
        return prior if completed is None else prior * completed

    def latency(
        self, provider: str, operation: str, region: str, institution_id: str | None
    ) -> float | None:
        """How many seconds a success usually takes; None where that is not known."""
        return _looked_up(self.latency_s, provider, operation, region, institution_id)


def _looked_up(
    table: Mapping[ScoreKey, float],
    provider: str,
    operation: str,
    region: str,
    institution_id: str | None,
) -> float | None:
    found = table.get((provider, operation, region, institution_id))
    if found is None and institution_id is not None:
        return table.get((provider, operation, region, None))
    return found


def content_digest(
    *,
    trained_at: float,
    table: Mapping[ScoreKey, float],
    card: Mapping[str, object],
    latency_s: Mapping[ScoreKey, float],
    completion: Mapping[ScoreKey, float],
) -> str:
    """SHA-256 (hex) of all that a model says, whatever the order of its entries."""
    tables = [
        sorted([*key[:3], key[3] or "", key[3] is None, score] for key, score in each.items())
        for each in (table, latency_s, completion)
    ]
    content = [SCHEMA_VERSION, trained_at, *tables, dict(card)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
