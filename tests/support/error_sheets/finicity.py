"""Finicity's error and aggregation codes."""

from tests.support.error_sheets.sheet import Rows, documented

__all__ = ["CODES", "HANDLES", "HEALED_BY_CONNECT", "ROWS", "STATUSES"]

HANDLES = "14001 14003 14016 38003 38007 24553"
CODES = f"""
auth client yes: 10022 10023 10024 10001 10021 10026 10027 24302 10405 10406
validation request no: 10005 10010 10020 10025 10100 14020 14023 41002 41003 41004 20000 110002
  110039 981 1003
validation connection no: {HANDLES} 169 913 914
validation institution yes: 14006 920 921 922 923 924 925 926 927 928 929 976
provider_down connection no: 18001 325 5006 44002
rate_limit institution yes: 977
rate_limit client yes: 3300001
auth connection no: 331 103 108 109 185 187 931 936 945 946 947 948 400 403
provider_down institution yes: 900 901 903 904 905 906 907 910 911 915 916 171 179 194 197 204 417
  500 525 11000
provider_down provider yes: 990 991 992 993 994 995 996 997 998
"""
STATUSES = """
auth client yes: 401
rate_limit client yes: 429
provider_down provider yes: 408 500 503
"""
HEALED_BY_CONNECT = frozenset(["103", "108", "109", "185", "187", "945", "946", "947", "948"])
"""Those that the vendor says a repair session can heal."""

ROWS: Rows = {
    **documented(CODES),
    # Of a login that was there before, it means that the connection is gone.
    **dict.fromkeys(HANDLES.split(), ("auth", "connection", False)),
    **{f"HTTP_{status}": row for status, row in documented(STATUSES).items()},
}
"""What the sandbox can be told to answer with: a status alone is `HTTP_` and its number."""
