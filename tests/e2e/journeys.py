"""What a caller does over HTTP, step by step."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.serving import Serving


class Caller:
    """A customer's space, driven through the public HTTP interface and the sandbox's controls."""

    def __init__(self, serving: Serving) -> None:
        self.http = serving.http()
        self.sandbox = serving.sandbox()
        self.space = f"space_{uuid4().hex[:10]}"

    def operate(self, operation: str, params: dict[str, Any], **envelope: Any) -> httpx.Response:
        """Post one operation; `key` becomes the Idempotency-Key."""
        key = envelope.pop("key", None)
        return self.http.post(
            f"/v1/operations/{operation}",
            json={"params": {"spaceId": self.space, **params}, **envelope},
            headers={} if key is None else {"Idempotency-Key": key},
        )

    def link(self, provider: str, institution: str, region: str = "US", **params: Any) -> Any:
        """Link an institution through one provider: session, widget, exchange."""
        made = self.operate(
            "createLink",
            {"institutionId": institution, **params},
            preferredProvider=provider,
            region=region,
        ).json()
        assert made["provider"] == provider, made
        data = made["data"]
        done = self.sandbox.post(
            "/_control/complete", json={"linkSessionId": data["linkSessionId"]}
        ).json()
        exchanged = self.operate(
            "exchangeToken",
            {"linkSessionId": data["linkSessionId"], "temporaryToken": done["temporaryToken"]},
            key=data["linkSessionId"],
        ).json()
        assert exchanged["success"], exchanged
        return exchanged["data"]

    def fault(self, **fault: Any) -> None:
        """Put one fault in force, in place of all others."""
        body = {"faults": [{"operation": "*", "institutionId": "*", **fault}]}
        assert self.sandbox.put("/_control/faults", json=body).is_success

    def mend(self) -> None:
        """Take all faults away."""
        assert self.sandbox.delete("/_control/faults").is_success

    def calls(self, provider: str) -> int:
        """How many attempts the sandbox has seen at a provider."""
        rows = self.sandbox.get("/_control/calls").json()["calls"]
        return sum(row["count"] for row in rows if row["provider"] == provider)

    def stats(self) -> Any:
        """The statistics now."""
        return self.http.get("/admin/stats").json()

    def close(self) -> None:
        """Let both connections go."""
        self.http.close()
        self.sandbox.close()
