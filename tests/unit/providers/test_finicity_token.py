"""Finicity's app token: renewed in time and by one call, and keys that are refused once only."""

import asyncio
from datetime import datetime, timedelta

import httpx
import pytest
from finicity_payloads import ACCOUNT_ID, CREDENTIAL, account, accounts, error, wrapped
from scripted_vendor import NOW, ScriptedVendor, accounts_request, answer, failure_of, verdict

from orchestrator.domain import ErrorClass, ErrorScope, Failure, ProviderFailure
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.finicity_token import AppToken, TokenState
from orchestrator.providers.protocol import KeepsKeysBack

AUTHENTICATION = "POST /aggregation/v2/partners/authentication"
READING = "GET /aggregation/v1/customers/7005061234/institutionLogins/1007302745/accounts"
REFUSAL = Failure(ErrorClass.AUTH, ErrorScope.CLIENT, "10001", "refused", http_status=401)
TOKEN, WELL = answer({"token": "fresh"}), answer(accounts(account()))


def minutes(number: float) -> datetime:
    """So many minutes after the tests' now."""
    return NOW + timedelta(minutes=number)


class Vendor:
    """Hands out numbered tokens when told to, or fails."""

    def __init__(self, *failures: Exception) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.now = NOW
        self._failures = list(failures)
        self.token = AppToken(self._authenticate, lambda: self.now)

    async def _authenticate(self) -> str:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self._failures:
            raise self._failures.pop(0)
        return f"token-{number}"

    async def callers(self, number: int) -> list[asyncio.Task[str]]:
        """So many calls that need the token, all of them waiting."""
        tasks = [asyncio.create_task(self.token.get()) for _ in range(number)]
        for _ in range(3):
            await asyncio.sleep(0)
        return tasks


@pytest.mark.parametrize(
    ("age_min", "usable"), [(0, True), (89.9, True), (90, False), (121, False)]
)
def test_a_token_is_used_for_ninety_minutes(age_min: float, *, usable: bool) -> None:
    """It lives for two hours, and is renewed well before."""
    state = TokenState()
    state.renewed("t", NOW)

    assert usable == (state.usable(minutes(age_min)) == "t")


def test_an_old_token_is_used_on_while_a_renewal_has_no_verdict() -> None:
    """As long as it lives, it is better than none; the next try is a minute later."""
    state = TokenState()
    state.renewed("t", NOW)

    assert state.postponed(minutes(95))
    assert state.usable(minutes(95.9)) == "t"
    assert state.usable(minutes(96)) is None
    assert not state.postponed(minutes(118))


def test_a_rejected_token_is_dropped_and_a_newer_one_is_not() -> None:
    """Whoever learns late that the old one has expired does not throw the new one away."""
    state = TokenState()
    state.renewed("old", NOW)
    state.renewed("new", NOW)
    state.rejected("old")

    assert state.usable(NOW) == "new"
    state.rejected("new")
    assert state.usable(NOW) is None
    assert not state.postponed(NOW)


def test_a_refusal_stands_until_the_keys_are_trusted_again() -> None:
    """Time alone does not mend keys."""
    state = TokenState()
    state.refused(REFUSAL)

    assert state.refusal is REFUSAL
    state.trusted_again()
    assert state.refusal is None


def test_a_state_shows_no_token() -> None:
    """Only whether there is one."""
    state = TokenState()
    shown = [repr(state)]
    state.renewed("very-secret", NOW)
    shown.append(repr(state))
    state.refused(REFUSAL)

    assert ["TokenState(none)", "TokenState(held)", "TokenState(refused)"] == [*shown, repr(state)]


async def test_one_renewal_serves_all_who_wait() -> None:
    """However many calls need a token at once, one authentication is sent."""
    vendor = Vendor()
    waiting = await vendor.callers(50)
    vendor.gate.set()

    assert {"token-1"} == set(await asyncio.gather(*waiting))
    assert vendor.asked == 1


async def test_whoever_gives_up_leaves_the_renewal_to_the_others() -> None:
    """The attempt that began it may be cut, and so may any other: the rest get their token."""
    vendor = Vendor()
    beginner, quitter, patient = await vendor.callers(3)
    beginner.cancel()
    quitter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginner
    with pytest.raises(asyncio.CancelledError):
        await quitter
    vendor.gate.set()

    assert await patient == "token-1"
    assert vendor.asked == 1


async def test_a_renewal_that_nobody_waits_for_ends_in_silence() -> None:
    """Its failure disturbs nobody, and the next call asks anew."""
    vendor = Vendor(ProviderFailure(Failure(ErrorClass.NETWORK, ErrorScope.PROVIDER, "X", "")))
    (only,) = await vendor.callers(1)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    vendor.gate.set()
    await asyncio.sleep(0)

    assert await vendor.token.get() == "token-2"


