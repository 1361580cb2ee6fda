"""The life of an MX member: its jobs, which take their time, and what they have brought.

Pure: `now` is an argument, and every change gives a new value. Source: docs.mx.com, members,
connection statuses, aggregation; MX's OpenAPI (MemberStatusResponse).
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, Self, TypeVar

import orjson

__all__ = ["GATHERING", "STATUSES", "Job", "JobKind", "JobRules", "MemberLife"]

_PAUSE: Final = timedelta(hours=3)
_MOST_GATHERINGS: Final = 60
_MOST_DENIALS: Final = 3
_NIGHT: Final = timedelta(days=1)
_FULL_HISTORY_DAYS: Final = 730

STATUSES: Final = (
    "CREATED",
    "PREVENTED",
    "DENIED",
    "CHALLENGED",
    "REJECTED",
    "LOCKED",
    "CONNECTED",
    "IMPEDED",
    "RECONNECTED",
    "DEGRADED",
    "DISCONNECTED",
    "DISCONTINUED",
    "CLOSED",
    "DELAYED",
    "FAILED",
    "UPDATED",
    "DISABLED",
    "IMPORTED",
    "RESUMED",
    "EXPIRED",
    "IMPAIRED",
    "PENDING",
)
"""Every `connection_status`, in the order of MX's numbers for them."""

GATHERING: Final = frozenset({"CREATED", "DELAYED", "UPDATED", "RESUMED", "PENDING"})
"""Those of a job under way."""


L = TypeVar("L", bound="MemberLife")


class JobKind(StrEnum):
    """What a job does; its value is the endpoint that asks for it."""

    AGGREGATE = "aggregate"
    BALANCE = "check_balance"
    HISTORY = "extend_history"


@dataclass(frozen=True, slots=True)
class Job:
    """A job under way; `ends_as` is the connection status with which it will end."""

    kind: JobKind
    started_at: datetime
    ends_at: datetime
    ends_as: str


@dataclass(frozen=True, slots=True)
class JobRules:
    """How jobs go: how long they take, how long a challenge waits, whether MX works at night."""

    job_s: float
    challenge_s: float
    background: bool


@dataclass(frozen=True, slots=True)
class MemberLife:
    """What MX knows of a member at some instant.

    `aggregated_at` is when its last job began, `succeeded_at` when its data were last gathered with
    success, `balances_at` when its balances alone were. `gathered` holds the last such times,
    oldest first. `scenario` is the password with which a test bank chooses how its jobs end.
    """

    status: str
    history_days: int
    job: Job | None = None
    aggregated_at: datetime | None = None
    succeeded_at: datetime | None = None
    balances_at: datetime | None = None
    challenged_at: datetime | None = None
    gathered: tuple[datetime, ...] = field(default=())
    scenario: str = ""
    denials: int = 0
    sleeps_at_night: bool = False

    @classmethod
    def connected(cls, now: datetime, history_days: int) -> Self:
        """A member whose first aggregation has just ended well."""
        return cls("CONNECTED", history_days).gathered_at(now, began_at=now)

    def gathered_at(self, at: datetime, *, began_at: datetime) -> Self:
        """The member once its data were gathered."""
        return replace(
            self,
            status="CONNECTED",
            job=None,
            aggregated_at=began_at,
            succeeded_at=at,
            gathered=(*self.gathered, at)[-_MOST_GATHERINGS:],
            denials=0,
        )

    @property
    def needs_credentials(self) -> bool:
        """Whether MX waits for other credentials and starts no job."""
        return self.status in ("DENIED", "PREVENTED")

    @property
    def refreshed_at(self) -> datetime | None:
        """When its balances were last brought."""
        return max(filter(None, (self.succeeded_at, self.balances_at)), default=None)

    def rests(self, now: datetime) -> bool:
        """Whether the last success is too fresh for a further aggregation."""
        return self.refreshed_at is not None and now - self.refreshed_at < _PAUSE

    def first_seen(self, day: date) -> datetime | None:
        """When what happened on a day was first gathered; None where that is no longer known."""
        if not self.gathered or day < self.gathered[0].date():
            return None
        return next((at for at in self.gathered if at.date() >= day), None)

    def started(
        self, kind: JobKind, now: datetime, ends_as: str, job_s: float, status: str | None = None
    ) -> Self:
        """The member with a job under way; a new `status` where beginning it changes that."""
        job = Job(kind, now, now + timedelta(seconds=job_s), ends_as)
        return replace(self, job=job, aggregated_at=now, status=status or self.status)

    def at(self, now: datetime, rules: JobRules) -> Self:
        """The member at a later instant: jobs that ended, challenges that ran out, nights."""
        life = self if self.job is None or now < self.job.ends_at else self._ended(self.job)
        if life.job is not None:
            return life
        if life.status == "CHALLENGED" and life.challenged_at is not None:
            waited = now - life.challenged_at
            is_over = waited >= timedelta(seconds=rules.challenge_s)
            return replace(life, status="EXPIRED") if is_over else life
        is_well = life.status == "CONNECTED" and not (life.scenario or life.sleeps_at_night)
        return _through_nights(life, now, rules.job_s) if rules.background and is_well else life

    def _ended(self, job: Job) -> Self:
        if job.ends_as == "CONNECTED":
            if job.kind is JobKind.BALANCE:
                return replace(self, job=None, status="CONNECTED", balances_at=job.ends_at)
            life = self.gathered_at(job.ends_at, began_at=job.started_at)
            reached = max(self.history_days, _FULL_HISTORY_DAYS)
            return replace(life, history_days=reached) if job.kind is JobKind.HISTORY else life
        denials = self.denials + 1 if job.ends_as == "DENIED" else self.denials
        return replace(
            self,
            job=None,
            status="PREVENTED" if denials >= _MOST_DENIALS else job.ends_as,
            denials=denials,
            challenged_at=job.ends_at if job.ends_as == "CHALLENGED" else None,
        )

    def to_text(self) -> str:
        """As one text, for keeping."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `to_text` kept."""
        row = orjson.loads(text)
        job = row["job"]
        instants = ("aggregated_at", "succeeded_at", "balances_at", "challenged_at")
        return cls(
            **row
            | {name: _instant(row[name]) for name in instants}
            | {
                "gathered": tuple(datetime.fromisoformat(at) for at in row["gathered"]),
                "job": job
                and Job(
                    JobKind(job["kind"]),
                    datetime.fromisoformat(job["started_at"]),
                    datetime.fromisoformat(job["ends_at"]),
                    job["ends_as"],
                ),
            }
        )


def _through_nights(life: L, now: datetime, job_s: float) -> L:
    """The member after the aggregations of the midnights since its last job."""
    if life.aggregated_at is None:
        return life
    last_midnight = datetime.combine(now.date(), time(), now.tzinfo)
    midnight = max(
        datetime.combine(life.aggregated_at.date() + _NIGHT, time(), now.tzinfo),
        last_midnight - _MOST_GATHERINGS * _NIGHT,
    )
    while midnight <= last_midnight:
        ends_at = midnight + timedelta(seconds=job_s)
        if ends_at > now:
            return life.started(JobKind.AGGREGATE, midnight, "CONNECTED", job_s)
        life = life.gathered_at(ends_at, began_at=midnight)
        midnight += _NIGHT
    return life


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
