"""The sandbox's Bitso: who is let in, what the ledger tells, and what goes wrong on order."""

import hmac
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from sandbox.bitso_limits import PRIVATE, PUBLIC, BitsoLimits
from sandbox.options import SandboxOptions
from tests.support.sandbox import START, RunningSandbox, running_sandbox
from tests.support.vendor_callers import Reply

KEY, SECRET = "sandbox_key", "sandbox_secret"
MS = int(START.timestamp() * 1000)


class Caller:
    """Speaks Bitso with one key; nonces of the second kind unless one is given."""

    def __init__(self, running: RunningSandbox, key: str = KEY, secret: str = SECRET) -> None:
        self.running = running
        self._key = key
        self._secret = secret
        self._salt = count(1)

    def signed(self, path: str, nonce: str, *, method: str = "GET") -> str:
        """The Authorization header of a request."""
        signature = hmac.new(
            self._secret.encode(), f"{nonce}{method}{path}".encode(), "sha256"
        ).hexdigest()
        return f"Bitso {self._key}:{nonce}:{signature}"

    async def send(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Send it with just these headers."""
        url = self.running.url_of("bitso") + path
        async with self.running.http.get(url, headers=dict(headers or {})) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def get(self, path: str, nonce: str | None = None) -> Reply:
        """Send it signed."""
        used = nonce or f"{MS}{next(self._salt):06d}"
        return await self.send(path, {"Authorization": self.signed(path, used)})

    async def payload(self, path: str) -> Any:
        """The payload of a success."""
        reply = await self.get(path)
        assert reply.status == 200, reply.body
        assert reply.body["success"] is True
        return reply.body["payload"]

    async def ledger(self, limit: int = 100, feed: str = "ledger") -> list[Any]:
        """Every entry, oldest first."""
        rows: list[Any] = []
        marker = ""
        while True:
            page = await self.payload(f"/api/v3/{feed}?sort=asc&limit={limit}{marker}")
            rows += page
            if len(page) < limit:
                return rows
            marker = f"&marker={page[-1]['eid']}"


def code_of(reply: Reply) -> tuple[int, object]:
    """Status and code of an error."""
    assert reply.body["success"] is False
    return reply.status, reply.body["error"]["code"]


def moved(rows: list[Any], currency: str) -> Decimal:
    """The sum of a currency's changes."""
    return sum(
        (
            Decimal(update["amount"])
            for row in rows
            for update in row["balance_updates"]
            if update["currency"] == currency
        ),
        Decimal(0),
    )


async def test_only_the_users_key_signed_rightly_is_let_in() -> None:
    """Each way of not being the user has its own code."""
    async with running_sandbox() as running:
        user = Caller(running)
        path = "/api/v3/balance?x=1"
        right = await user.get(path)
        found = {
            "nothing": await user.send(path),
            "basic": await user.send(path, {"Authorization": "Basic abc"}),
            "parts": await user.send(path, {"Authorization": "Bitso a:b"}),
            "key": await Caller(running, key="another").get(path),
            "secret": await Caller(running, secret="another").get(path),
            "query": await user.send(
                path, {"Authorization": user.signed("/api/v3/balance", f"{MS}9")}
            ),
            "prefix": await user.send(
                path, {"Authorization": user.signed(f"/bitso{path}", f"{MS}8")}
            ),
            "method": await user.send(
                path, {"Authorization": user.signed(path, f"{MS}7", method="POST")}
            ),
            "text": await user.get(path, "soon"),
            "long": await user.get(path, "1" * 20),
        }

    assert right.status == 200
    assert {name: code_of(reply) for name, reply in found.items()} == {
        "nothing": (401, "0208"),
        "basic": (401, "0208"),
        "parts": (401, "0208"),
        "key": (401, "0201"),
        "secret": (401, "0215"),
        "query": (401, "0215"),
        "prefix": (401, "0215"),
        "method": (401, "0215"),
        "text": (401, "0206"),
        "long": (401, "0206"),
    }


async def test_a_nonce_is_taken_once() -> None:
    """The second kind may come in any order, the first only rising; neither comes twice."""
    async with running_sandbox() as running:
        user = Caller(running)
        path = "/api/v3/balance"
        told = [
            (await user.get(path, nonce)).status
            for nonce in (
                f"{MS}5",
                f"{MS}4",
                f"{MS}5",
                f"{MS - 5000}123456",
                "1000",
                "1001",
                "1001",
                "999",
                f"{MS}6",
            )
        ]
        again = await user.get(path, "1001")

    assert told == [200, 200, 401, 200, 200, 200, 401, 401, 200]
    assert code_of(again) == (401, "0207")


async def test_a_wrong_signature_takes_no_nonce() -> None:
    """Nobody can use up a user's nonces without the secret."""
    async with running_sandbox() as running:
        nonce = f"{MS}77"
        await Caller(running, secret="another").get("/api/v3/balance", nonce)

        assert (await Caller(running).get("/api/v3/balance", nonce)).status == 200


async def test_a_clock_that_is_wrong_can_be_refused() -> None:
    """How much Bitso bears is not documented, so it is an option."""
    options = SandboxOptions(bitso_nonce_skew_s=30.0)
    async with running_sandbox(options=options) as running:
        user = Caller(running)
        near = await user.get("/api/v3/balance", f"{MS - 29_000}1")
        far = await user.get("/api/v3/balance", f"{MS - 31_000}1")

    assert near.status == 200
    assert code_of(far) == (401, "0207")


@pytest.mark.parametrize("path", ["/api/v3/balance", "/v3/balance", "/api/v3/balance/"])
async def test_all_documented_forms_of_a_path_are_served(path: str) -> None:
    """Two prefixes, with and without a slash at the end; what is signed is what was sent."""
    async with running_sandbox() as running:
        assert (await Caller(running).get(path)).status == 200


@pytest.mark.parametrize("booked", ["completed", "created"])
async def test_the_ledgers_sum_is_every_balance(booked: Any) -> None:
    """To the last digit, on any day; and what is on its way is told beside."""
    options = SandboxOptions(bitso_withdrawals=booked)
    async with running_sandbox(options=options) as running:
        user = Caller(running)
        for _ in range(3):
            rows = await user.ledger()
            balances = (await user.payload("/api/v3/balance"))["balances"]
            fundings = await user.payload("/api/v3/fundings?status=pending")

            assert len({row["eid"] for row in rows}) == len(rows)
            for one in balances:
                total = Decimal(one["total"])
                assert moved(rows, one["currency"]) == total >= 0
                assert Decimal(one["available"]) == total - Decimal(one["locked"])
                assert Decimal(one["pending_deposit"]) == sum(
                    Decimal(row["amount"]) for row in fundings if row["currency"] == one["currency"]
                )
            assert any(Decimal(one["pending_deposit"]) for one in balances)
            running.clock.move(days=9.7)


@pytest.mark.parametrize(("booked", "settles"), [("completed", False), ("created", True)])
async def test_a_withdrawal_is_booked_when_it_is_done_or_when_it_is_asked_for(
    booked: Any, settles: bool
) -> None:
    """Until it is done it is on the list, and either locked or out of the balance already."""
    options = SandboxOptions(bitso_withdrawals=booked)
    async with running_sandbox(options=options) as running:
        user = Caller(running)
        running.clock.now = datetime(2026, 3, 28, 22, 0, tzinfo=START.tzinfo)
        (row,) = await user.payload("/api/v3/withdrawals?status=processing")
        booked_ids = {entry["details"].get("wid") for entry in await user.ledger()}
        balances = (await user.payload("/api/v3/balance"))["balances"]
        pesos = next(one for one in balances if one["currency"] == "mxn")

    assert (row["wid"] in booked_ids) == settles
    assert pesos["pending_withdrawal"] == row["amount"]
    assert (Decimal(pesos["locked"]) > 0) != settles


async def test_transfers_and_trades_agree_with_the_ledger() -> None:
    """Each done transfer is settled once, with its fee; failed ones never; each trade has its legs."""
    async with running_sandbox() as running:
        user = Caller(running)
        entries = await user.ledger()
        fundings = await user.payload("/api/v3/fundings?limit=100")
        withdrawals = await user.payload("/api/v3/withdrawals/?limit=100")
        trades = await user.payload("/api/v3/user_trades?limit=100")
        by_id: dict[object, list[Any]] = defaultdict(list)
        for entry in entries:
            details = entry["details"]
            by_id[details.get("fid") or details.get("wid") or details.get("tid")].append(entry)

    for row in fundings:
        settled = by_id.get(row["fid"], [])
        assert len(settled) == (row["status"] == "complete")
    for row in withdrawals:
        settled = by_id.get(row["wid"], [])
        assert -moved(settled, row["currency"]) == Decimal(row["amount"])
    for row in trades:
        legs = by_id[row["tid"]]
        fee = Decimal(row["fees_amount"])
        major = fee if row["fees_currency"] == row["major_currency"] else Decimal(0)
        assert moved(legs, row["major_currency"]) == Decimal(row["major"]) - major
        assert moved(legs, "mxn") == Decimal(row["minor"]) - (fee - major)
    assert {row["status"] for row in fundings} == {"pending", "complete", "failed"}


async def test_the_ledger_comes_in_pages_both_ways() -> None:
    """By default 25 entries, newest first; at most 100; a marker goes on after its entry."""
    async with running_sandbox() as running:
        user = Caller(running)
        whole = await user.ledger()
        newest = await user.payload("/api/v3/ledger")
        most = await user.payload("/api/v3/ledger?limit=1000&sort=desc")
        following = await user.payload(f"/api/v3/ledger?marker={newest[-1]['eid']}&limit=3")
        fees = await user.ledger(feed="ledger/fees")
        wrong = [
            code_of(await user.get(f"/api/v3/ledger?{query}"))
            for query in ("marker=nothing", "limit=0", "limit=x", "sort=up")
        ]
        unknown = code_of(await user.get("/api/v3/ledger/wishes"))

    assert newest == whole[::-1][:25]
    assert most == whole[::-1][:100]
    assert following == whole[::-1][25:28]
    assert fees == [row for row in whole if row["operation"] == "fee"]
    assert wrong == [(400, "0320"), (400, "0304"), (400, "0304"), (400, "0304")]
    assert unknown == (404, "1401")


async def test_the_ledger_only_grows() -> None:
    """What was there yesterday is there today, in the same place."""
    async with running_sandbox() as running:
        user = Caller(running)
        before = await user.ledger()
        running.clock.move(days=5)
        after = await user.ledger()

    assert after[: len(before)] == before
    assert len(after) > len(before)


async def test_the_same_seed_gives_the_same_account() -> None:
    """In any process; another seed gives another."""
    found = []
    for seed in (7, 7, 8):
        async with running_sandbox(seed) as running:
            user = Caller(running)
            status = await user.payload("/api/v3/account_status")
            found.append((status["client_id"], (await user.payload("/api/v3/ledger"))[0]["eid"]))

    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


async def test_a_transfer_can_be_asked_for_by_its_id() -> None:
    """One, or several with dashes between them."""
    async with running_sandbox() as running:
        user = Caller(running)
        two = (await user.payload("/api/v3/fundings?limit=2"))[::-1]
        ids = "-".join(row["fid"] for row in two)
        found = await user.payload(f"/api/v3/fundings/{ids}?sort=asc")
        missing = code_of(await user.get("/api/v3/fundings/nothing"))

    assert found == two
    assert missing == (404, "1401")


async def test_public_lists_need_no_key() -> None:
    """Markets and currencies, for clients that look at them first."""
    async with running_sandbox() as running:
        user = Caller(running)
        books = await user.send("/api/v3/available_books")
        catalogue = await user.send("/api/v3/catalogues")

    assert "btc_mxn" in {row["book"] for row in books.body["payload"]}
    metadata = catalogue.body["payload"]["currencies"]["metadata"]
    assert {"mxn": "fiat", "btc": "crypto"}.items() <= {
        row["code"]: row["type"] for row in metadata
    }.items()


async def test_options_show_the_other_side_of_what_is_open() -> None:
    """Positive fees, entries without an id, permissions, errors within a success."""
    options = SandboxOptions(
        bitso_fee_sign="positive",
        bitso_nameless_entries=True,
        bitso_permissions="may_withdraw",
        bitso_errors_in_200=True,
    )
    async with running_sandbox(options=options) as running:
        user = Caller(running)
        rows = await user.payload("/api/v3/ledger?limit=100&sort=desc")
        status = await user.payload("/api/v3/account_status")
        refused = await Caller(running, key="another").get("/api/v3/balance")

    fees = [row for row in rows if row["operation"] == "fee"]
    assert all(Decimal(row["balance_updates"][0]["amount"]) > 0 for row in fees)
    assert 0 < sum("eid" not in row for row in rows) < 20
    assert "withdrawals" in status["permissions"]
    assert code_of(refused) == (200, 201)


async def test_times_changed_their_form() -> None:
    """Older entries are written in the older form."""
    async with running_sandbox() as running:
        rows = await Caller(running).ledger()

    assert rows[0]["created_at"].endswith(".000+00:00")
    assert rows[-1]["created_at"].endswith("+0000")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("down", (500, "0101")),
        ("flaky", (500, "0101")),
        ("institution_down", (503, "0401")),
        ("rate_limit", (420, "0801")),
        ("validation", (400, "0303")),
        ("auth", (401, "0201")),
        ("bad_keys", (401, "0215")),
    ],
)
async def test_a_fault_is_told_in_bitsos_own_words(kind: str, expected: tuple[int, str]) -> None:
    """Each kind has its code; a throttled answer names a pause only where one was ordered."""
    async with running_sandbox() as running:
        user = Caller(running)
        fault: dict[str, object] = {"provider": "bitso", "kind": kind, "rate": 1.0}
        await running.put_faults({**fault, "institutionId": "ins_bitso"})
        struck = await user.get("/api/v3/balance")
        await running.put_faults({**fault, "institutionId": "ins_chase"})
        spared = await user.get("/api/v3/balance")
        await running.put_faults({**fault, "retryAfterS": 9})
        paused = await user.get("/api/v3/balance")

    assert code_of(struck) == expected
    assert "Retry-After" not in struck.headers
    assert spared.status == 200
    assert paused.headers["Retry-After"] == "9"