async def test_refused_keys_are_not_sent_again() -> None:
    """All who waited learn of the refusal, and so do all who come later, without a call."""
    vendor = Vendor(ProviderFailure(REFUSAL))
    waiting = await vendor.callers(10)
    vendor.gate.set()
    verdicts = [verdict(await failure_of(task)) for task in waiting]
    later = [verdict(await failure_of(vendor.token.get())) for _ in range(10)]

    assert {("auth", "client", "10001")} == {*verdicts, *later}
    assert vendor.asked == 1


async def test_trusted_keys_get_one_try_each_time() -> None:
    """An operator's word is good for one authentication."""
    vendor = Vendor(ProviderFailure(REFUSAL), ProviderFailure(REFUSAL))
    vendor.gate.set()
    for tries in (1, 2):
        await failure_of(vendor.token.get())
        await failure_of(vendor.token.get())

        assert vendor.asked == tries
        vendor.token.state.trusted_again()

    assert await vendor.token.get() == "token-3"


async def test_an_authentication_without_a_verdict_is_tried_again() -> None:
    """Silence is no refusal: the next call that needs a token asks anew."""
    lost = Failure(ErrorClass.NETWORK, ErrorScope.PROVIDER, "TIMEOUT", "")
    vendor = Vendor(ProviderFailure(lost))
    vendor.gate.set()

    assert verdict(await failure_of(vendor.token.get())) == ("network", "provider", "TIMEOUT")
    assert await vendor.token.get() == "token-2"


async def test_a_living_token_outlasts_an_outage_of_authentication() -> None:
    """Between ninety minutes and two hours a failed renewal costs no call."""
    down = ProviderFailure(Failure(ErrorClass.PROVIDER_DOWN, ErrorScope.PROVIDER, "X", ""))
    vendor = Vendor()
    vendor.gate.set()
    await vendor.token.get()
    vendor._failures = [down, down]
    vendor.now = minutes(100)

    assert [await vendor.token.get() for _ in range(3)] == ["token-1"] * 3
    assert vendor.asked == 2
    vendor.now = minutes(119)
    await failure_of(vendor.token.get())
    assert await vendor.token.get() == "token-4"


class NoRoom(Exception):
    """What the limits of an attempt raise."""


@pytest.mark.parametrize(
    "own",
    [
        NoRoom(),
        ProviderFailure(Failure(ErrorClass.RATE_LIMIT, ErrorScope.CONNECTION, "LOCAL_LIMIT", "")),
    ],
)
async def test_one_attempts_own_limits_are_not_the_others(own: Exception) -> None:
    """Where the beginner had no room for the call, the next who waits makes it."""
    vendor = Vendor(own)
    beginner, *others = await vendor.callers(3)
    vendor.gate.set()
    with pytest.raises(type(own)):
        await beginner

    assert ["token-2"] * 2 == await asyncio.gather(*others)
    assert vendor.asked == 2


async def test_a_limit_of_the_vendors_is_everybodys() -> None:
    """A throttled authentication is not repeated by all who waited for it."""
    told = Failure(ErrorClass.RATE_LIMIT, ErrorScope.CLIENT, "3300001", "", http_status=429)
    vendor = Vendor(ProviderFailure(told))
    waiting = await vendor.callers(5)
    vendor.gate.set()

    assert {"3300001"} == {(await failure_of(task)).code for task in waiting}
    assert vendor.asked == 1


async def test_the_first_call_authenticates_and_the_others_carry_the_token() -> None:
    """The key is on every call, the secret on the authentication alone."""
    vendor = ScriptedVendor(TOKEN, WELL)
    finicity = vendor.finicity(token=None)
    for _ in range(2):
        await finicity.get_accounts(accounts_request(CREDENTIAL))

    assert [AUTHENTICATION, READING, READING] == vendor.paths
    assert vendor.bodies[0] == {
        "partnerId": "our-finicity-partner",
        "partnerSecret": "our-finicity-secret",
    }
    told = [request.headers for request in vendor.requests]
    assert {"our-finicity-app-key"} == {headers["Finicity-App-Key"] for headers in told}
    assert [None, "fresh", "fresh"] == [headers.get("Finicity-App-Token") for headers in told]
    assert {"application/json"} == {headers["Accept"] for headers in told}
    assert {"application/json"} == {headers["Content-Type"] for headers in told}


async def test_a_token_is_renewed_before_it_expires() -> None:
    """After ninety minutes the next call asks for another."""
    vendor = ScriptedVendor(TOKEN, WELL)
    finicity = vendor.finicity(token="old")
    vendor.now = minutes(91)

    await finicity.get_accounts(accounts_request(CREDENTIAL))

    assert [AUTHENTICATION, READING] == vendor.paths


@pytest.mark.parametrize("body", [error("10023"), error(10022), error("10024"), wrapped("10023")])
async def test_a_refused_token_is_renewed_and_its_call_repeated_once(body: object) -> None:
    """The caller never notices."""
    vendor = ScriptedVendor(answer(body, 401), TOKEN, WELL)

    result = await vendor.finicity().get_accounts(accounts_request(CREDENTIAL))

    assert [READING, AUTHENTICATION, READING] == vendor.paths
    assert vendor.requests[2].headers["Finicity-App-Token"] == "fresh"
    assert result.accounts[0].provider_account_id == ACCOUNT_ID


