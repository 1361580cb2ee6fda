"""What goes into the vault and comes out: frozen, picklable, ciphertext where there is a secret."""

from dataclasses import dataclass, field

from orchestrator.domain import ConnectionStatus

__all__ = [
    "ConnectionRecord",
    "ExchangeBusy",
    "ExchangeDone",
    "ExchangeExpired",
    "ExchangeInDoubt",
    "ExchangeStart",
    "ExchangeStarted",
    "ExchangeUnknown",
    "Fresh",
    "IdempotencyStart",
    "LinkSession",
    "LinkSessionView",
    "ListingDoubted",
    "ListingNoted",
    "LoginLinked",
    "Mismatch",
    "NewConnection",
    "Replay",
    "Running",
    "SealedCredential",
]


@dataclass(frozen=True, slots=True)
class LinkSession:
    """A link session at one provider. Times are unix seconds.

    `sealed_state` is what the exchange needs again, sealed for `link_session_id`.
    """

    link_session_id: str
    space_id: str
    provider: str
    region: str
    institution_id: str | None
    repairs_connection_id: str | None
    sealed_state: bytes = field(repr=False)
    created_at: float
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A connection without its credential. `read_at` is None until its accounts were first read.

    `credential_version` grows with every new credential, so that caches of the old one are seen.
    `refresh_due_at` is when the vendor reported that there is something new to read.
    """

    connection_id: str
    space_id: str
    provider: str
    region: str
    institution_id: str
    status: ConnectionStatus
    credential_version: int
    account_ids: tuple[str, ...]
    created_at: float
    read_at: float | None
    refresh_due_at: float | None = None


@dataclass(frozen=True, slots=True)
class LinkSessionView:
    """A link session as the router needs it. `connection` is what its exchange has made."""

    session: LinkSession
    connection: ConnectionRecord | None


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to keep.

    `login_key_hash` recognises the same login at the same provider within a space; the credential
    is sealed for `connection_id`.
    """

    connection_id: str
    space_id: str
    provider: str
    region: str
    institution_id: str
    login_key_hash: str
    sealed_credential: bytes = field(repr=False)
    status: ConnectionStatus
    created_at: float


@dataclass(frozen=True, slots=True)
class LoginLinked:
    """The space has linked this login before, through another connection; nothing was kept.

    The credential has to be sealed for that one, which then gets it.
    """

    connection_id: str


@dataclass(frozen=True, slots=True)
class SealedCredential:
    """A connection's credential as ciphertext, and the accounts known behind it.

    It is sealed for its connection id. `account_ids` maps the provider's account id to ours.
    """

    sealed: bytes = field(repr=False)
    version: int
    account_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class ListingNoted:
    """A listing was noted. `gone` are the vendor's ids that its asker has to be told are gone."""

    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListingDoubted:
    """A listing shows none of the `known` movements that it should; nothing was noted."""

    known: int


@dataclass(frozen=True, slots=True)
class ExchangeStarted:
    """The intent is on disk: the exchange may be sent, once."""

    session: LinkSession


@dataclass(frozen=True, slots=True)
class ExchangeDone:
    """It was exchanged before, into this connection."""

    connection: ConnectionRecord


@dataclass(frozen=True, slots=True)
class ExchangeInDoubt:
    """It was sent before and its answer was lost."""


@dataclass(frozen=True, slots=True)
class ExchangeBusy:
    """Another request is exchanging it now."""


@dataclass(frozen=True, slots=True)
class ExchangeUnknown:
    """There is no such link session in this space."""


@dataclass(frozen=True, slots=True)
class ExchangeExpired:
    """The link session's life is over."""


ExchangeStart = (
    ExchangeStarted
    | ExchangeDone
    | ExchangeInDoubt
    | ExchangeBusy
    | ExchangeUnknown
    | ExchangeExpired
)


@dataclass(frozen=True, slots=True)
class Fresh:
    """The key is new, or was released: go on, then finish it."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The key was answered before: `body` as it was handed in."""

    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key was used for another body."""


@dataclass(frozen=True, slots=True)
class Running:
    """The first request with this key has not ended yet."""


IdempotencyStart = Fresh | Replay | Mismatch | Running
