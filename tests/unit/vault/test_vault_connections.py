"""Connections of a space, and the accounts seen through them."""

from collections.abc import Callable

import pytest
from vault_builders import NOW, account, connection, link

from orchestrator.domain import ConnectionStatus
from orchestrator.vault import ConnectionRecord, SealedCredential, VaultStore


def test_a_new_connection_was_never_read(store: VaultStore) -> None:
    """A connection starts without accounts, not read, with the first version of its credential."""
    record = link(store, connection())

    assert record == ConnectionRecord(
        connection_id="conn_1",
        space_id="space_1",
        provider="plaid",
        region="US",
        institution_id="ins_chase",
        status=ConnectionStatus.ACTIVE,
        credential_version=1,
        account_ids=(),
        created_at=NOW,
        read_at=None,
    )
    assert store.connections.get("conn_1") == record


def test_a_spaces_connections_come_oldest_first_and_alone(store: VaultStore) -> None:
    """Connections of other spaces are not seen; within a space age gives the order."""
    link(store, connection("conn_young", created_at=NOW + 2))
    link(store, connection("conn_old", provider="mx", created_at=NOW + 1))
    link(store, connection("conn_other", space_id="space_2"))
    found = [record.connection_id for record in store.connections.of_space("space_1")]

    assert found == ["conn_old", "conn_young"]
    assert store.connections.of_space("space_3") == ()


def test_the_same_bank_account_has_one_id_through_two_connections(store: VaultStore) -> None:
    """An account with equal type, currency and mask is matched; the others get ids of their own."""
    link(store, connection("conn_1"))
    link(store, connection("conn_2", provider="mx"))
    first = store.connections.match_accounts(
        "conn_1", (account("p1", "1111"), account("p2", "2222")), NOW
    )
    second = store.connections.match_accounts(
        "conn_2", (account("m1", "1111"), account("m3", "3333"), account("m4", None)), NOW + 1
    )

    assert second["m1"] == first["p1"]
    assert len({*first.values(), *second.values()}) == 4


@pytest.mark.parametrize("fields", [{"space_id": "space_2"}, {"institution_id": "ins_citi"}])
def test_accounts_are_matched_within_a_space_and_institution_only(
    store: VaultStore, fields: dict[str, str]
) -> None:
    """Equal accounts of another space or institution are other accounts."""
    link(store, connection("conn_1"))
    link(store, connection("conn_2", provider="mx", **fields))
    first = store.connections.match_accounts("conn_1", (account("p1"),), NOW)
    second = store.connections.match_accounts("conn_2", (account("p1"),), NOW)

    assert first["p1"] != second["p1"]


def test_a_read_again_changes_no_id(store: VaultStore, reopen: Callable[[], VaultStore]) -> None:
    """Known accounts keep their ids over further reads and restarts, and new ones are added."""
    link(store, connection())
    first = store.connections.match_accounts("conn_1", (account("p1"),), NOW)
    again = reopen().connections.match_accounts(
        "conn_1", (account("p2", "2222"), account("p1", None)), NOW + 5
    )
    record = store.connections.get("conn_1")

    assert again["p1"] == first["p1"]
    assert record is not None
    assert set(record.account_ids) == set(again.values())
    assert record.read_at == NOW + 5


def test_an_account_listed_twice_is_kept_once(store: VaultStore) -> None:
    """A provider that repeats an account breaks nothing and makes one account."""
    link(store, connection())
    matched = store.connections.match_accounts("conn_1", (account("p1"), account("p1")), NOW)
    record = store.connections.get("conn_1")

    assert list(matched) == ["p1"]
    assert record is not None
    assert record.account_ids == tuple(matched.values())


def test_a_connection_without_accounts_is_read_all_the_same(store: VaultStore) -> None:
    """An empty list of accounts marks the connection as read."""
    link(store, connection())
    matched = store.connections.match_accounts("conn_1", (), NOW)
    record = store.connections.get("conn_1")

    assert matched == {}
    assert record is not None
    assert (record.account_ids, record.read_at) == ((), NOW)


def test_the_credential_comes_with_the_accounts_behind_it(store: VaultStore) -> None:
    """The sealed bytes come back as they were handed in, with their version and account ids."""
    link(store, connection(sealed_credential=b"\x00\xff sealed"))
    ids = store.connections.match_accounts("conn_1", (account("p1"),), NOW)

    assert store.connections.credential("conn_1") == SealedCredential(b"\x00\xff sealed", 1, ids)
    assert store.connections.credential("conn_2") is None


def test_a_login_is_found_within_its_space_and_provider(store: VaultStore) -> None:
    """The connection of a login is found by its hash, where it was linked and nowhere else."""
    link(store, connection(login_key_hash="login"))

    assert store.connections.of_login("space_1", "plaid", "login") == "conn_1"
    assert store.connections.of_login("space_2", "plaid", "login") is None
    assert store.connections.of_login("space_1", "mx", "login") is None


def test_a_status_is_noted(store: VaultStore) -> None:
    """A connection that needs its user says so from then on."""
    link(store, connection())
    store.connections.set_status("conn_1", ConnectionStatus.NEEDS_USER)
    record = store.connections.get("conn_1")

    assert record is not None
    assert record.status is ConnectionStatus.NEEDS_USER


def test_an_erased_connection_leaves_no_credential(store: VaultStore) -> None:
    """After erase neither connection nor credential is there, and a second erase finds nothing."""
    link(store, connection())
    ids = store.connections.match_accounts("conn_1", (account("p1"),), NOW)
    first = store.connections.erase("conn_1")

    assert first
    assert ids
    assert not store.connections.erase("conn_1")
    assert store.connections.get("conn_1") is None
    assert store.connections.credential("conn_1") is None
    assert store.connections.of_space("space_1") == ()
    assert store.connections.match_accounts("conn_1", (account("p1"),), NOW) == {}


def test_an_account_linked_again_after_erasing_has_its_old_id(store: VaultStore) -> None:
    """Deleting a connection and linking the same bank again gives the same account id."""
    link(store, connection("conn_1"))
    before = store.connections.match_accounts("conn_1", (account("p1"),), NOW)
    store.connections.erase("conn_1")
    link(store, connection("conn_2"))
    after = store.connections.match_accounts("conn_2", (account("p9"),), NOW)

    assert after["p9"] == before["p1"]
