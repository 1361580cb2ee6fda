"""Members at MX's test bank, made as a client without a widget makes them."""

from tests.support.vendor_callers import MxCaller, Reply

__all__ = ["asked_credentials", "job", "log_in", "logging_in", "look", "resume"]


async def asked_credentials(mx: MxCaller, code: str = "mxbank") -> dict[str, str]:
    """The guids of what a bank asks for, by field name."""
    rows = (await mx.call("GET", f"/institutions/{code}/credentials")).body["credentials"]
    return {row["field_name"]: row["guid"] for row in rows}


async def logging_in(
    mx: MxCaller, password: str, *, name: str = "mxuser", code: str = "mxbank", **extra: object
) -> dict[str, object]:
    """The body that makes a member with this user name and password."""
    asked = await asked_credentials(mx, code)
    credentials = [
        {"guid": asked["LOGIN"], "value": name},
        {"guid": asked["PASSWORD"], "value": password},
    ]
    return {"member": {"institution_code": code, "credentials": credentials, **extra}}


async def log_in(mx: MxCaller, password: str, **how: object) -> Reply:
    """Make a user and a member of it; keeps both."""
    if not mx.user:
        await mx.widget_url()
    body = await logging_in(mx, password, **how)  # type: ignore[arg-type]
    made = await mx.call("POST", f"/users/{mx.user}/members", body)
    if made.status < 300:
        mx.member = made.body["member"]["guid"]
    return made


async def look(mx: MxCaller, *, seconds: float = 0) -> dict[str, object]:
    """The member's status, some seconds later."""
    mx.running.clock.move(seconds=seconds)
    return dict((await mx.read("/status")).body["member"])


async def job(mx: MxCaller, kind: str = "aggregate") -> Reply:
    """Ask for a job of the member."""
    return await mx.call("POST", f"/users/{mx.user}/members/{mx.member}/{kind}")


async def resume(mx: MxCaller, answer: str) -> Reply:
    """Answer every challenge of the member with the same words."""
    challenges = (await mx.read("/challenges")).body["challenges"]
    answers = [{"guid": row["guid"], "value": answer} for row in challenges]
    path = f"/users/{mx.user}/members/{mx.member}/resume"
    return await mx.call("PUT", path, {"member": {"challenges": answers}})
