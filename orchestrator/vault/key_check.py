"""Whether the keys at hand are those of this vault.

Logins, end users and cursors are known by digests under the oldest key. Under another they would be
strangers without a word, and a lost key file would simply be made anew: so a digest is kept.
"""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from orchestrator.domain import ConfigurationError, StoreError

from .cipher import VaultCipher
from .schema import connections, facts

__all__ = ["check_keys", "keys_fit"]

_FACT: Final = "digest"


def keys_fit(connection: Connection, cipher: VaultCipher) -> bool:
    """Whether these keys are the vault's; any are, while it holds no connection."""
    noted = connection.execute(select(facts.c.value).where(facts.c.name == _FACT)).scalar()
    if noted == _digest(cipher):
        return True
    newest = connection.execute(
        select(connections.c.connection_id, connections.c.sealed_credential)
        .order_by(connections.c.created_at.desc(), connections.c.connection_id)
        .limit(1)
    ).first()
    if newest is None:
        return True
    if noted is not None:
        return False
    # From before there was such a note.
    try:
        cipher.open(newest.sealed_credential, associated=newest.connection_id)
    except StoreError:
        return False
    return True


def check_keys(transaction: Connection, cipher: VaultCipher) -> None:
    """Refuse keys that are not the vault's, and note those that are.

    Raises:
        ConfigurationError: the vault was made under other keys.

    """
    if not keys_fit(transaction, cipher):
        raise ConfigurationError(
            "the vault was made under another key: name that one last in ORCHESTRATOR_VAULT_KEY, "
            "or bring its file vault.key back"
        )
    transaction.execute(delete(facts).where(facts.c.name == _FACT))
    transaction.execute(insert(facts).values(name=_FACT, value=_digest(cipher)))


def _digest(cipher: VaultCipher) -> str:
    return cipher.mac(b"vault")
