"""Connections of a space, and the accounts seen through them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
        refresh_due_at=None,
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


def test_accounts_seen_at_once_through_two_connections_are_matched(
    reopen: Callable[[], VaultStore],
) -> None:
    """Two that are read in the same moment for the first time still have one account."""
    first, second = reopen(), reopen()
    link(first, connection("conn_1"))
    link(first, connection("conn_2", provider="mx"))
    both = threading.Barrier(2)

    def match(store: VaultStore, name: str) -> dict[str, str]:
        both.wait(10)
        return store.connections.match_accounts(name, (account("p1"),), NOW)

    with ThreadPoolExecutor(2) as threads:
        started = [threads.submit(match, first, "conn_1"), threads.submit(match, second, "conn_2")]
        ids = [future.result(30)["p1"] for future in started]

    assert len(set(ids)) == 1


def test_what_a_vendor_words_may_be_long(store: VaultStore) -> None:
    """Ids, masks and currencies of vendors are kept whole, on every database."""
    link(store, connection(institution_id=f"plaid:{'i' * 300}"))
    keys = (account("p" * 600, "m" * 100, currency="C" * 40),)
    ids = store.connections.match_accounts("conn_1", keys, NOW)

    assert store.connections.match_accounts("conn_1", keys, NOW) == ids
    assert list(ids) == ["p" * 600]


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


def test_a_status_is_noted(store: VaultStore) -> None:
    """A connection that needs its user says so from then on."""
    link(store, connection())
    store.connections.set_status("conn_1", ConnectionStatus.NEEDS_USER)
    record = store.connections.get("conn_1")

    assert record is not None
    assert record.status is ConnectionStatus.NEEDS_USER


def test_a_login_is_found_over_all_spaces(store: VaultStore) -> None:
    """Every connection of a login at a provider is found, oldest first, with its accounts."""
    for name, space_id, provider, created_at in (
        ("conn_2", "space_2", "plaid", NOW + 2),
        ("conn_1", "space_1", "plaid", NOW + 1),
        ("conn_3", "space_1", "mx", NOW),
    ):
        link(
            store,
            connection(
                name,
                space_id=space_id,
                provider=provider,
                created_at=created_at,
                login_key_hash="login",
            ),
        )
    link(store, connection("conn_4", login_key_hash="another"))
    ids = store.connections.match_accounts("conn_2", (account("p1"),), NOW)
    found = store.connections.of_login_hash("plaid", "login")

    assert [(r.connection_id, r.account_ids) for r in found] == [
        ("conn_1", ()),
        ("conn_2", tuple(ids.values())),
    ]
    assert store.connections.of_login_hash("plaid", "nobody") == ()


def status_of(store: VaultStore) -> ConnectionStatus:
    """What conn_1 is good for."""
    record = store.connections.get("conn_1")
    assert record is not None
    return record.status


def test_a_report_that_is_older_than_the_last_is_passed_over(store: VaultStore) -> None:
    """Vendors' reports may come out of order: the newest by the vendor's time holds."""
    link(store, connection())
    applied = [
        store.connections.set_status("conn_1", status, as_of=as_of)
        for status, as_of in (
            (ConnectionStatus.NEEDS_USER, NOW + 10),
            (ConnectionStatus.ACTIVE, NOW + 9.5),
            (ConnectionStatus.DISCONNECTED, NOW + 10),
        )
    ]

    assert [True, False, True] == applied
    assert ConnectionStatus.DISCONNECTED is status_of(store)


def test_what_we_have_seen_ourselves_always_counts(store: VaultStore) -> None:
    """A status without a vendor's time holds, and does not make an older report newer."""
    link(store, connection())
    store.connections.set_status("conn_1", ConnectionStatus.NEEDS_USER, as_of=NOW + 10)
    seen = store.connections.set_status("conn_1", ConnectionStatus.ACTIVE)
    late = store.connections.set_status("conn_1", ConnectionStatus.NEEDS_USER, as_of=NOW + 9)

    assert (seen, late) == (True, False)
    assert ConnectionStatus.ACTIVE is status_of(store)


def test_a_status_of_nothing_is_not_noted(store: VaultStore) -> None:
    """A connection that is not there has no status."""
    assert not store.connections.set_status("conn_1", ConnectionStatus.ACTIVE)
    assert not store.connections.set_status("conn_1", ConnectionStatus.ACTIVE, as_of=NOW)


def refresh_due_at(store: VaultStore) -> float | None:
    """Since when conn_1 is to be read again."""
    record = store.connections.get("conn_1")
    assert record is not None
    return record.refresh_due_at


def test_a_refresh_is_due_until_a_reading_has_met_it(store: VaultStore) -> None:
    """A reading that began after the mark takes it back; one that began before leaves it."""
    link(store, connection())
    store.connections.mark_refresh_due("conn_1", NOW)
    marked = refresh_due_at(store)
    store.connections.clear_refresh_due("conn_1", NOW - 0.5)
    left = refresh_due_at(store)
    store.connections.clear_refresh_due("conn_1", NOW)

    assert (marked, left) == (NOW, NOW)
    assert refresh_due_at(store) is None


def test_the_newest_mark_stays(store: VaultStore) -> None:
    """Marks may come out of order, and one that came during a reading outlives it."""
    link(store, connection())
    for at in (NOW, NOW + 5, NOW + 3):
        store.connections.mark_refresh_due("conn_1", at)
    store.connections.clear_refresh_due("conn_1", NOW + 4)

    assert NOW + 5 == refresh_due_at(store)


def test_marks_are_a_connections_own(store: VaultStore) -> None:
    """Neither a mark nor its end touches another connection."""
    link(store, connection("conn_1"))
    link(store, connection("conn_2"))
    store.connections.mark_refresh_due("conn_1", NOW)
    store.connections.clear_refresh_due("conn_2", NOW)
    store.connections.mark_refresh_due("conn_3", NOW)
    due = [record.refresh_due_at for record in store.connections.of_space("space_1")]

    assert due == [NOW, None]


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
