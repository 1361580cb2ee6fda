"""Bitso's error codes; a family is known by its first two digits."""

from tests.support.error_sheets.sheet import Rows, documented

__all__ = ["CODES", "FAMILIES", "ROWS", "STATUSES"]

CODES = """
auth connection no: 0201 0206 0207 104 0202 0203 0204 0205 0208 0209 0210 0211 0214 0216 0213
auth client no: 0215
validation request no: 0301 0303 0304 0310 0311 0312 0320 0321
auth connection no: 0326
validation institution no: 0327 0328
rate_limit connection no: 0801 0802
"""
FAMILIES = """
provider_down provider no: 01 04
auth connection no: 02 07
validation request no: 03 09 10 11 14 17
validation connection no: 05 06
rate_limit connection no: 08
"""
STATUSES = """
auth connection no: 401 403
rate_limit connection no: 420 429
provider_down provider yes: 500 502 503 504
"""

ROWS: Rows = {
    **documented(CODES),
    **{
        f"{family}01": row
        for family, row in documented(FAMILIES).items()
        if family not in {"02", "03", "08"}
    },
    **{
        f"HTTP_{status}": row
        for status, row in documented(STATUSES).items()
        if status.startswith("5")
    },
}
"""What the sandbox can be told to answer with: a status alone is `HTTP_` and its number."""
