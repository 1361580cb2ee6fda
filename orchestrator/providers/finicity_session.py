"""Finicity's session: our key and the app token on each call, and errors told by their codes.

A token that is refused is renewed, and its call repeated once. Our keys are never tried again after
a refusal, whichever call met it (see `finicity_token`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from orchestrator.domain import Credential, ErrorClass, Failure, ProviderFailure

from .error_table import ErrorTable
from .finicity_errors import FINICITY_ERRORS, KEYS_REFUSED, PARTNER_LOCKED, TOKEN_CODES
from .finicity_token import AppToken, TokenState
from .finicity_values import optional_code
from .http import VendorHttp, VendorResponse, retry_after_s
from .payload import Payload, text
from .wire_failures import malformed

__all__ = ["FinicitySession", "code_of"]

_TOKEN_SHAPE: Final = re.compile(r"[!-~]{1,4096}")
_NOT_ACCEPTED: Final = (ErrorClass.AUTH, ErrorClass.VALIDATION)


class FinicitySession:
    """Calls with our key and a token that is good.

    Args:
        http: with our App-Key on every call.
        keys: partner id and secret.
        now: aware UTC.
        state: what is known of the token already.

    """

    def __init__(
        self,
        http: VendorHttp,
        keys: Credential,
        *,
        now: Callable[[], datetime],
        state: TokenState | None = None,
    ) -> None:
        self._http = http
        self._keys = keys
        self._token = AppToken(self._authenticate, now, state)

    @property
    def partner_id(self) -> str:
        """Ours, which some bodies name."""
        return self._keys["FINICITY_PARTNER_ID"]

    def keys_trusted_again(self) -> None:
        """Allow one more authentication after a refusal."""
        self._token.state.trusted_again()

    async def call(
        self,
        method: str,
        path: str,
        *,
        endpoint: str,
        json: object | None = None,
        query: Mapping[str, str] | None = None,
    ) -> VendorResponse:
        """Send one request, once more with another token where this one was refused.

        Raises:
            ProviderFailure: there is no token, or no answer; see `VendorHttp.call`.

        """

        async def sent(token: str) -> VendorResponse:
            return await self._http.call(
                method,
                path,
                endpoint=endpoint,
                json=json,
                query=query,
                headers={"Finicity-App-Token": token},
            )

        token = await self._token.get()
        response = await sent(token)
        if response.ok or code_of(response) not in TOKEN_CODES:
            return response
        self._token.state.rejected(token)
        return await sent(await self._token.get())

    def read(self, response: VendorResponse, errors: ErrorTable = FINICITY_ERRORS) -> Payload:
        """The object that a call answered with; a 202 with a code in it is an error, too.

        Raises:
            ProviderFailure: the vendor's error, or `MALFORMED`.

        """
        if not response.ok or (response.status == 202 and code_of(response) is not None):
            raise self.failure(response, errors)
        return response.json_object()

    def failure(self, response: VendorResponse, errors: ErrorTable) -> ProviderFailure:
        """The classified failure of an error answer."""
        failure = _classified(response, errors)
        code = code_of(response)
        refused = response.status == 401 and failure.error_class is ErrorClass.AUTH
        if code == PARTNER_LOCKED or (refused and code not in TOKEN_CODES):
            self._token.state.refused(failure)
        return ProviderFailure(failure)

    async def _authenticate(self) -> str:
        response = await self._http.call(
            "POST",
            "aggregation/v2/partners/authentication",
            endpoint="authentication",
            json={
                "partnerId": self.partner_id,
                "partnerSecret": self._keys["FINICITY_PARTNER_SECRET"],
            },
        )
        if response.ok:
            token = text(response.json_object(), "token")
            if _TOKEN_SHAPE.fullmatch(token):  # what a header can carry
                return token
            raise malformed("its token is none", http_status=response.status)
        failure = _classified(response, FINICITY_ERRORS)
        if failure.error_class not in _NOT_ACCEPTED:
            raise ProviderFailure(failure)
        raise ProviderFailure(
            replace(
                failure,
                error_class=KEYS_REFUSED.error_class,
                scope=KEYS_REFUSED.scope,
                message=KEYS_REFUSED.meaning,
                elsewhere=KEYS_REFUSED.elsewhere,
                user_action=None,
            )
        )


def _classified(response: VendorResponse, errors: ErrorTable) -> Failure:
    return errors.failure(
        code=code_of(response),
        http_status=response.status,
        retry_after_s=retry_after_s(response.headers),
    ).failure


def code_of(response: VendorResponse) -> str | None:
    """The code of an error body, in either of its forms; None where it has none.

    A body that repeats its HTTP status as a code tells nothing by it, but for 500, at which
    aggregation codes come.
    """
    body = response.error_body()
    if not isinstance(body, dict):
        return None
    code = optional_code(body, "code")
    if code is None:
        listed = body.get("Errors")
        entries = listed.get("Error") if isinstance(listed, dict) else None
        first = entries[0] if isinstance(entries, list) and entries else entries
        if isinstance(first, dict):
            code = optional_code(first, "ReasonCode") or optional_code(first, "code")
    return None if code == str(response.status) and response.status != 500 else code
