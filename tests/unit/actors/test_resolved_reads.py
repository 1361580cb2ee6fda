"""Where reads can go, remembered while nothing changes."""

import dataclasses

import pytest

from actors.resolved_reads import ResolvedReads
from orchestrator.domain import ConnectionStatus, RequestRefused
from orchestrator.routing import ReadTarget
from orchestrator.vault import ConnectionRecord

PRIORITY = {"US": ("plaid", "mx", "finicity")}
PLAID = ConnectionRecord(
    connection_id="conn_plaid",
    space_id="s",
    provider="plaid",
    region="US",
    institution_id="ins_chase",
    status=ConnectionStatus.ACTIVE,
    credential_version=1,
    account_ids=("acc_1",),
    created_at=1.0,
    read_at=2.0,
)
MX = dataclasses.replace(PLAID, connection_id="conn_mx", provider="mx")


def test_the_same_connections_are_resolved_once() -> None:
    """The answer is the very one that was given before; another question has its own."""
    reads, records = ResolvedReads(PRIORITY), (MX, PLAID)
    first = reads.of("s", records, ReadTarget())

    assert ["plaid", "mx"] == list(first.by_provider)
    assert first is reads.of("s", records, ReadTarget())
    assert ["mx"] == list(reads.of("s", records, ReadTarget(connection_id="conn_mx")).by_provider)


def test_changed_connections_are_resolved_anew() -> None:
    """What was worked out of other connections serves nobody."""
    reads = ResolvedReads(PRIORITY)
    reads.of("s", (PLAID,), ReadTarget())

    assert ["plaid", "mx"] == list(reads.of("s", (PLAID, MX), ReadTarget()).by_provider)


def test_a_refusal_is_told_each_time() -> None:
    """Nothing is remembered of a question without an answer."""
    reads = ResolvedReads(PRIORITY)
    for _ in range(2):
        with pytest.raises(RequestRefused):
            reads.of("s", (PLAID,), ReadTarget(account_id="acc_2"))


def test_only_so_much_is_remembered() -> None:
    """The answer that was not asked for the longest goes."""
    reads, records = ResolvedReads(PRIORITY, most_kept=1), (PLAID,)
    first = reads.of("s", records, ReadTarget())
    reads.of("t", records, ReadTarget())

    assert first is not reads.of("s", records, ReadTarget())
