"""Everything behind the edges, when a part of it is away or late."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actors.ports import ActorLost, LogStanding
from actors.router_actor import assemble_service
from actors.service import RouterService
from actors.vault import VaultDesk
from models.drift import Alarm
from models.drift_file import DriftFile
from orchestrator.attempt_log import LogStats
from orchestrator.domain import (
    ErrorType,
    Json,
    QueryRefused,
    RequestRefused,
    StoreError,
)
from orchestrator.settings import load_settings
from orchestrator.vault import VaultStore, vault_url
from tests.support.orders import EmptyLog

ATTEMPT: dict[str, Json] = {"attemptId": "a1"}


class Log(EmptyLog):
    """A log that tells a request's stories in turn, or is away."""

    def __init__(self, stories: Sequence[dict[str, Json] | None] = ()) -> None:
        super().__init__()
        self.away: Exception | None = None
        self.problem: str | None = None
        self.collected = False
        self._stories = list(stories)

    async def collect(self) -> None:
        """Remember."""
        self.collected = True

    async def standing(self) -> LogStanding:
        """Say what the test says."""
        return LogStanding(7, 1, self.problem)

    async def stats(self) -> LogStats:
        """Be away, or empty."""
        if self.away is not None:
            raise self.away
        return await super().stats()

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """The next story; the last one again and again."""
        return self._stories.pop(0) if len(self._stories) > 1 else self._stories[0]

    async def query(self, sql: str) -> list[Json]:
        """Be away, or empty."""
        if self.away is not None:
            raise self.away
        return []


class _Vault(VaultDesk):
    def __init__(self, error: Exception) -> None:
        """Have no store: every question is one too many."""
        self._error = error

    async def connections(self, space_id: str) -> None:  # type: ignore[override]
        """Be gone."""
        raise self._error


@pytest_asyncio.fixture
async def vault(tmp_path: Path) -> AsyncIterator[VaultDesk]:
    """An empty vault."""
    desk = VaultDesk(lambda: VaultStore(vault_url(tmp_path)))
    yield desk
    await desk.close()


def _service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vault: VaultDesk, log: Log
) -> RouterService:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    return assemble_service(load_settings(), {}, vault, log)


def _story(*rows: dict[str, Json]) -> dict[str, Json]:
    return {"requestId": "r", "request": {"attempts": [ATTEMPT]}, "attempts": list(rows)}


async def test_story_is_told_of_collected_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vault: VaultDesk
) -> None:
    """Have what is written down committed before a request's story is read."""
    log = Log([_story(ATTEMPT)])
    service = _service(tmp_path, monkeypatch, vault, log)

    assert _story(ATTEMPT) == await service.story("r")
    assert log.collected


@pytest.mark.parametrize("away", [ActorLost("log"), StoreError("damaged: move it away")])
async def test_statistics_go_on_without_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vault: VaultDesk, away: Exception
) -> None:
    """Show the providers and the alarm when the log's file cannot be had."""
    log = Log()
    log.away = away
    log.problem = "damaged: move it away"
    document: Any = await _service(tmp_path, monkeypatch, vault, log).stats()

    assert "plaid" in document["providers"]
    assert {"rows": None, "pending": 7, "lost": 1, "problem": "damaged: move it away"} == (
        document["attemptLog"]
    )


async def test_statistics_tell_of_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vault: VaultDesk
) -> None:
    """Show what the last look found, or an empty list."""
    service = _service(tmp_path, monkeypatch, vault, Log())
    calm: Any = await service.stats()

    DriftFile(tmp_path / "models").write([Alarm("calibration", "worse")], at=0.0)
    alarmed: Any = await service.stats()

    assert [] == calm["model"]["driftAlarms"]
    assert ["calibration: worse"] == alarmed["model"]["driftAlarms"]


async def test_unknown_story_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vault: VaultDesk
) -> None:
    """Wait for nothing where the log knows nothing of a request."""
    service = _service(tmp_path, monkeypatch, vault, Log([None, _story(ATTEMPT)]))

    assert await service.story("r") is None


@pytest.mark.parametrize(
    ("away", "error_type"),
    [
        (ActorLost("log"), ErrorType.NETWORK),
        (StoreError("damaged"), ErrorType.NETWORK),
        (QueryRefused("one SELECT"), ErrorType.VALIDATION),
    ],
)
async def test_trouble_of_the_log_is_a_refusal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vault: VaultDesk,
    away: Exception,
    error_type: ErrorType,
) -> None:
    """Refuse what cannot be answered without the log, or what may not be asked of it."""
    log = Log()
    log.away = away
    service = _service(tmp_path, monkeypatch, vault, log)
    with pytest.raises(RequestRefused) as caught:
        await service.attempts("select 1")

    assert error_type is caught.value.error.type


@pytest.mark.parametrize(
    ("error", "code"), [(ActorLost("vault"), "ACTOR_LOST"), (StoreError("away"), "STORE_FAILED")]
)
async def test_lost_vault_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    """Refuse a listing that the vault cannot be asked for."""
    service = _service(tmp_path, monkeypatch, _Vault(error), Log())
    with pytest.raises(RequestRefused) as caught:
        await service.connections("s")

    assert (ErrorType.NETWORK, code) == (caught.value.error.type, caught.value.error.code)
