"""MX's own Python client against the sandbox: link, exchange, accounts, transactions, and errors.

A program of its own, for an environment that holds `mx-requirements.txt` and nothing of ours:

    python mx_journey.py SANDBOX_URL

It ends with 0 when the client went all the way, and with a traceback where it did not.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Callable

import mx_platform_python as mx

_PATIENCE_S = 60.0
_PAGE = 100
_ACCEPT = "application/vnd.mx.api.v1+json"


def main(sandbox_url: str) -> None:
    """Go the whole way."""
    root = sandbox_url.rstrip("/")
    configuration = mx.Configuration(
        host=f"{root}/mx", username="sandbox_client", password="sandbox_key"
    )
    with mx.ApiClient(configuration) as client:
        user = (
            mx.UsersApi(client)
            .create_user(
                mx.UserCreateRequestBody(user=mx.UserCreateRequest(id=f"journey-{time.time_ns()}"))
            )
            .user
        )
        through_the_widget(client, root, user.guid)
        through_the_api(client, user.guid)
        refused(client, user.guid)
        mx.UsersApi(client).delete_user(accept=_ACCEPT, user_guid=user.guid)
        expect_status(404, lambda: mx.UsersApi(client).read_user(user.guid))
    refuse_wrong_keys(root)


def through_the_widget(client: mx.ApiClient, root: str, user_guid: str) -> None:
    """Link in the widget, prove the member and read its data, all pages."""
    request = mx.WidgetRequest(
        widget_type="connect_widget",
        mode="aggregation",
        current_institution_code="chase",
        iso_country_code=["US"],
    )
    widget = mx.WidgetsApi(client).request_widget_url(
        user_guid, mx.WidgetRequestBody(widget_url=request), accept_language="en"
    )
    member_guid = play_widget(root, widget.widget_url.url)
    member = mx.MembersApi(client).read_member(member_guid=member_guid, user_guid=user_guid).member
    assert (member.guid, member.user_guid) == (member_guid, user_guid), member
    assert member.institution_code == "chase", member
    status = (
        mx.MembersApi(client)
        .read_member_status(member_guid=member_guid, user_guid=user_guid)
        .member
    )
    assert status.connection_status == "CONNECTED", status
    listed = mx.MembersApi(client).list_members(user_guid).members
    assert [one.guid for one in listed] == [member_guid], listed
    accounts = (
        mx.AccountsApi(client)
        .list_member_accounts(user_guid=user_guid, member_guid=member_guid)
        .accounts
    )
    assert {"CHECKING", "SAVINGS"} <= {one.type for one in accounts}, accounts
    seen = movements(client, user_guid, member_guid)
    assert {row.account_guid for row in seen} <= {one.guid for one in accounts}
    assert {"CREDIT", "DEBIT"} == {row.type for row in seen}
    said = (
        mx.MembersApi(client).aggregate_member(member_guid=member_guid, user_guid=user_guid).member
    )
    assert said.is_being_aggregated is False, "a success of this moment is fresh enough"
    mx.MembersApi(client).delete_member(member_guid=member_guid, user_guid=user_guid)
    expect_status(
        404, lambda: mx.MembersApi(client).read_member(member_guid=member_guid, user_guid=user_guid)
    )
    left = mx.AccountsApi(client).list_user_accounts(user_guid).accounts
    assert {one.guid for one in accounts} <= {one.guid for one in left}, "they stay with the user"


def movements(client: mx.ApiClient, user_guid: str, member_guid: str) -> list[object]:
    """Every transaction of the last two years, by MX's own count of pages."""
    rows: list[object] = []
    page = pages = 1
    total = 0
    while page <= pages:
        answer = mx.TransactionsApi(client).list_transactions_by_member(
            user_guid=user_guid,
            member_guid=member_guid,
            page=page,
            records_per_page=_PAGE,
            from_date="2020-01-01",
        )
        rows += answer.transactions
        pages, total = answer.pagination.total_pages, answer.pagination.total_entries
        page += 1
    guids = {row.guid for row in rows}  # type: ignore[attr-defined]
    assert pages > 1, "more than one page is there to be read"
    assert len(rows) == len(guids) == total, (len(rows), len(guids), total)
    return rows


