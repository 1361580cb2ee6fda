"""The main job, end to end, as a user meets it."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.provider_registry import REGISTRY
from tests.e2e.journeys import Caller
from tests.support.serving import Serving

pytestmark = pytest.mark.ray

WAIT_S = 20.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition of another process comes true within a bound."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if condition():
            return True
    return condition()


@pytest.fixture
def caller(serving: Serving) -> Iterator[Caller]:
    """A caller with a space of its own; no fault is in force before or after."""
    made = Caller(serving)
    made.mend()
    yield made
    made.mend()
    made.close()


def test_all_five_providers_are_listed_and_those_with_an_adapter_configured(
    caller: Caller,
) -> None:
    """The statistics list every provider, configured or not; the sandbox configures all it can."""
    providers = caller.stats()["providers"]

    assert list(providers) == list(REGISTRY)
    assert {n for n, p in providers.items() if p["configured"]} == {
        spec.name for spec in REGISTRY.values() if spec.module is not None
    }


@pytest.mark.parametrize(
    ("provider", "institution", "region"),
    [
        ("plaid", "ins_chase", "US"),
        ("mx", "ins_wells_fargo", "US"),
        ("finicity", "ins_citi", "US"),
        ("mx", "ins_banorte_mx", "MX"),
        ("belvo", "ins_bbva_mx", "MX"),
        ("bitso", "ins_bitso", "MX"),
    ],
)
def test_a_linked_institution_gives_accounts_and_transactions(
    caller: Caller, provider: str, institution: str, region: str
) -> None:
    """Link, exchange, accounts and transactions work at every configured provider and region."""
    connection = caller.link(provider, institution, region)

    accounts = caller.operate("getAccounts", {"institutionId": institution}).json()
    first = accounts["data"]["accounts"][0]
    rows = caller.operate("syncTransactions", {"accountId": first["accountId"]}).json()

    assert connection["institutionId"] == institution
    assert accounts["provider"] == provider
    assert rows["data"]["transactions"]
    assert {t["accountId"] for t in rows["data"]["transactions"]} == {first["accountId"]}
    assert all(isinstance(t["amount"], str) for t in rows["data"]["transactions"])


def test_failover_carries_on_until_the_circuit_opens_and_the_primary_returns(
    caller: Caller,
) -> None:
    """Plaid down: MX answers by failover five times, then without trying Plaid; two probes close."""
    caller.link("plaid", "ins_chase")
    caller.link("mx", "ins_chase", backup=True)

    def read() -> Any:
        return caller.operate(
            "getAccounts", {"institutionId": "ins_chase"}, preferredProvider="plaid"
        ).json()

    assert read()["provider"] == "plaid"
    caller.fault(provider="plaid", kind="down")
    tried = [read() for _ in range(5)]
    opened = caller.stats()
    seen = caller.calls("plaid")
    skipped = [read() for _ in range(3)]

    assert [(r["provider"], r["failoverUsed"]) for r in tried] == [("mx", True)] * 5
    assert opened["providers"]["plaid"]["circuitState"] == "OPEN"
    assert [(r["provider"], r["failoverUsed"]) for r in skipped] == [("mx", False)] * 3
    assert caller.calls("plaid") == seen
    plaid = next(c for c in skipped[0]["decision"]["candidates"] if c["provider"] == "plaid")
    assert (plaid["eligible"], plaid["reason"]) == (False, "circuit_open")

    caller.mend()
    state = lambda: caller.stats()["providers"]["plaid"]["circuitState"]  # noqa: E731  three uses
    assert eventually(lambda: state() == "HALF_OPEN")
    assert read()["provider"] == "plaid"
    assert state() == "HALF_OPEN"
    assert read()["provider"] == "plaid"
    assert state() == "CLOSED"
    ours = [c for c in caller.stats()["circuitChanges"] if c["scope"] == "provider"]
    ours = sorted((c for c in ours if c["provider"] == "plaid"), key=lambda c: c["at"])[-3:]
    assert [(c["from"], c["to"]) for c in ours] == [
        ("CLOSED", "OPEN"),
        ("OPEN", "HALF_OPEN"),
        ("HALF_OPEN", "CLOSED"),
    ]


def test_python_joins_the_running_system(caller: Caller, serving: Serving) -> None:
    """The usage example prints the number of transactions, the provider and the failover."""
    caller.link("plaid", "ins_citi")
    accounts = caller.operate("getAccounts", {"institutionId": "ins_citi"}).json()
    account_id = accounts["data"]["accounts"][0]["accountId"]
    program = f"""