async def test_wrong_successes_show_in_the_data() -> None:
    """Nothing, half, an old state, or a page that never moves on."""
    async with running_sandbox() as running:
        user = Caller(running)
        balances = (await user.payload("/api/v3/balance"))["balances"]
        ledger = await user.payload("/api/v3/ledger?limit=100")
        shown: dict[str, Any] = {}
        for kind in ("empty", "truncated", "stale"):
            await running.put_faults({"provider": "bitso", "kind": kind})
            shown[kind] = (
                (await user.payload("/api/v3/balance"))["balances"],
                await user.payload("/api/v3/ledger?limit=100"),
            )
        newer_than_all = await user.payload(f"/api/v3/ledger?sort=asc&marker={ledger[0]['eid']}")
        await running.put_faults({"provider": "bitso", "kind": "frozen"})
        stands = await user.payload(f"/api/v3/ledger?limit=100&marker={ledger[-1]['eid']}")

    assert shown["empty"] == ([], [])
    assert shown["truncated"][0] == balances[: len(balances) // 2]
    assert shown["stale"][1] != ledger
    assert newer_than_all == []
    assert stands == ledger


async def test_each_documented_error_can_be_ordered() -> None:
    """The code comes as it is documented, and a status alone without a body."""
    async with running_sandbox() as running:
        user = Caller(running)
        codes = running.sandbox.vendors["bitso"].error_codes()
        told = {}
        for code in codes:
            fault = {"provider": "bitso", "kind": "error", "errorCode": code}
            await running.put_faults(fault)
            reply = await user.get("/api/v3/balance")
            told[code] = f"HTTP_{reply.status}" if not reply.raw else code_of(reply)[1]

    assert told == {code: int(code) if code == "104" else code for code in codes}


async def test_going_over_the_limits_locks_out() -> None:
    """420 from the 301st call of a minute on, for a minute."""
    async with running_sandbox(options=SandboxOptions(enforce_limits=True)) as running:
        user = Caller(running)
        statuses = [(await user.get("/api/v3/balance")).status for _ in range(302)]
        running.clock.move(seconds=59)
        within = await user.get("/api/v3/balance")
        running.clock.move(seconds=2)
        after = await user.get("/api/v3/balance")

    assert statuses == [200] * 300 + [420] * 2
    assert code_of(within) == (420, "0801")
    assert after.status == 200


def test_a_lock_out_that_follows_another_lasts_longer() -> None:
    """The fifth is a day's; an hour of peace makes the next one a first again."""
    limits, now = BitsoLimits(), 0.0
    lasted = []
    for _ in range(5):
        while limits.admits(PUBLIC, now):
            continue
        began = now
        while not limits.admits(PUBLIC, now):
            now += 10.0
        lasted.append(now - began)
    now += 7200.0
    while limits.admits(PUBLIC, now):
        continue

    assert lasted == [60.0, 120.0, 240.0, 480.0, 86_400.0]
    assert limits.admits(PUBLIC, now + 60.0)


def test_users_and_addresses_are_counted_apart() -> None:
    """Looking at markets costs the user nothing."""
    limits = BitsoLimits()
    public = [limits.admits(PUBLIC, 0.0) for _ in range(PUBLIC + 1)]
    private = [limits.admits(PRIVATE, 0.0) for _ in range(PRIVATE + 1)]

    assert public == [True] * PUBLIC + [False]
    assert private == [True] * PRIVATE + [False]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"linkSessionId": f"ls_{'0' * 32}"}, 200),
        ({"linkSessionId": "whatever", "institutionId": "ins_bitso"}, 200),
        ({"linkSessionId": f"ls_{'0' * 32}", "institutionId": "ins_bitso", "user": "ana"}, 200),
        ({"linkSessionId": f"ls_{'0' * 32}", "institutionId": "ins_chase"}, 404),
        ({"linkSessionId": f"ls_{'0' * 32}", "institutionId": "ins_nowhere"}, 404),
        ({"linkSessionId": "ls_1"}, 404),
        ({"linkToken": f"ls_{'0' * 32}"}, 404),
    ],
)
async def test_the_form_is_filled_for_a_session_nobody_was_told_of(
    said: dict[str, str], status: int
) -> None:
    """Its institution tells that it is Bitso's, or the form of our own id."""
    async with running_sandbox() as running:
        url = f"{running.base_url}/_control/complete"
        async with running.http.post(url, json=said) as response:
            body = await response.json()

    assert response.status == status
    if status == 200:
        assert body == {"temporaryToken": {"apiKey": KEY, "apiSecret": SECRET}}


async def test_something_is_under_way_at_any_time() -> None:
    """Whenever somebody looks, a deposit is being confirmed."""
    async with running_sandbox() as running:
        user = Caller(running)
        for _ in range(20):
            rows = await user.payload("/api/v3/fundings?status=pending")

            assert rows
            running.clock.now += timedelta(hours=31)
