"""The same account across providers, and cursors that outlive one of them."""

from .accounts import AccountKey, KnownAccount, match_accounts
from .cursors import Cursor

__all__ = ["AccountKey", "Cursor", "KnownAccount", "match_accounts"]
