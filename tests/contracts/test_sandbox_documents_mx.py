"""What the sandbox's MX answers in both of its versions, held against MX's own documents."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sandbox.options import SandboxOptions
from tests.support.judged_replies import judge
from tests.support.mx_members import job, log_in, logging_in, resume
from tests.support.openapi_documents import document
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import SPACE, MxCaller, Reply

LEGACY = {"Accept": "application/vnd.mx.api.v1+json"}
VERSIONS = {
    "mx.v20250224": ({"Accept": "application/json", "Accept-Version": "v20250224"}, "identifier"),
    "mx.mx_platform_api": (LEGACY, "guid"),
}
"""How a version is asked for, and what its document calls a user and a member in paths."""
USERS = ["user-1", "user-3"]  # at one bank or another with every kind of account
ENHANCED = "repeating_transactions,merchants,classifications,geolocations"
# The newer document knows no Mexican institution, though its widget takes the country.
COUNTRY = {"iso_country_code": "US"}


@dataclass
class Heard:
    """Replies with the endpoints that they are of, as a document writes them."""

    word: str
    replies: list[tuple[str, str, Reply, int]] = field(default_factory=list)

    def note(self, method: str, path: str, reply: Reply, status: int = 200) -> Reply:
        """Keep a reply; `USER` and `MEMBER` in the path stand for the document's own names."""
        user, member = f"{{user_{self.word}}}", f"{{member_{self.word}}}"
        found = path.replace("USER", user).replace("MEMBER", member)
        self.replies.append((method, found, reply, status))
        return reply

    def problems(self, name: str) -> Iterator[str]:
        """What the document objects to."""
        judged = document(name, whole=True)
        for method, path, reply, status in self.replies:
            for problem in judge(judged, method, path, reply, status):
                yield f"{method} {path}: {problem}"


@pytest.mark.parametrize("code", ["chase", "bbva_mexico"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("user", USERS)
async def test_mx_answers_as_documented(version: str, code: str, user: str) -> None:
    """Users, widgets, data and institutions answer in the documented shape."""
    headers, word = VERSIONS[version]
    document(version, whole=True)
    heard, member = Heard(word), "/users/USER/members/MEMBER"
    async with running_sandbox(options=SandboxOptions(mx_pending_lingers_days=3)) as running:
        mx = MxCaller(running)
        mx.headers = {"Authorization": mx.headers["Authorization"], **headers}
        body = {"user": {"id": SPACE, "email": "a@b.test", "metadata": "m"}}
        made = heard.note("POST", "/users", await mx.call("POST", "/users", body))
        mx.user = made.body["user"]["guid"]
        own = f"/users/{mx.user}"
        heard.note("GET", "/users", await mx.call("GET", "/users"))
        heard.note("GET", "/users/USER", await mx.call("GET", own))
        renamed = {"user": {"metadata": "another", "is_disabled": False}}
        heard.note("PUT", "/users/USER", await mx.call("PUT", own, renamed))
        wanted = {"widget_type": "connect_widget", "current_institution_code": code}
        widget = await mx.call("POST", f"{own}/widget_urls", {"widget_url": wanted})
        heard.note("POST", "/users/{user_guid}/widget_urls", widget)
        if version == "mx.mx_platform_api":
            old = await mx.call(
                "POST", f"{own}/connect_widget_url", {"config": {"mode": "aggregation"}}
            )
            heard.note("POST", "/users/{user_guid}/connect_widget_url", old)
        mx.member = await running.complete(url=widget.body["widget_url"]["url"], user=user)
        running.clock.move(days=2)
        heard.note("GET", f"{member}/accounts", await mx.read("/accounts"))
        heard.note("GET", "/users/USER/accounts", await mx.call("GET", f"{own}/accounts"))
        rows = await mx.read("/transactions", records_per_page="200", includes=ENHANCED)
        heard.note("GET", f"{member}/transactions", rows)
        rows = await mx.call("GET", f"{own}/transactions", query={"includes": ENHANCED})
        heard.note("GET", "/users/USER/transactions", rows)
        institutions = await mx.call("GET", "/institutions", query=COUNTRY)
        heard.note("GET", "/institutions", institutions)
        one = await mx.call("GET", "/institutions/chase")
        heard.note("GET", "/institutions/{institution_code}", one)
        asked = await mx.call("GET", f"/institutions/{code}/credentials")
        named = "identifier" if word == "identifier" else "code"
        heard.note("GET", f"/institutions/{{institution_{named}}}/credentials", asked)
        gone = await mx.call("DELETE", f"{own}/members/{mx.member}")
        heard.note("DELETE", member, gone, 204)
        heard.note("GET", "/users/USER/accounts", await mx.call("GET", f"{own}/accounts"))
        heard.note("DELETE", "/users/USER", await mx.call("DELETE", own), 204)

    assert [] == list(heard.problems(version))


@pytest.mark.parametrize("password", ["challenge", "options", "image", "INVALID"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_mx_members_answer_as_documented(version: str, password: str) -> None:
    """Members answer in the documented shape whatever their state, and so do their jobs."""
    headers, word = VERSIONS[version]
    document(version, whole=True)
    heard, member = Heard(word), "/users/USER/members/MEMBER"
    async with running_sandbox() as running:
        mx = MxCaller(running)
        mx.headers = {"Authorization": mx.headers["Authorization"], **headers}
        made = await mx.call("POST", "/users", {"user": {"id": SPACE}})
        mx.user = made.body["user"]["guid"]
        own = f"/users/{mx.user}/members"

        async def look() -> None:
            heard.note("GET", "/users/USER/members", await mx.call("GET", own))
            heard.note("GET", member, await mx.read())
            heard.note("GET", f"{member}/status", await mx.read("/status"))

        heard.note("POST", "/users/USER/members", await log_in(mx, password, id="mine"), 202)
        await look()
        running.clock.move(seconds=3)
        await look()
        heard.note("GET", f"{member}/credentials", await mx.read("/credentials"))
        if password == "INVALID":
            given = (await logging_in(mx, "pass"))["member"]["credentials"]  # type: ignore[index]
            update = {"member": {"credentials": given, "metadata": "m"}}
            heard.note("PUT", member, await mx.call("PUT", f"{own}/{mx.member}", update))
        else:
            heard.note("GET", f"{member}/challenges", await mx.read("/challenges"))
            heard.note("PUT", f"{member}/resume", await resume(mx, "correct"), 202)
        await look()
        for kind in ("aggregate", "check_balance", "extend_history"):
            running.clock.move(seconds=3)
            heard.note("POST", f"{member}/{kind}", await job(mx, kind), 202)
        await look()

    assert [] == list(heard.problems(version))
