"""A Bitso that answers reads out of what a test puts into it, by marker, limit and sort."""

from collections.abc import Sequence

import httpx
from bitso_payloads import error, success

__all__ = ["BitsoStore"]

Row = dict[str, object]


class BitsoStore:
    """Lists are kept oldest first, as they grow. `asked` holds path and query of each call."""

    def __init__(
        self,
        ledger: Sequence[Row] = (),
        *,
        fundings: Sequence[Row] = (),
        withdrawals: Sequence[Row] = (),
        refused: str = "",
    ) -> None:
        self.ledger = list(ledger)
        self.transfers = {"fundings": list(fundings), "withdrawals": list(withdrawals)}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._refused = refused

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one read."""
        path = request.url.path.removeprefix("/api/v3/")
        query = dict(request.url.params)
        self.asked.append((path, query))
        if self._refused and path.startswith(self._refused):
            return httpx.Response(401, json=error("0202"))
        name, _, rest = path.partition("/")
        if name == "ledger":
            operation = rest.removesuffix("s")
            rows = [row for row in self.ledger if operation in ("", row["operation"])]
            return _page(rows, "eid", query)
        id_name = "fid" if name == "fundings" else "wid"
        rows = self.transfers[name]
        if rest:
            found = [row for row in rows if row[id_name] == rest]
            return (
                httpx.Response(200, json=success(found))
                if found
                else httpx.Response(404, json=error("1401"))
            )
        return _page(rows, id_name, query)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _query in self.asked]


def _page(rows: list[Row], id_name: str, query: dict[str, str]) -> httpx.Response:
    ordered = rows if query.get("sort", "desc") == "asc" else rows[::-1]
    ids = [row.get(id_name) for row in ordered]
    after = ids.index(query["marker"]) + 1 if "marker" in query else 0
    limit = int(query.get("limit", "25"))
    return httpx.Response(200, json=success(ordered[after : after + limit]))
