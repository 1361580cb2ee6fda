"""What we tell the caller to do where only the end user can mend it."""

from typing import Final

__all__ = ["LINK_AGAIN", "RECONNECT", "RESTART_LINK"]

RECONNECT: Final = (
    "ask the user to reconnect this bank: createLink with connectionId, then exchangeToken"
)
LINK_AGAIN: Final = (
    "the connection is gone at the provider: ask the user to link this bank anew: "
    "createLink, then exchangeToken"
)
RESTART_LINK: Final = "start a new link session: createLink, then exchangeToken"
