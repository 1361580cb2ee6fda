"""Belvo's error codes."""

from tests.support.error_sheets.sheet import Rows, documented

__all__ = ["CODES", "ROWS"]

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

ROWS: Rows = documented(CODES)
"""What the sandbox can be told to answer with: a status alone is `HTTP_` and its number."""
