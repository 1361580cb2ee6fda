"""What a client asks MX to do with a member: read the bank again, and go on after a challenge.

A 202 promises nothing: it is also given when such a job runs already, and when the last success is
too fresh for another. Source: docs.mx.com (errors, aggregation); MX's OpenAPI.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from .faults import FaultKind
from .mx_book import MemberView, MxBook
from .mx_challenges import answer_ends_as, challenges_json, login_ends_as
from .mx_errors import bad_request, error, is_legacy
from .mx_jobs import JobKind
from .mx_member_shapes import member_json, member_status_json
from .mx_members import MEMBER, MEMBER_READ
from .mx_requests import CREDENTIALS, credentials_of, page_of, part_of
from .vendor import Route
from .wire import Answer, Call, Refusal

__all__ = ["MxMemberJobs"]

_RESUMED: Final = "RESUMED"


class MxMemberJobs:
    """The endpoints of jobs."""

    def __init__(self, book: MxBook) -> None:
        self._book = book

    def routes(self) -> Sequence[Route]:
        """The endpoints."""
        return (
            Route("GET", f"{MEMBER}/status", MEMBER_READ, self._status),
            *(
                Route("POST", f"{MEMBER}/{kind.value}", MEMBER_READ, self._starter(kind))
                for kind in JobKind
            ),
            Route("GET", f"{MEMBER}/challenges", MEMBER_READ, self._challenges),
            Route("PUT", f"{MEMBER}/resume", ("sandbox",), self._resume),
        )

    def _status(self, call: Call) -> Answer:
        return Answer(200, {"member": member_status_json(self._book.member(call))})

    def _starter(self, kind: JobKind) -> Callable[[Call], Answer]:
        def start(call: Call) -> Answer:
            view = self._book.member(call)
            life = view.life
            if life.job is not None and life.job.kind is not kind:
                raise Refusal(error(call, 409, "conflict", "Another job of this member is running"))
            rests = kind is JobKind.AGGREGATE and not view.bank.test_only and life.rests(call.now)
            is_old_news = call.kind is FaultKind.STALE
            if life.job is None and not (rests or is_old_news or life.needs_credentials):
                ends_as = login_ends_as(life.scenario)
                life = life.started(kind, call.now, ends_as, self._book.rules.job_s)
                self._book.keep(view.member, life)
            return self._accepted(call, view)

        return start

    def _accepted(self, call: Call, view: MemberView) -> Answer:
        row = member_json(self._book.view(call, view.user, view.member), legacy=is_legacy(call))
        return Answer(202, {"member": row})

    def _challenges(self, call: Call) -> Answer:
        view = self._book.member(call)
        if view.status != "CHALLENGED":
            return Answer(204)
        rows = challenges_json(view.member.connection_id, view.life.scenario)
        shown, pagination = page_of(call, rows)
        return Answer(200, {"challenges": list(shown), "pagination": pagination})

    def _resume(self, call: Call) -> Answer:
        view = self._book.member(call)
        if view.status != "CHALLENGED":
            raise Refusal(error(call, 405, "method_not_allowed", "The member is not challenged"))
        wanted = part_of(call, "member", {"challenges": CREDENTIALS}, required=("challenges",))
        asked = {
            row["guid"] for row in challenges_json(view.member.connection_id, view.life.scenario)
        }
        answers = credentials_of(wanted, "challenges")
        if set(answers) != asked:
            raise bad_request(call, "The answers are not those to the challenges")
        life = replace(view.life, challenged_at=None).started(
            JobKind.AGGREGATE,
            call.now,
            answer_ends_as(list(answers.values())),
            self._book.rules.job_s,
            _RESUMED,
        )
        self._book.keep(view.member, life)
        return self._accepted(call, view)
