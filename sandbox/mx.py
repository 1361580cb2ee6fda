"""MX's protocol: users, their members (logins), and listings of what MX has stored of them.

Source: MX's OpenAPI v20250224 and v20111101, docs.mx.com.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from .banks import Bank, bank_at
from .connections import Connection, LinkSession
from .faults import FaultKind
from .mx_book import PROVIDER, MxBook
from .mx_data import MxData
from .mx_errors import (
    ERROR_CODES,
    check_access,
    content_type,
    error,
    error_answer,
    fault_refusal,
)
from .mx_institutions import MxInstitutions, bank_of_guid
from .mx_limits import MxLimits
from .mx_member_jobs import MxMemberJobs
from .mx_members import MxMembers
from .mx_users import MxUsers
from .mx_widget import MxWidget
from .vendor import Route, Shared, Vendor
from .wire import Answer, Call

__all__ = ["Mx"]


class Mx(Vendor):
    """MX, with the keys `sandbox_client` and `sandbox_key`."""

    name: ClassVar[str] = PROVIDER

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._book = MxBook(shared)
        self._widget = MxWidget(self._book, self.default_user)
        self._limits = MxLimits() if shared.options.enforce_limits else None

    def routes(self) -> Sequence[Route]:  # noqa: D102  see Vendor
        parts = (
            MxUsers(self._book),
            self._widget,
            MxMembers(self._book),
            MxMemberJobs(self._book),
            MxData(self._book),
            MxInstitutions(),
        )
        return tuple(
            replace(route, handler=self._guarded(route.handler))
            for part in parts
            for route in part.routes()
        )

    def _guarded(self, handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        """A handler behind keys, version and limits; its answers have the version's media type."""

        def handle(call: Call) -> Answer:
            check_access(call)
            if self._limits is not None and not self._limits.admit(call):
                return error(call, 429, "too_many_requests", "Too many requests.")
            answer = handler(call)
            return Answer(answer.status, answer.payload, answer.headers, content_type(call))

        return handle

    def connection_of(self, call: Call) -> Connection | None:  # noqa: D102  see Vendor
        return self._book.find(call)

    def bank_of(self, call: Call) -> Bank | None:  # noqa: D102  see Vendor
        wanted = call.part("widget_url") or call.part("config") or call.part("member")
        code = wanted.get("current_institution_code") or wanted.get("institution_code")
        return bank_at(self.name, code or call.match.get("code")) or bank_of_guid(
            wanted.get("current_institution_guid")
        )

    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if kind is FaultKind.AUTH and "/members" in call.path:
            return None
        return fault_refusal(kind, call)

    def error_codes(self) -> Collection[str]:  # noqa: D102  see Vendor
        return ERROR_CODES

    def error_answer(self, code: str, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        return error_answer(code, call)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        return error(call, 404, "not_found", "Not found")

    def complete(  # noqa: D102  see Vendor
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> str:
        return self._widget.complete(session, user, bank, now)
