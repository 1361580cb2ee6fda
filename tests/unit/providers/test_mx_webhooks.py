"""MX's webhooks: its families, its statuses, and the order of what it tells."""

import pytest
from pydantic import SecretStr
from scripted_vendor import MX, ScriptedVendor

from orchestrator.domain import ConfigurationError, ErrorClass
from orchestrator.providers.mx_errors import GATHERING, MEMBER_STATUSES, SETTLED
from orchestrator.providers.mx_webhooks import MxWebhooks
from orchestrator.providers.webhooks import News, WebhookNotice
from tests.support.webhook_builders import AT, delivery

AGREED = "Basic dXNlcjpwYXNz"
ACTIONABLE = (
    "CHALLENGED",
    "DENIED",
    "EXPIRED",
    "IMPAIRED",
    "IMPEDED",
    "LOCKED",
    "PREVENTED",
    "REJECTED",
)


async def read(payload: object, **options: str) -> WebhookNotice:
    """What a proven payload tells."""
    config = ScriptedVendor.config(MX, options)
    reader = MxWebhooks.of(config)
    reader._authorization = SecretStr(AGREED)
    return await reader.read(delivery(payload, {"authorization": AGREED}))


def flat(kind: str, **over: object) -> dict[str, object]:
    """A webhook of a flat family."""
    return {
        "action": "member_data_updated",
        "completed_at": 1_773_847_000,
        "completed_on": "2026-03-18",
        "member_guid": "MBR-1",
        "type": kind,
        "user_guid": "USR-1",
        **over,
    }


def status(name: object) -> dict[str, object]:
    """A connection-status webhook."""
    return {
        "action": "CHANGED",
        "connection_status": name,
        "connection_status_id": 3,
        "connection_status_message": "Please answer the following challenge(s).",
        "member_guid": "MBR-1",
        "type": "CONNECTION_STATUS",
        "user_guid": "USR-1",
    }


def member(name: str = "CONNECTED", action: str = "updated", **over: object) -> dict[str, object]:
    """An object webhook of a member."""
    fields = {"guid": "MBR-1", "connection_status": name, "user_guid": "USR-1", **over}
    return {"action": action, "member": fields}


@pytest.mark.parametrize("kind", ["AGGREGATION", "BALANCE", "HISTORY"])
async def test_gathered_data_are_fresh(kind: str) -> None:
    """Tell fresh data of the member, as of when MX had gathered them."""
    notice = await read(flat(kind))

    assert (News.FRESH_DATA, ("MBR-1",)) == (notice.news, notice.login_keys)


@pytest.mark.parametrize("name", ACTIONABLE)
async def test_status_that_wants_the_user_needs_the_user(name: str) -> None:
    """Tell every status that MX reports by itself as needing the user."""
    notice = await read(status(name))

    assert (News.NEEDS_USER, ("MBR-1",), None) == (notice.news, notice.login_keys, notice.as_of)


@pytest.mark.parametrize(
    "name", [*MEMBER_STATUSES, *sorted(SETTLED), *sorted(GATHERING), "NEW_ONE", None, 3]
)
async def test_statuses_are_told_by_the_adapters_own_table(name: object) -> None:
    """Tell each status of a member as the table of the adapter has it."""
    notice = await read(status(name))
    rule = MEMBER_STATUSES.get(str(name))
    wanted = News.NOTHING
    if name in SETTLED:
        wanted = News.RECOVERED
    elif name == "CLOSED":
        wanted = News.GONE
    elif rule is not None and rule.error_class is ErrorClass.AUTH:
        wanted = News.NEEDS_USER

    assert wanted is notice.news


@pytest.mark.parametrize(
    ("scope", "news"), [("connection", News.NEEDS_USER), ("client", News.NOTHING)]
)
async def test_disabled_means_what_the_option_says(scope: str, news: News) -> None:
    """Tell `DISABLED` as the option has it, as everywhere else."""
    assert news is (await read(status("DISABLED"), disabled_scope=scope)).news


def test_option_of_another_value_is_refused() -> None:
    """Refuse an option that is none of its values."""
    with pytest.raises(ConfigurationError, match="disabled_scope"):
        MxWebhooks.of(ScriptedVendor.config(MX, {"disabled_scope": "nobody"}))


@pytest.mark.parametrize(
    ("payload", "news"),
    [
        (member("CONNECTED"), News.RECOVERED),
        (member("CHALLENGED"), News.NEEDS_USER),
        (member("UPDATED"), News.NOTHING),
        (member("CONNECTED", "created"), News.RECOVERED),
        (member("CONNECTED", "deleted"), News.GONE),
    ],
)
async def test_member_objects_tell_how_they_stand(payload: object, news: News) -> None:
    """Tell a member's own status, and its end."""
    notice = await read(payload)

    assert (news, ("MBR-1",)) == (notice.news, notice.login_keys)


@pytest.mark.parametrize("name", ["account", "transaction"])
@pytest.mark.parametrize("action", ["created", "updated", "deleted"])
async def test_changed_objects_of_a_member_are_fresh_data(name: str, action: str) -> None:
    """Tell an account or transaction that came, changed or went as fresh data of its member."""
    payload = {"action": action, name: {"guid": "X-1", "member_guid": "MBR-1", "revision": 4}}
    notice = await read(payload)

    assert (News.FRESH_DATA, ("MBR-1",)) == (notice.news, notice.login_keys)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        flat("STATEMENT"),
        flat("VERIFICATION"),
        {"action": "updated", "user": {"guid": "USR-1", "revision": 10}},
        {"action": "created", "tagging": {"guid": "TGN-1"}},
        {"action": "created", "member": "MBR-1"},
        {"type": ["AGGREGATION"], "action": {}},
    ],
)
async def test_other_families_are_taken_and_mean_nothing(payload: object) -> None:
    """Take what is proven and of no concern, as MX would only repeat it."""
    notice = await read(payload)

    assert (News.NOTHING, ()) == (notice.news, notice.login_keys)


@pytest.mark.parametrize(
    ("told", "as_of"),
    [
        ({}, None),
        ({"revision": 12}, None),
        ({"updated_at": 1_773_847_000}, 1_773_847_000.0),
        ({"updated_at": 1_773_847_000, "revision": 7}, 1_773_847_000.000007),
        ({"updated_at": 1_773_847_000, "revision": 10**9}, 1_773_847_000.999999),
        ({"aggregated_at": 1_773_846_000, "revision": -3}, 1_773_846_000.0),
        ({"aggregated_at": 1_773_846_000, "updated_at": 1_773_847_000}, 1_773_847_000.0),
        ({"successfully_aggregated_at": 1_773_847_001.5}, 1_773_847_001.5),
        ({"updated_at": "2026-03-18", "revision": "x"}, None),
        ({"updated_at": True, "aggregated_at": 1e300}, None),
    ],
)
async def test_objects_are_as_of_their_last_change(
    told: dict[str, object], as_of: float | None
) -> None:
    """Take the latest time that an object tells, and within a second its revision."""
    found = (await read(member(**told))).as_of

    assert as_of == found or found == pytest.approx(as_of, abs=1e-6)


async def test_order_within_a_second_is_that_of_revisions() -> None:
    """Order two changes of one second by their revisions."""
    earlier = await read(member("CHALLENGED", updated_at=int(AT), revision=7))
    later = await read(member("CONNECTED", updated_at=int(AT), revision=8))

    assert earlier.as_of is not None
    assert later.as_of is not None
    assert earlier.as_of < later.as_of
