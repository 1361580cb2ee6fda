"""The demo's story: a scene after another, one region after the other, as far as it is served."""

import time

import httpx

from orchestrator.client import Orchestrator
from orchestrator.domain import OrchestratorError

from .console import output
from .demo_scenes import Scenes, markets

__all__ = ["Story"]


class Story:
    """Starts a system, plays every scene, stops it."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def tell(self) -> None:
        """From beginning to end.

        Raises:
            OrchestratorError: an operation failed that should not have.

        """
        self._scene("Starting: Ray, the actors and the sandbox providers (this takes a moment)")
        async with Orchestrator.connect() as orchestrator:
            if orchestrator.sandbox_url is None:
                raise OrchestratorError("the demo runs on the sandbox only")
            async with httpx.AsyncClient(base_url=orchestrator.sandbox_url, timeout=30) as control:
                scenes = Scenes(orchestrator, control, self._scene, self._line)
                american, mexican = markets()
                await scenes.link(american)
                account_id = await scenes.accounts(american)
                await scenes.sync(american, account_id)
                await scenes.outage(american)
                await scenes.recovery(american, "provider")
                if await scenes.serve(mexican.primary, mexican.backup):
                    await scenes.link(mexican)
                    await scenes.accounts(mexican)
                    await scenes.bank_outage(mexican)
                    await scenes.recovery(mexican, f"institution:{mexican.institution_id}")
                if await scenes.serve("bitso"):
                    await scenes.exchange_account(mexican)
                await scenes.books()
        self._scene("Stopped. 'make serve' starts a system that stays.")

    def _scene(self, title: str) -> None:
        output.print(
            f"\n[bold]{time.monotonic() - self._began:5.1f} s  {title}[/]", highlight=False
        )

    def _line(self, text: str) -> None:
        output.print(f"         {text}", highlight=False, markup=False)
