"""MX's error types, HTTP statuses and member statuses."""

from tests.support.error_sheets.sheet import Rows, documented

__all__ = ["CODES", "DISABLED", "MEMBERS", "OF_A_KNOWN_MEMBER", "ROWS", "STATUSES"]

CODES = """
provider_down institution yes: institution_maintenance_error institution_unavailable_error
validation institution yes: institution_prevented_error institution_prevent_new_error
  institution_prevent_verification_error
"""
STATUSES = """
validation request no: 400 404 405 406 422
auth client yes: 401 403
provider_down connection no: 409
rate_limit client yes: 429
provider_down provider yes: 500 502 503 504
"""
MEMBERS = """
auth connection no: CHALLENGED DENIED REJECTED EXPIRED IMPAIRED IMPEDED LOCKED PREVENTED
provider_down connection yes: DEGRADED DISCONNECTED FAILED
validation institution yes: DISCONTINUED
validation connection yes: CLOSED
"""
OF_A_KNOWN_MEMBER = """
auth connection no: 404
"""
DISABLED = """
auth connection no: DISABLED
"""

ROWS: Rows = {
    **documented(CODES),
    **{
        f"HTTP_{status}": row
        for status, row in documented(STATUSES + OF_A_KNOWN_MEMBER.lstrip()).items()
    },
    **documented(MEMBERS + DISABLED.lstrip()),
}
"""What the sandbox can be told to answer a reading of a member with, and what it means there.

A status alone is `HTTP_` and its number; the member is known, so that its absence is the user's.
"""
