"""From what a caller wrote to an `OperationRequest`: validated, its secret sealed, its body digested.

Every edge (HTTP, Python, command line) goes through here, so that they refuse alike.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr, ValidationError

from orchestrator.domain import (
    DEFAULT_DEADLINE_MS,
    PARAMS_BY_OPERATION,
    ErrorType,
    ExchangeTokenParams,
    Lane,
    Operation,
    OperationError,
    OperationRequest,
    Params,
    RequestRefused,
    SealedExchange,
)
from orchestrator.identifiers import random_hex
from orchestrator.vault import VaultCipher

__all__ = ["DEFAULT_REGION", "Intake", "new_request_id", "operation_named", "refused_field"]

DEFAULT_REGION: Final = "US"
_NO_TOKEN: Final = "is neither a text of 1 to 4096 characters nor an object of 1 to 8 named ones"  # noqa: S105  says what a token is not
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def new_request_id() -> str:
    """A fresh request id."""
    return f"req_{random_hex()}"


def refused_field(field: str, what: str, *, code: str = "INVALID_FIELD") -> RequestRefused:
    """The refusal of one field; `what` says what was wrong, without the value."""
    return RequestRefused(OperationError(ErrorType.VALIDATION, code, f"{field}: {what}"))


def operation_named(name: str) -> Operation:
    """The operation of this name.

    Raises:
        RequestRefused: `not_found`, naming the four there are.

    """
    try:
        return Operation(name)
    except ValueError:
        known = ", ".join(Operation)
        raise RequestRefused(
            OperationError(
                ErrorType.NOT_FOUND,
                "UNKNOWN_OPERATION",
                f"there is no operation of that name; there are {known}",
            )
        ) from None


class Intake:
    """Makes requests out of callers' words.

    Args:
        cipher: seals temporary tokens and keys the body digest.
        providers: names that `preferred_provider` may take.
        regions: codes that `region` may take.

    """

    def __init__(
        self, cipher: VaultCipher, *, providers: frozenset[str], regions: frozenset[str]
    ) -> None:
        self._cipher = cipher
        self._providers = providers
        self._regions = regions

    def request(
        self,
        operation: Operation,
        params: Mapping[str, object],
        *,
        request_id: str | None = None,
        preferred_provider: str | None = None,
        region: str = DEFAULT_REGION,
        deadline_ms: int = DEFAULT_DEADLINE_MS,
        priority: str = Lane.INTERACTIVE,
        idempotency_key: str | None = None,
        caller_id: str = "",
        spaces: frozenset[str] | None = None,
        job_id: str | None = None,
    ) -> OperationRequest:
        """A validated request.

        Raises:
            RequestRefused: `validation`, naming the first field that is wrong.

        """
        if preferred_provider is not None and preferred_provider not in self._providers:
            raise refused_field(
                "preferredProvider", f"is none of {', '.join(sorted(self._providers))}"
            )
        if region not in self._regions:
            raise refused_field("region", f"is none of {', '.join(sorted(self._regions))}")
        if isinstance(deadline_ms, bool) or not isinstance(deadline_ms, int):
            raise refused_field("deadlineMs", "is not a whole number")
        if not 100 <= deadline_ms <= 600_000:
            raise refused_field("deadlineMs", "is not between 100 and 600000")
        if priority not in tuple(Lane):
            raise refused_field("priority", "is neither interactive nor backfill")
        if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
            raise refused_field("X-Request-Id", "is not 1 to 128 visible ASCII characters")
        if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            raise refused_field("Idempotency-Key", "is not 1 to 255 visible ASCII characters")
        if idempotency_key is None and operation is Operation.EXCHANGE_TOKEN:
            raise refused_field(
                "Idempotency-Key",
                "is required for exchangeToken: send a key that you repeat when you retry",
                code="IDEMPOTENCY_KEY_REQUIRED",
            )
        valid = _validated(operation, params)
        return OperationRequest(
            request_id=request_id or new_request_id(),
            operation=operation,
            params=self._sealed(valid) if isinstance(valid, ExchangeTokenParams) else valid,
            region=region,
            preferred_provider=preferred_provider,
            deadline_ms=deadline_ms,
            lane=Lane(priority),
            idempotency_key=idempotency_key,
            body_mac=""
            if idempotency_key is None
            else self._digest(valid, preferred_provider, region, deadline_ms, priority),
            caller_id=caller_id,
            spaces=spaces,
            job_id=job_id,
        )

    def _sealed(self, params: ExchangeTokenParams) -> SealedExchange:
        return SealedExchange(
            space_id=params.space_id,
            link_session_id=params.link_session_id,
            sealed_token=self._cipher.seal(
                json.dumps(_clear_parts(params)).encode(), associated=params.link_session_id
            ),
        )

    def _digest(self, params: Params, *rest: object) -> str:
        body = params.model_dump(mode="json")
        if isinstance(params, ExchangeTokenParams):
            form = not isinstance(params.temporary_token, SecretStr)
            body["temporary_token"] = [form, _clear_parts(params)]
        return self._cipher.mac(json.dumps([body, *rest], sort_keys=True).encode())


def _clear_parts(params: ExchangeTokenParams) -> dict[str, str]:
    token = params.temporary_token
    if isinstance(token, SecretStr):
        return {"token": token.get_secret_value()}
    return {name: part.get_secret_value() for name, part in token.items()}


def _validated(operation: Operation, params: Mapping[str, object]) -> Params:
    try:
        return PARAMS_BY_OPERATION[operation].model_validate(params)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # A form's own names are told no further: a secret may have been put in a name's place.
        if first["loc"][:1] == ("temporaryToken",) and first["type"] != "missing":
            raise refused_field("params.temporaryToken", _NO_TOKEN) from None
        place = ".".join(["params", *(str(part) for part in first["loc"])])
        raise refused_field(place, first["msg"].removeprefix("Value error, ")) from None