import asyncio, datetime
from orchestrator import Orchestrator

async def main():
    async with Orchestrator.connect(start=False) as orchestrator:
        result = await orchestrator.execute_with_failover(
            "syncTransactions",
            {{"spaceId": "{caller.space}", "accountId": "{account_id}",
              "startDate": datetime.date.today() - datetime.timedelta(days=30)}},
            preferred_provider="plaid",
            region="US",
        )
        print(len(result.data.transactions), result.provider, result.failover_used)
        frame = await orchestrator.attempts(sql="select count(*) as n from attempts")
        print(int(frame["n"][0]) > 0)

asyncio.run(main())
"""
    run = serving.python(program)

    assert run.returncode == 0, run.stderr
    counted, joined = run.stdout.strip().splitlines()
    number, provider, failover = counted.split()
    assert int(number) > 0
    assert (provider, failover) == ("plaid", "False")
    assert joined == "True"


def test_the_command_line_reads_the_running_system(caller: Caller, serving: Serving) -> None:
    """`stats`, `explain` and `attempts` tell of a request that was just served."""
    caller.link("plaid", "ins_chase")
    answer = caller.operate("getAccounts", {"institutionId": "ins_chase"}).json()

    stats = json.loads(serving.command("stats", "--json").stdout)
    explained = serving.command("explain", answer["requestId"])
    rows = serving.command(
        "attempts",
        "--sql",
        f"select provider from attempts where request_id = '{answer['requestId']}'",
    )

    assert stats["providers"]["plaid"]["configured"] is True
    assert explained.returncode == 0, explained.stderr
    assert "attempt 1 at plaid: success" in explained.stdout
    assert "plaid" in rows.stdout


def test_a_trained_model_becomes_active_without_a_restart(caller: Caller, serving: Serving) -> None:
    """`train` fits on the log, and the running router shows the model that is to be active."""
    caller.link("plaid", "ins_chase")
    for _ in range(30):
        assert caller.operate("getAccounts", {"institutionId": "ins_chase"}).is_success

    trained = serving.command("train", "--activate")

    assert trained.returncode == 0, trained.stderr
    version = trained.stdout.split()[1].rstrip(":")
    assert eventually(lambda: caller.stats()["model"]["version"] == version)
    answer = caller.operate("getAccounts", {"institutionId": "ins_chase"}).json()
    assert answer["decision"]["modelVersion"] == version


def test_a_second_system_runs_beside_the_first_and_leaves_nothing_behind(
    serving: Serving, tmp_path: Any
) -> None:
    """Side by side, own data; after SIGTERM the log is whole on disk and no process is left."""
    from orchestrator.attempt_log import read_only
    from tests.support.serving import serving as start_serving

    with start_serving(tmp_path) as second:
        other = Caller(second)
        other.link("plaid", "ins_chase")
        answer = other.operate("getAccounts", {"institutionId": "ins_chase"}).json()
        other.close()
        code = second.stop()

        assert code == 0, second.lines
        assert eventually(lambda: not second.processes()), second.processes()
    with read_only(second.data_dir / "attempts.duckdb") as log:
        rows = log.attempts_frame(
            "select request_id, provider, outcome from attempts", timeout_s=10, max_rows=100
        )
    assert answer["requestId"] in set(rows["request_id"])
    with serving.http() as http:
        assert http.get("/readyz").json() == {"status": "ready"}
