"""Users and members as MX has noted them, brought up to the instant of each call."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from .banks import BANKS, Bank
from .connections import Connection, EndUser
from .faults import FaultKind
from .identifiers import guid
from .mx_errors import is_legacy, not_found
from .mx_jobs import GATHERING, STATUSES, JobRules, MemberLife
from .vendor import STALE_BY, Shared
from .wire import Call
from .world import Login

__all__ = ["PROVIDER", "MemberView", "MxBook"]

PROVIDER: Final = "mx"
_LIFE: Final = "life"


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as one call sees it: `life` is what MX knows, `shown` what the call's fault shows.

    `works` says whether a job is under way. `data_day` is the day that its movements are of, `balance_day` that its balances are of; both
    None while nothing was gathered.
    """

    user: EndUser
    member: Connection
    bank: Bank
    life: MemberLife
    shown: MemberLife
    status: str
    works: bool
    data_day: date | None
    balance_day: date | None


class MxBook:
    """What MX keeps of the client's users and their members."""

    def __init__(self, shared: Shared) -> None:
        self.world = shared.world
        self.connections = shared.connections
        self.sessions = shared.sessions
        self.options = shared.options
        self.rules = JobRules(
            job_s=shared.options.mx_job_s,
            challenge_s=shared.options.mx_challenge_s,
            background=shared.options.mx_background,
        )

    def user(self, call: Call) -> EndUser:
        """The user of the call's path.

        Raises:
            Refusal: 404.

        """
        found = self.connections.end_user(PROVIDER, call.match["user"], own_ids=not is_legacy(call))
        if found is None:
            raise not_found(call, "User")
        return found

    def find(self, call: Call) -> Connection | None:
        """The member that a call names by guid or, in the newer version, by the client's own id."""
        named = call.match.get("member") or call.part("widget_url").get("current_member_guid")
        named = named or call.part("config").get("current_member_guid")
        if not named:
            return None
        found = self.connections.get(PROVIDER, named)
        if found is None and not is_legacy(call) and "user" in call.match:
            user = self.connections.end_user(PROVIDER, call.match["user"])
            members = self.connections.of_owner(PROVIDER, user.guid) if user else []
            return next((m for m in members if m.attributes.get("id") == named), None)
        return found

    def member(self, call: Call) -> MemberView:
        """The member of the call's path.

        Raises:
            Refusal: 404 where it is not there, is another user's, or is too fresh to be found.

        """
        user, member = self.user(call), self.find(call)
        if member is None or member.removed or member.owner != user.guid:
            raise not_found(call, "Member")
        if call.now - member.linked_at < timedelta(seconds=self.options.mx_fresh_member_s):
            raise not_found(call, "Member")
        return self.view(call, user, member)

    def members(self, call: Call, *, with_removed: bool = False) -> list[MemberView]:
        """All members of the user of the call's path, oldest first."""
        user = self.user(call)
        found = self.connections.of_owner(PROVIDER, user.guid, with_removed=with_removed)
        return [self.view(call, user, member) for member in found]

    def view(self, call: Call, user: EndUser, member: Connection) -> MemberView:
        """The member as this call sees it."""
        life = shown = self.life(member, call.now)
        status = life.status
        works = life.job is not None
        if call.kind is FaultKind.AUTH:
            status = "DENIED"
        if call.kind is FaultKind.ERROR and call.error_code in STATUSES:
            status = str(call.error_code)
            works = status in GATHERING
        if call.kind is FaultKind.STALE:
            works = False
            shown = replace(
                life,
                aggregated_at=_earlier(life.aggregated_at),
                succeeded_at=_earlier(life.succeeded_at),
                balances_at=_earlier(life.balances_at),
            )
        return MemberView(
            user,
            member,
            BANKS[member.bank_key],
            life,
            shown,
            status,
            works,
            shown.succeeded_at and shown.succeeded_at.date(),
            shown.refreshed_at and shown.refreshed_at.date(),
        )

    def life(self, member: Connection, now: datetime) -> MemberLife:
        """What MX knows of a member by now."""
        kept = member.attributes.get(_LIFE)
        before = (
            MemberLife.from_text(kept)
            if kept
            else MemberLife.connected(member.linked_at, self.options.mx_history_days)
        )
        owner = self.connections.end_user(PROVIDER, member.owner, own_ids=False)
        is_disabled = owner is not None and owner.attributes.get("is_disabled") == "yes"
        rules = replace(self.rules, background=False) if is_disabled else self.rules
        after = before.at(now, rules)
        if after is not before:
            self.keep(member, after)
        return after

    def keep(self, member: Connection, life: MemberLife) -> None:
        """Note how a member stands now."""
        member.attributes[_LIFE] = life.to_text()
        self.connections.save(member)

    def login(self, member: Connection) -> Login:
        """The login in the world that a member reads."""
        return self.world.login(member.user, BANKS[member.bank_key])

    def member_of(self, owner: str, user: str, bank: Bank, now: datetime) -> Connection:
        """The owner's member for this login, as it is or new: MX makes none twice."""
        for member in self.connections.of_owner(PROVIDER, owner):
            if (member.user, member.bank_key) == (user, bank.key):
                return member
        ordinal = self.connections.ordinal(PROVIDER, user, bank.key)
        return Connection(
            provider=PROVIDER,
            connection_id=guid("MBR", self.world.seed, owner, user, bank.key, ordinal),
            owner=owner,
            user=user,
            bank_key=bank.key,
            linked_at=now,
        )


def _earlier(at: datetime | None) -> datetime | None:
    return at and at - STALE_BY
