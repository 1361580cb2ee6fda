"""A link at Belvo: what tells whether its data can be read, and how old they are (Link of its OpenAPI)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from .belvo_errors import BELVO_KNOWN_LINK_ERRORS, BROKEN_LINKS
from .payload import Payload, optional_instant, optional_text, text

__all__ = ["BelvoLink"]


@dataclass(frozen=True, slots=True)
class BelvoLink:
    """A link as Belvo tells it.

    `last_accessed_at` is when Belvo was last let in at the bank, None while it never was: then its
    first data are still being gathered.
    """

    link_id: str
    institution: str | None
    external_id: str | None
    status: str | None
    access_mode: str | None
    last_accessed_at: datetime | None

    @classmethod
    def of(cls, row: Payload) -> Self:
        """The link of an answer.

        Raises:
            ProviderFailure: `MALFORMED`.

        """
        return cls(
            link_id=text(row, "id"),
            institution=optional_text(row, "institution"),
            external_id=optional_text(row, "external_id"),
            status=optional_text(row, "status"),
            access_mode=optional_text(row, "access_mode"),
            last_accessed_at=optional_instant(row, "last_accessed_at"),
        )

    @property
    def is_broken(self) -> bool:
        """Whether only its user can let Belvo in again; what is stored stays readable."""
        return self.status in BROKEN_LINKS

    def refuse_broken(self) -> None:
        """Let only a link pass through which Belvo is let in.

        Raises:
            ProviderFailure: `invalid_link`, `unconfirmed_link` or `token_required`.

        """
        code = BROKEN_LINKS.get(self.status or "")
        if code is not None:
            raise BELVO_KNOWN_LINK_ERRORS.failure(code=code, http_status=200)
