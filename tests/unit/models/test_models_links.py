"""What links come to, and what is learned from it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import ModelRegistry, SelectionModel, train
from models.training.link_reward import LINK_LIFE_S, SYNC_WITHIN_S, link_rewards
from tests.support.promotion_rehearsal import START


def prior(model: SelectionModel, provider: str) -> float:
    """The success ratio of reading accounts at Chase."""
    found = model.prior(provider, "getAccounts", "US", "ins_chase")
    assert found is not None
    return found


Event = tuple[str, str, str | None, str, str | None, float]


def links(*events: Event) -> pd.DataFrame:
    """Outcomes of one space at a time: space, operation, institution, outcome, scope, hour."""
    return pd.DataFrame(
        {
            "provider": "plaid",
            "region": "US",
            "space": [space for space, *_ in events],
            "operation": [event[1] for event in events],
            "institution": pd.Series([event[2] for event in events], dtype="object"),
            "outcome": [event[3] for event in events],
            "scope": pd.Series([event[4] for event in events], dtype="object"),
            "attempt_number": 1.0,
            "started_s": [event[5] * 3600.0 for event in events],
            "ended_s": [event[5] * 3600.0 + 0.5 for event in events],
        }
    )


def link(space: str, hour: float, institution: str | None = "ins_chase") -> Event:
    """An answered `createLink`."""
    return (space, "createLink", institution, "success", None, hour)


def exchange(space: str, hour: float, institution: str | None = "ins_chase") -> Event:
    """An exchange that worked."""
    return (space, "exchangeToken", institution, "success", None, hour)


def sync(space: str, hour: float, outcome: str = "success", scope: str | None = None) -> Event:
    """A sync."""
    return (space, "syncTransactions", "ins_chase", outcome, scope, hour)


LONG_AFTER = 100 * 3600.0


@pytest.mark.parametrize(
    ("events", "label"),
    [
        ([link("a", 0), exchange("a", 1), sync("a", 2)], 1.0),
        ([link("a", 0), exchange("a", 1), sync("a", 2, "auth", "connection")], 0.0),
        ([link("a", 0), exchange("a", 1), sync("a", 2, "network"), sync("a", 3)], 1.0),
        ([link("a", 0), exchange("a", 1)], 1.0),
        ([link("a", 0)], 0.0),
        ([link("a", 0), exchange("a", LINK_LIFE_S / 3600 + 1)], 0.0),
        ([link("a", 0), exchange("b", 1), sync("b", 2)], 0.0),
        ([link("a", 0), exchange("a", 1, "ins_citi")], 0.0),
        ([link("a", 0, None), exchange("a", 1, "ins_citi")], 1.0),
    ],
    ids=[
        "works", "first sync refused", "outage, then works", "never read", "never linked",
        "linked too late", "another space linked", "another bank linked", "bank chosen later",
    ],
)  # fmt: skip
def test_what_a_link_came_to(events: list[Event], label: float) -> None:
    """Linked within its life, and working after the first sync that an outage did not prevent."""
    known = links(*events, link("other", 0), exchange("other", 1))

    labels = link_rewards(known, now=LONG_AFTER)

    assert labels is not None
    assert labels[0] == label


def test_a_label_is_known_only_once_it_can_be() -> None:
    """Before the session's life is over, and before the first sync, there is none."""
    waiting = links(
        link("a", 0), link("b", 0), exchange("b", 1), link("c", 0), exchange("c", 1), sync("c", 2)
    )

    labels = link_rewards(waiting, now=3 * 3600.0)
    later = link_rewards(waiting, now=LINK_LIFE_S + SYNC_WITHIN_S + 3600.0)

    assert labels is not None
    assert later is not None
    assert np.isnan(labels[[0, 1]]).all()
    assert (labels[3], later[0], later[1]) == (1.0, 0.0, 1.0)


def test_only_the_latest_open_link_is_completed() -> None:
    """Two links, one exchange: the second came to something, the first did not."""
    labels = link_rewards(links(link("a", 0), link("a", 1), exchange("a", 2)), now=LONG_AFTER)

    assert labels is not None
    assert labels[:2].tolist() == [0.0, 1.0]


def test_a_log_without_exchanges_cannot_tell() -> None:
    """Links of a log that holds no exchange, or no spaces, have no label."""
    assert link_rewards(links(link("a", 0)), now=LONG_AFTER) is None
    nobody = links(link("a", 0), exchange("a", 1)).assign(space=None)
    assert link_rewards(nobody, now=LONG_AFTER) is None


def link_log() -> pd.DataFrame:
    """Links that Plaid answers always and users seldom finish, and MX the other way round."""
    rows = []
    for number in range(600):
        provider = ("plaid", "mx")[number % 2]
        finished = number % 10 < (2 if provider == "plaid" else 9)
        at = START + number * 600.0
        base = {
            "provider": provider, "region": "US", "institution_id": "ins_chase",
            "space_hash": f"space{number}", "attempt_number": 1, "latency_ms": 100.0,
            "outcome": "success", "error_scope": None,
        }  # fmt: skip
        rows.append(base | {"operation": "createLink", "started_at": at})
        if finished:
            rows.append(base | {"operation": "exchangeToken", "started_at": at + 60.0})
            rows.append(base | {"operation": "syncTransactions", "started_at": at + 90.0})
    return pd.DataFrame(rows)


def test_links_are_ranked_by_what_they_come_to() -> None:
    """Both answer alike, so the prior is alike; the reward is that of a finished, working link."""
    model = train(link_log(), now=START + 600 * 600.0)
    plaid, mx = (
        (
            model.prior(name, "createLink", "US", "ins_chase"),
            model.reward(name, "createLink", "US", "ins_chase"),
        )
        for name in ("plaid", "mx")
    )

    assert plaid[0] == pytest.approx(mx[0], abs=0.02)
    assert plaid[1] == pytest.approx(0.2, abs=0.1)
    assert mx[1] == pytest.approx(0.9, abs=0.1)
    assert model.reward("plaid", "syncTransactions", "US", None) == model.prior(
        "plaid", "syncTransactions", "US", None
    )
    assert model.card["links"]["reward"] == "working connection"


def test_everything_comes_back_from_the_registry(tmp_path: Path) -> None:
    """Latencies and what links come to are stored with the scores, and the card has its page."""
    model = train(link_log(), now=START + 600 * 600.0)
    registry = ModelRegistry(tmp_path)

    loaded = registry.load(registry.save(model))

    assert loaded == model
    assert loaded.completion
    assert loaded.latency_s
    assert model.version in (tmp_path / model.version / "card.md").read_text()
