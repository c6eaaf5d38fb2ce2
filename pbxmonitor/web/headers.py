"""What every answer carries for the browser's safety, where we are served, and how much may be sent to us."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)
SECURITY: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS: Final = "max-age=31536000"
# Forms and settings are small; nothing of ours takes files.
LARGEST_BODY: Final = 1 << 20


def csp_with(origin: str) -> str:
    """The policy where a form of ours may end at that origin, too: browsers ask it of a redirect as well."""
    return CSP.replace("form-action 'self'", f"form-action 'self' {origin}")


def safe(scope: Scope, send: Send, csp: str = CSP) -> Send:
    """`send` with the headers that keep a browser safe; what does not say otherwise is kept by no cache."""
    secure = scope["scheme"] == "https"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY)
            headers["Content-Security-Policy"] = csp
            headers.setdefault("Cache-Control", "no-store")
            if secure:
                headers["Strict-Transport-Security"] = HSTS
        await send(message)

    return sending


def counted(scope: Scope, send: Send) -> Send:
    """`send` with what is left of the limits, where the request was counted (`asked` of its state)."""
    state = scope.setdefault("state", {})

    async def sending(message: Message) -> None:
        asked = state.get("asked")
        if message["type"] == "http.response.start" and asked is not None:
            MutableHeaders(scope=message).update(asked.headers)
        await send(message)

    return sending


def bounded(scope: Scope, receive: Receive, largest: int = LARGEST_BODY) -> Receive:
    """`receive` that refuses a body which is too large, said or not."""
    received = 0
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")

    async def receiving() -> Message:
        nonlocal received
        if said.isdigit() and int(said) > largest:
            raise HTTPException(413)
        message = await receive()
        received += len(message.get("body", b""))
        if received > largest:
            raise HTTPException(413)
        return message

    return receiving


def below(scope: Scope, root: str) -> Scope:
    """The scope as served below that path, whether the proxy has taken the path away or left it."""
    path: str = scope["path"]
    if root and path != root and not path.startswith(f"{root}/"):
        path = root + path
    return {**scope, "root_path": root, "path": f"{root}/" if path == root else path}
