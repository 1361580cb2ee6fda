"""Every row of the vendors' error sheets, produced by the sandbox and read back over HTTP."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from provider_contract import institution_at

from orchestrator.domain import ErrorClass, ErrorScope, Failure
from orchestrator.resilience.blame import Blame, blame_of
from sandbox.server import VENDORS
from sandbox.vendor import Vendor
from tests.support.configurations import NO_WAITING
from tests.support.error_sheets.sheet import Rows
from tests.support.system import System, running_system

PROVIDERS = [one.name for one in VENDORS if one.error_codes is not Vendor.error_codes]
"""Those whose sandbox can answer with every code of their sheet."""
CONFIG = f"""{NO_WAITING}
[providers.mx.options]
refresh_wait_s = "0"
"""
A_DAY_S = 86_400.0
RETRYABLE = {"rate_limit", "network", "provider_down"}
Way = list[tuple[str, str | None]]


def rows_of(provider: str) -> Rows:
    """The provider's sheet."""
    rows: Rows = import_module(f"tests.support.error_sheets.{provider}").ROWS
    return rows


OTHERS = {"plaid": "mx", "mx": "plaid", "finicity": "mx", "belvo": "mx"}
"""Who else can link the same bank; at Bitso a link session costs no call that could fail."""


async def way_of_a_link(system: System, provider: str, code: str, link: dict[str, Any]) -> Way:
    """Who was tried for a link session while the provider answers with this code."""
    fault = {"provider": provider, "operation": "createLink", "kind": "error", "errorCode": code}
    await system.sandbox.put_faults({**fault, "retryAfterS": A_DAY_S / 2})
    answer = await system.call(
        "createLink",
        {"spaceId": "space_1", "institutionId": link["institution"]},
        region=link["region"],
        preferredProvider=provider,
    )
    await system.sandbox.clear_faults()
    await system.post(
        f"/admin/providers/{provider}/circuit", {"state": "AUTO", "reason": "the next row"}
    )
    system.clock.jump(A_DAY_S)
    return [(one["provider"], one["errorCode"]) for one in answer.body["attempts"]]


async def told(system: System, provider: str, code: str) -> tuple[str, str | None, str | None, str]:
    """Class, scope and code of the attempt that met the error, and the circuit's state after it."""
    row = {"provider": provider, "operation": "getAccounts", "kind": "error", "errorCode": code}
    # A pause that no deadline allows, so that nobody waits it out.
    await system.sandbox.put_faults({**row, "retryAfterS": A_DAY_S / 2})
    answer = await system.call("getAccounts", {"spaceId": "space_1"})
    await system.sandbox.clear_faults()
    first = answer.body["attempts"][0]
    state = (await system.get("/admin/stats")).body["providers"][provider]["circuitState"]
    await system.post(
        f"/admin/providers/{provider}/circuit", {"state": "AUTO", "reason": "the next row"}
    )
    system.clock.jump(A_DAY_S)
    return first["outcome"], first["errorScope"], first["errorCode"], state


def opens_at_once(error_class: str, scope: str) -> bool:
    """Whether one such failure takes the provider out."""
    failure = Failure(ErrorClass(error_class), ErrorScope(scope), "CODE", "")
    return blame_of(failure) is Blame.CLIENT


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_row_lands_in_its_class_and_scope_over_http(
    provider: str, tmp_path: Path
) -> None:
    """The sandbox answers with each code, and the attempt is told with the sheet's two words.

    Our refused keys alone take the provider out at the first failure.
    """
    one = institution_at(provider)
    config = f'{CONFIG}[regions]\n{one.region} = ["{provider}"]\n'
    rows = rows_of(provider)
    async with running_system(tmp_path, config=config, providers=(provider,)) as system:
        await system.link("space_1", one.institution_id, provider, one.region)
        found = {code: await told(system, provider, code) for code in rows}

    assert {
        code: (error_class, scope, code, "OPEN" if opens_at_once(error_class, scope) else "CLOSED")
        for code, (error_class, scope, _elsewhere) in rows.items()
    } == found


@pytest.mark.parametrize("provider", OTHERS)
async def test_every_row_lets_a_link_go_elsewhere_or_not(provider: str, tmp_path: Path) -> None:
    """What may pass, or what speaks against this provider alone, is tried at the next one.

    Rows that only show in a login's data cost no link session anything.
    """
    one = institution_at(provider)
    other = OTHERS[provider]
    link = {"institution": one.institution_id, "region": one.region}
    rows = rows_of(provider)
    async with running_system(tmp_path, config=CONFIG, providers=(provider, other)) as system:
        found = {code: await way_of_a_link(system, provider, code, link) for code in rows}

    shown = {code: way for code, way in found.items() if way[0] != (provider, None)}
    assert len(shown) >= 10
    assert {
        code: [
            (provider, code),
            *([(other, None)] if error_class in RETRYABLE or elsewhere else []),
        ]
        for code, (error_class, _scope, elsewhere) in rows.items()
        if code in shown
    } == shown