async def test_a_token_that_is_refused_twice_ends_the_call() -> None:
    """One renewal, one repetition, and no loop."""
    vendor = ScriptedVendor(answer(error("10023"), 401), TOKEN, answer(error("10023"), 401))

    failure = await failure_of(vendor.finicity().get_accounts(accounts_request(CREDENTIAL)))

    assert [READING, AUTHENTICATION, READING] == vendor.paths
    assert verdict(failure) == ("auth", "client", "10023")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, error("10001"), "10001"),
        (401, None, "HTTP_401"),
        (400, error("10005"), "10005"),
        (403, error(24302), "24302"),
        (404, wrapped("12401"), "12401"),
        (418, None, "HTTP_418"),
    ],
)
async def test_whatever_refuses_an_authentication_refuses_our_keys(
    status: int, body: object, code: str
) -> None:
    """It is ours to mend, other providers may do, and no second one is sent."""
    vendor = ScriptedVendor(answer(body, status))
    finicity = vendor.finicity(token=None)

    failures = [
        await failure_of(finicity.get_accounts(accounts_request(CREDENTIAL))) for _ in range(6)
    ]

    assert [AUTHENTICATION] == vendor.paths
    assert {("auth", "client", code)} == {verdict(failure) for failure in failures}
    assert all(failure.elsewhere and failure.user_action is None for failure in failures)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(None, 503), ("provider_down", "provider", "HTTP_503")),
        (answer(error("3300001"), 429), ("rate_limit", "client", "3300001")),
        (answer({"token": 5}), ("provider_down", "provider", "MALFORMED")),
        (answer({"token": "tok\u00e9n"}), ("provider_down", "provider", "MALFORMED")),
        (answer({"token": "a\r\nX-Evil: 1"}), ("provider_down", "provider", "MALFORMED")),
        (answer({"token": "x" * 5000}), ("provider_down", "provider", "MALFORMED")),
        (httpx.ReadTimeout("x"), ("network", "provider", "TIMEOUT")),
    ],
)
async def test_an_authentication_that_says_nothing_of_our_keys_is_no_refusal(
    reply: httpx.Response | Exception, expected: tuple[str, str, str]
) -> None:
    """The next attempt may authenticate."""
    vendor = ScriptedVendor(reply, TOKEN, WELL)
    finicity = vendor.finicity(token=None)

    assert expected == verdict(
        await failure_of(finicity.get_accounts(accounts_request(CREDENTIAL)))
    )
    assert (await finicity.get_accounts(accounts_request(CREDENTIAL))).accounts


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(401, text="Invalid (Finicity-App-Key)"),
        answer(error("10001"), 401),
        answer(error("24302"), 403),
    ],
)
async def test_keys_that_a_call_was_refused_for_are_not_sent_to_authenticate(
    refusal: httpx.Response,
) -> None:
    """A locked partner or a bad App-Key shows on any call; the token in hand runs out in peace."""
    vendor = ScriptedVendor(refusal)
    finicity = vendor.finicity()
    assert isinstance(finicity, KeepsKeysBack)
    first = await failure_of(finicity.get_accounts(accounts_request(CREDENTIAL)))
    vendor.now = minutes(91)
    second = await failure_of(finicity.get_accounts(accounts_request(CREDENTIAL)))
    finicity.keys_trusted_again()
    await failure_of(finicity.get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(first)[:2] == ("auth", "client")
    assert verdict(first) == verdict(second)
    assert [READING, AUTHENTICATION] == vendor.paths


async def test_a_call_that_the_contract_lacks_says_nothing_of_our_keys() -> None:
    """What is not ours to call does not stop the token's renewal."""
    vendor = ScriptedVendor(answer(error("10405"), 403), TOKEN, WELL)
    finicity = vendor.finicity()
    await failure_of(finicity.get_accounts(accounts_request(CREDENTIAL)))
    vendor.now = minutes(91)

    assert (await finicity.get_accounts(accounts_request(CREDENTIAL))).accounts


async def test_a_renewal_counts_as_a_call_of_the_attempt_that_needs_it() -> None:
    """It is paced under a name of its own, and stands in that attempt's count."""
    paced: list[str] = []

    async def pace(endpoint: str) -> float:
        paced.append(endpoint)
        return 0.0

    vendor = ScriptedVendor(TOKEN, WELL)
    trace = AttemptTrace("a-1", pace)
    running = current_attempt.set(trace)
    try:
        await vendor.finicity(token=None).get_accounts(accounts_request(CREDENTIAL))
    finally:
        current_attempt.reset(running)

    assert (trace.http_calls, paced) == (2, ["authentication", "accounts"])
