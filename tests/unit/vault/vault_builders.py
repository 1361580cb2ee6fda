"""Values of the vault for tests, each field of which can be set."""

from typing import Any

from orchestrator.domain import AccountType, ConnectionStatus
from orchestrator.identity import AccountKey
from orchestrator.vault import (
    ConnectionRecord,
    LinkSession,
    LoginLinked,
    NewConnection,
    VaultStore,
)

NOW = 1_770_000_000.0


def session(name: str = "ls_1", **fields: Any) -> LinkSession:
    """An open link session of space_1 at Plaid."""
    values: dict[str, Any] = {
        "link_session_id": name,
        "space_id": "space_1",
        "provider": "plaid",
        "region": "US",
        "institution_id": "ins_chase",
        "repairs_connection_id": None,
        "sealed_state": b"sealed state",
        "created_at": NOW,
        "expires_at": NOW + 3600,
    }
    return LinkSession(**{**values, **fields})


def connection(name: str = "conn_1", **fields: Any) -> NewConnection:
    """A connection that an exchange has made."""
    values: dict[str, Any] = {
        "connection_id": name,
        "space_id": "space_1",
        "provider": "plaid",
        "region": "US",
        "institution_id": "ins_chase",
        "login_key_hash": f"hash of {name}",
        "sealed_credential": b"sealed credential",
        "status": ConnectionStatus.ACTIVE,
        "created_at": NOW,
    }
    return NewConnection(**{**values, **fields})


def account(name: str, mask: str | None = "1234", **fields: Any) -> AccountKey:
    """An account as a provider shows it."""
    values: dict[str, Any] = {"type": AccountType.DEPOSITORY, "currency": "USD"}
    return AccountKey(provider_account_id=name, mask=mask, **{**values, **fields})


def link(store: VaultStore, new: NewConnection) -> ConnectionRecord:
    """A whole link: session, exchange, connection."""
    name = f"ls_of_{new.connection_id}"
    store.link_sessions.add(session(name, space_id=new.space_id, provider=new.provider))
    store.link_sessions.begin_exchange(name, new.space_id, NOW)
    return kept(store.finish_exchange(name, new))


def kept(made: ConnectionRecord | LoginLinked) -> ConnectionRecord:
    """What an exchange has made, where its login was not linked before."""
    assert isinstance(made, ConnectionRecord)

    return made
