"""Belvo's error codes."""

from tests.support.error_sheets.sheet import Rows, documented

__all__ = ["CODES", "ROWS", "STATUSES"]

CODES = """
auth client yes: authentication_failed access_to_resource_denied
auth connection no: token_required login_error invalid_link unconfirmed_link session_expired
provider_down connection no: too_many_sessions
provider_down institution yes: institution_down institution_unavailable
validation institution yes: institution_inactive unsupported_operation
validation request no: invalid_access_mode_switch invalid_period required invalid null blank
  does_not_exist not_found method_not_allowed conflict
provider_down institution no: request_timeout
provider_down provider yes: unexpected_error
"""

STATUSES = """
validation request no: 400 404 405 409
auth client yes: 401 403
auth connection no: 428
provider_down institution no: 408
rate_limit client yes: 429
provider_down provider yes: 500 502 503 504
"""
"""Where no code tells more."""
_GONE = ("auth", "connection", False)
"""What is not found and was known before has been deleted."""

ROWS: Rows = {
    **documented(CODES),
    **{f"HTTP_{status}": row for status, row in documented(STATUSES).items()},
    "not_found": _GONE,
    "HTTP_404": _GONE,
}
"""What the sandbox can be told to answer with, as it lands where a known link is read."""
