"""Which connections could answer a read."""

import pytest
from routing_builders import connection

from orchestrator.domain import ErrorType, RequestRefused
from orchestrator.routing import LinkedConnection, ReadTarget, Resolution, resolve_read

PRIORITY: dict[str, tuple[str, ...]] = {
    "US": ("plaid", "mx", "finicity"),
    "MX": ("belvo", "mx", "bitso"),
}
PLAID = connection("con_p", "plaid", "acc_1", "acc_2")
MX = connection("con_m", "mx", "acc_2", "acc_3")
FINICITY = connection("con_f", "finicity", "acc_9")
UNREAD = connection("con_u", "finicity", read=False)
ELSEWHERE = connection("con_c", "plaid", "acc_7", institution_id="ins_citi")


def resolved(*connections: LinkedConnection, **target: str | None) -> Resolution:
    """What a target comes to in a space of these connections."""
    return resolve_read(connections, ReadTarget(**target), PRIORITY)


def ids(found: Resolution) -> list[str]:
    """The connections that could answer, in order."""
    return [linked.connection_id for linked in found.by_provider.values()]


@pytest.mark.parametrize(
    ("connections", "target", "error_type", "code"),
    [
        ((), {}, "not_found", "NOTHING_LINKED"),
        ((PLAID,), {"connection_id": "con_x"}, "not_found", "UNKNOWN_CONNECTION"),
        ((PLAID,), {"institution_id": "ins_citi"}, "not_found", "NOT_LINKED"),
        (
            (PLAID, ELSEWHERE),
            {"institution_id": "ins_citi", "connection_id": "con_p"},
            "not_found",
            "NOT_LINKED",
        ),
        ((PLAID, UNREAD), {"account_id": "acc_x"}, "not_found", "UNKNOWN_ACCOUNT"),
        ((PLAID, MX), {"account_id": "acc_1", "connection_id": "con_m"}, "not_found", None),
        ((PLAID, ELSEWHERE), {}, "validation", "SEVERAL_INSTITUTIONS"),
    ],
)
def test_a_target_that_names_nothing_or_too_little_is_refused(
    connections: tuple[LinkedConnection, ...],
    target: dict[str, str],
    error_type: str,
    code: str | None,
) -> None:
    """404 for what is not there, 422 where the caller has to choose."""
    with pytest.raises(RequestRefused) as refusal:
        resolved(*connections, **target)

    assert ErrorType(error_type) is refusal.value.error.type
    assert (code or "UNKNOWN_ACCOUNT") == refusal.value.error.code


def test_the_spaces_only_institution_needs_no_name() -> None:
    """With nothing named, the one institution there is, is meant."""
    found = resolved(MX, PLAID)

    assert ("US", "ins_chase", ["con_p", "con_m"]) == (
        found.region,
        found.institution_id,
        ids(found),
    )


def test_only_connections_of_the_same_login_can_take_over() -> None:
    """Accounts matched to the first's count; another login at the same bank does not."""
    assert ["con_p", "con_m"] == ids(resolved(FINICITY, MX, PLAID))


def test_an_account_is_read_only_where_it_is_held() -> None:
    """A sibling that does not hold the account is no candidate."""
    assert ["con_p"] == ids(resolved(PLAID, MX, FINICITY, account_id="acc_1"))
    assert ["con_p", "con_m"] == ids(resolved(PLAID, MX, FINICITY, account_id="acc_2"))


def test_an_account_names_its_institution() -> None:
    """Several institutions in a space are no trouble when the account is named."""
    assert resolved(PLAID, ELSEWHERE, account_id="acc_7").institution_id == "ins_citi"


def test_a_connection_not_read_yet_counts_and_is_checked() -> None:
    """It is a candidate, and must show one of the first's accounts."""
    found = resolved(PLAID, UNREAD)

    assert ["con_p", "con_u"] == ids(found)
    assert frozenset({"acc_1", "acc_2"}) == found.sibling_account_ids
    assert ["con_p", "con_u"] == ids(resolved(PLAID, UNREAD, account_id="acc_1"))


def test_a_connection_not_read_yet_counts_at_the_accounts_institution_only() -> None:
    """An unread connection to another bank cannot hold the account."""
    stranger = connection("con_x", "mx", institution_id="ins_citi", read=False)

    assert ["con_p"] == ids(resolved(PLAID, stranger, account_id="acc_1"))


def test_pinning_to_a_connection_leaves_no_other() -> None:
    """No failover, whatever else is linked; one that was not read yet may be pinned too."""
    assert ["con_m"] == ids(resolved(PLAID, MX, connection_id="con_m"))
    assert ["con_u"] == ids(resolved(PLAID, UNREAD, connection_id="con_u", account_id="acc_1"))


def test_unread_connections_alone_have_nothing_to_be_compared_with() -> None:
    """The first read of a space is not checked against anything."""
    other = connection("con_v", "plaid", read=False)
    found = resolved(UNREAD, other)

    assert ["con_v", "con_u"] == ids(found)
    assert found.sibling_account_ids is None


def test_a_connection_that_has_shown_accounts_leads_the_comparison() -> None:
    """An unread or empty one of higher priority does not decide which login is meant."""
    unread = connection("con_v", "plaid", read=False)
    empty = connection("con_e", "plaid")

    assert frozenset({"acc_2", "acc_3"}) == resolved(unread, MX).sibling_account_ids
    assert ["con_v", "con_m"] == ids(resolved(MX, unread))
    assert ["con_m"] == ids(resolved(MX, empty))
    assert ["con_e"] == ids(resolved(empty))


def test_of_two_connections_at_one_provider_the_better_one_answers() -> None:
    """One that works before one that needs the user, then a read one, then the newest."""
    broken = connection("con_b", "plaid", "acc_1", needs_user=True, created_at_s=9.0)
    new = connection("con_n", "plaid", read=False, created_at_s=5.0)
    newer = connection("con_z", "plaid", "acc_1", created_at_s=7.0)

    assert ["con_n"] == ids(resolved(broken, new))
    assert ["con_p"] == ids(resolved(new, PLAID))
    assert ["con_z"] == ids(resolved(broken, new, PLAID, newer))


def test_candidates_come_in_the_regions_order_and_strangers_last() -> None:
    """Priority is that of the connection's region; a provider that left it is still asked."""
    shared = ("acc_1",)
    belvo = connection("con_b", "belvo", *shared, region="MX")
    mx = connection("con_m", "mx", *shared, region="MX")
    former = connection("con_q", "quovo", *shared, region="MX")
    found = resolved(former, mx, belvo)

    assert (["con_b", "con_m", "con_q"], "MX") == (ids(found), found.region)
    assert ["con_q"] == ids(resolved(connection("con_q", "quovo", region="BR")))


def test_naming_the_institution_beside_the_account_changes_nothing() -> None:
    """Institution, account and connection narrow the choice together."""
    assert ["con_p", "con_m"] == ids(
        resolved(PLAID, MX, ELSEWHERE, account_id="acc_2", institution_id="ins_chase")
    )
    assert ["con_m"] == ids(
        resolved(PLAID, MX, connection_id="con_m", institution_id="ins_chase", account_id="acc_2")
    )


def test_a_read_never_moves_to_another_institution() -> None:
    """Even an account id that two banks share, which none should, stays within one of them."""
    twin = connection("con_t", "mx", "acc_1", institution_id="ins_citi")

    assert ["con_p"] == ids(resolved(PLAID, twin, account_id="acc_1"))
