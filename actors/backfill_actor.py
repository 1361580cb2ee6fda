"""A backfill job's actor: hosts a router of its own and runs the job to its end.

It works without being asked, so that Ray's restart of a killed one goes on where that stopped, and
leaves when the job is over. What is wanted of the job it reads from the job's ledger. Hosting the
router saves a message each way for every page of results.
"""

import asyncio
import random
import threading

import ray
import structlog

from actors.router_actor import open_service
from orchestrator.backfill import (
    BackfillPlan,
    BackfillRun,
    MergeApart,
    OpenItem,
    job_folder,
)
from orchestrator.domain import Lane, Operation, OperationRequest, OrchestratorError, SystemClock
from orchestrator.intake import Intake
from orchestrator.settings import load_settings

__all__ = ["BackfillActor", "item_request"]

_log = structlog.get_logger("backfill")


class BackfillActor:
    """Runs one job from its making on.

    Args:
        job_id: of a job that `prepare` has made.

    """

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._me = ray.get_runtime_context().current_actor
        self._asked_again = False
        self._work()

    async def begin(self) -> None:
        """Run the job once more, should what is under way have been too late to know of it."""
        self._asked_again = True

    async def over(self) -> None:
        """The work is over: begin anew where that was asked for, else leave for good."""
        if self._asked_again:
            self._asked_again = False
            self._work()
        else:
            ray.actor.exit_actor()  # type: ignore[no-untyped-call]

    def _work(self) -> None:
        threading.Thread(target=self._run_job, name="backfill", daemon=True).start()

    def _run_job(self) -> None:
        try:
            asyncio.run(self._run())
        except OrchestratorError as error:
            # Whoever watches asks again while the job is not over.
            _log.error("backfill_cut_off", job_id=self._job_id, problem=str(error))
        finally:
            self._me.over.remote()

    async def _run(self) -> None:
        folder = job_folder(load_settings().data_dir, self._job_id)
        service = await open_service()
        intake = service.intake
        try:
            await BackfillRun(
                folder,
                service.execute,
                lambda plan, item: item_request(intake, plan, item),
                SystemClock(),
                rng=random.Random(),  # noqa: S311  jitter, not a secret
                merging=MergeApart,
            ).run()
        finally:
            await service.close()


def item_request(intake: Intake, plan: BackfillPlan, open_item: OpenItem) -> OperationRequest:
    """The next request of an item.

    Raises:
        RequestRefused: the item cannot be asked for.

    """
    item = open_item.item
    params: dict[str, object] = {
        "spaceId": item.space_id,
        "institutionId": item.institution_id,
        "connectionId": item.connection_id,
    }
    if plan.operation is Operation.SYNC_TRANSACTIONS:
        params["accountId"] = item.account_id
        if open_item.cursor is None:
            params["startDate"] = item.start_date or plan.start_date
            params["endDate"] = item.end_date or plan.end_date
        else:
            params["cursor"] = open_item.cursor
    return intake.request(
        plan.operation,
        {name: value for name, value in params.items() if value is not None},
        region=plan.region,
        preferred_provider=item.preferred_provider,
        deadline_ms=item.deadline_ms or plan.deadline_ms,
        priority=Lane.BACKFILL,
        job_id=plan.job_id,
    )