def through_the_api(client: mx.ApiClient, user_guid: str) -> None:
    """Log in to MX's test bank without a widget, answer its question, and refresh."""
    members = mx.MembersApi(client)
    asked = mx.InstitutionsApi(client).list_institution_credentials("mxbank").credentials
    guids = {row.field_name: row.guid for row in asked}
    made = members.create_member(
        user_guid,
        mx.MemberCreateRequestBody(
            member=mx.MemberCreateRequest(
                institution_code="mxbank",
                credentials=[
                    mx.CredentialRequest(guid=guids["LOGIN"], value="mxuser"),
                    mx.CredentialRequest(guid=guids["PASSWORD"], value="challenge"),
                ],
            )
        ),
    ).member
    status = settled(client, user_guid, made.guid)
    assert status.connection_status == "CHALLENGED", status
    challenges = members.list_member_challenges(
        member_guid=made.guid, user_guid=user_guid
    ).challenges
    answers = [mx.CredentialRequest(guid=one.guid, value="correct") for one in challenges]
    members.resume_aggregation(
        member_guid=made.guid,
        user_guid=user_guid,
        member_resume_request_body=mx.MemberResumeRequestBody(
            member=mx.MemberResumeRequest(challenges=answers)
        ),
    )
    status = settled(client, user_guid, made.guid)
    assert status.connection_status == "CONNECTED", status
    assert (
        mx.AccountsApi(client)
        .list_member_accounts(user_guid=user_guid, member_guid=made.guid)
        .accounts
    )
    members.check_balances(member_guid=made.guid, user_guid=user_guid)
    status = settled(client, user_guid, made.guid)
    assert status.connection_status == "CHALLENGED", "the bank asks at each login"


def settled(client: mx.ApiClient, user_guid: str, member_guid: str) -> mx.MemberStatusResponse:
    """The member's status once no job runs any longer."""
    ends_at = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends_at:
        status = (
            mx.MembersApi(client)
            .read_member_status(member_guid=member_guid, user_guid=user_guid)
            .member
        )
        if not status.is_being_aggregated:
            return status
        time.sleep(0.5)  # noqa: TID251  a program that waits for another one
    raise AssertionError("the job did not end")


def refused(client: mx.ApiClient, user_guid: str) -> None:
    """Errors come as the client's own exceptions."""
    expect_status(
        404, lambda: mx.MembersApi(client).read_member(member_guid="MBR-none", user_guid=user_guid)
    )
    expect_status(404, lambda: mx.InstitutionsApi(client).read_institution("nowhere"))
    own = mx.UsersApi(client).read_user(user_guid).user
    again = mx.UserCreateRequestBody(user=mx.UserCreateRequest(id=own.id))
    expect_status(409, lambda: mx.UsersApi(client).create_user(again))


def refuse_wrong_keys(root: str) -> None:
    """Wrong keys are a 401."""
    wrong = mx.Configuration(host=f"{root}/mx", username="sandbox_client", password="wrong")
    with mx.ApiClient(wrong) as client:
        expect_status(401, lambda: mx.UsersApi(client).list_users())


def expect_status(status: int, call: Callable[[], object]) -> None:
    """Hold a call to an error of this status, with MX's error object as its body."""
    refusal = None
    try:
        call()
    except mx.ApiException as error:
        refusal = error
    assert refusal is not None, f"no {status}"
    assert refusal.status == status, refusal
    assert {"message", "status", "type"} == set(json.loads(refusal.body)["error"]), refusal.body


def play_widget(root: str, url: str) -> str:
    """Play the user's part in the widget; answers the member that it reports."""
    request = urllib.request.Request(
        f"{root}/_control/complete",
        data=json.dumps({"linkUrl": url}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["temporaryToken"])


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.write("mx: link, exchange, accounts, transactions, challenge, errors\n")
