"""The checks before a request reaches the catalog, and the headers of every answer.

Any page in a browser can send requests to a local port. It must not be able to read an answer or to change anything;
docs/SERVICE.md lists the threats and the check against each.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Busy
from .access.guesses import Guesses, TooManyGuesses, too_many_guesses
from .access.sessions import Sessions
from .problems import full_response, problem_from, problem_response, refusal_response

__all__ = ["Guard", "Policy"]


HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SAFE = ("GET", "HEAD", "OPTIONS")
HEALTH = ("/api/health", "/api/live")
OPEN = (
    "/login",
    "/login.js",
    "/login.css",
    "/api/login",
    *HEALTH,
    "/api/ready",
    "/api/proof",
    "/favicon.ico",
)
"""The addresses that need no token: those that take one, the health of the service, and the proof which one it is."""
MAX_BODY_BYTES = 64 * 1024
MAX_TRUSTED_BODY_BYTES = 16 * 1024**2
MAX_SOUND_BYTES = 64 * 1024**2
BODY_S, SOUND_S = 15.0, 60.0
"""How long a body may take to arrive; one of sound is larger."""
TAKES_SOUND = re.compile(r"/api/tracks(/[a-z0-9-]{1,64}/mix)?|/api/stories/recordings")
"""The addresses whose body is a recording."""
MOST_SOUNDS = 2
"""How many recordings are held at the same time, from their first byte until they are answered."""
MIXING = "as many recordings are being mixed as the service takes at once; try again in a few seconds"
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(self), geolocation=(), payment=()",
}


@dataclass(frozen=True)
class Policy:
    """The rules by which the service answers a caller or refuses it."""

    secret: str
    """Proves that a caller can read the home; its answers contain paths."""
    token: str | None = None
    """What all other callers must show; None where they need no token."""
    hosts: tuple[str, ...] = LOOPBACK
    """The names that a Host header may hold; "*" stands for every IP address, but for no further name."""
    sessions: Sessions = field(default_factory=Sessions)
    guesses: Guesses = field(default_factory=Guesses)

    def knows(self, host: str) -> bool:
        """Return whether a Host header names this service; the rebound name of an attacker does not."""
        name = _name(host)
        return name is not None and (name in self.hosts or ("*" in self.hosts and _is_address(name)))

    def trusts(self, headers: Headers) -> bool:
        """Return whether the caller shows the secret of the home."""
        return _same(_bearer(headers), self.secret)

    async def admits(self, headers: Headers, client: tuple[str, int] | None) -> bool:
        """Return whether the caller may see the catalog: by the token, or by a session that the token began.

        Raises TooManyGuesses for a wrong token where many wrong ones came from the address of the `client`.
        """
        if self.token is None or self.sessions.knows(headers):
            return True
        shown = _bearer(headers)
        return bool(shown) and await self.guesses.check(shown, self.token, client)


class Guard:
    """ASGI middleware that checks every request against a policy before the application sees it.

    Only `metrics.Metered` stands outside it, so that refused requests are counted too.
    """

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self.app = app
        self.policy = policy
        self._sounds = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or refuse it; either way the answer gets the headers."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        trusted = self.policy.trusts(headers)
        state = scope.setdefault("state", {})
        state["trusted"] = trusted
        full = state.get("full", False)

        began = False

        async def send_guarded(message: Message) -> None:
            nonlocal began
            began = True
            _add_headers(message, {"Connection": "close"} if full else {})
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is None and full and _route(scope) not in HEALTH:
            refusal = full_response()
        if refusal is None and not (trusted or _route(scope) in OPEN):
            refusal = await self._stranger(scope, headers)
        sound = _is_sound(scope, headers)
        if refusal is None and sound and self._sounds >= MOST_SOUNDS:
            refusal = problem_response(problem_from(Busy(MIXING)), {"Connection": "close"})
        held = int(sound and refusal is None)
        self._sounds += held
        try:
            if refusal is None and scope["method"] not in SAFE:
                limit = MAX_TRUSTED_BODY_BYTES if trusted else MAX_BODY_BYTES
                read = await _body(
                    receive, headers, *((MAX_SOUND_BYTES, SOUND_S) if sound else (limit, BODY_S))
                )
                if isinstance(read, Response):
                    refusal = read
                else:
                    receive = _replayed(read, receive)
                    if read and not (sound or _is_json(headers)):
                        refusal = _not_json()
            await (refusal or self.app)(scope, receive, send_guarded)
        except Exception as error:
            if began:  # too late for another answer
                raise
            await problem_response(problem_from(error))(scope, receive, send_guarded)
        finally:
            self._sounds -= held

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that is refused; None for one that is not."""
        path, method = scope["path"], scope["method"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.policy.knows(hosts[0]):
            reason = "this service is not known by the host name of the request"
            return refusal_response(400, f"{reason}; run `catalog serve --allow-host NAME`")
        if CONTROL.search(path):
            return refusal_response(400, "the address holds control characters")
        if method in SAFE:
            if not _may_read(headers):
                return refusal_response(403, "another site may not read from this service")
        elif not _from_here(headers, hosts[0]):
            return refusal_response(403, "another site may not change anything in this service")
        elif method == "POST" and TAKES_SOUND.fullmatch(_route(scope)):
            return None if _is_sound(scope, headers) else _not_sound()
        elif method != "DELETE" and not _is_json(headers):
            return _not_json()
        return None

    async def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a caller that shows no token or a wrong one; None to one that is admitted."""
        try:
            if await self.policy.admits(headers, scope.get("client")):
                return None
        except TooManyGuesses:
            return too_many_guesses()
        if _route(scope) == "/":
            return RedirectResponse(f"{scope.get('root_path', '')}/login", status_code=303)
        return refusal_response(
            401,
            "this service asks for its token: send it as Authorization: Bearer TOKEN",
            {"WWW-Authenticate": 'Bearer realm="catalog"'},
        )


def _add_headers(message: Message, more: dict[str, str]) -> None:
    """Add the headers of every answer, and `more`, to the message that starts one; a header it has stays."""
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        for name, value in {**HEADERS, "Cache-Control": "no-store", **more}.items():
            headers.setdefault(name, value)


def _route(scope: Scope) -> str:
    """Return the path of a request below the one at which the application is mounted, as its router sees it."""
    path, root = str(scope["path"]), scope.get("root_path", "")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _not_json() -> Response:
    return refusal_response(
        415, "send Content-Type: application/json with this request, also where its body is empty"
    )


def _not_sound() -> Response:
    return refusal_response(
        415,
        "send the audio file as the body, with its type, such as audio/wav or audio/mpeg, as Content-Type",
    )


def _name(host: str) -> str | None:
    """Return the name in a Host header without its port; None where it holds no name."""
    match = HOST.fullmatch(host)
    return match[1].strip("[]").lower() if match else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _bearer(headers: Headers) -> str:
    values: Sequence[str] = headers.getlist("authorization")
    kind, _, value = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return value.strip() if kind.lower() == "bearer" else ""


def _same(shown: str, secret: str) -> bool:
    return bool(shown) and hmac.compare_digest(shown.encode("utf-8", "replace"), secret.encode("utf-8"))


def _from_here(headers: Headers, host: str) -> bool:
    """Return whether an unsafe request comes from our own page, or from no page at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def _may_read(headers: Headers) -> bool:
    """Return whether a safe request comes from our page, from no page, or from a link that a person follows.

    A frame or an object of another site navigates too, but not to a `document`.
    """
    if headers.get("sec-fetch-site") in (None, "same-origin", "none"):
        return True
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _is_sound(scope: Scope, headers: Headers) -> bool:
    """Return whether the body is a recording for an address that takes one; a form cannot send its type either."""
    kind = headers.get("content-type", "").strip().lower()
    return (
        scope["method"] == "POST" and kind.startswith("audio/") and bool(TAKES_SOUND.fullmatch(_route(scope)))
    )


async def _body(receive: Receive, headers: Headers, limit: int, limit_s: float) -> bytes | Response:
    """Return the whole body, or the refusal where it is too large or too slow."""
    too_large = refusal_response(
        413,
        f"the body is larger than {_size(limit)}, the most that is accepted",
        {"Connection": "close"},
    )
    stated = headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated) > limit:
        return too_large
    try:
        body = await asyncio.wait_for(_received(receive, limit), limit_s)
    except asyncio.TimeoutError:
        return refusal_response(
            408, f"the body took longer than {limit_s:g} s to arrive", {"Connection": "close"}
        )
    return body if len(body) <= limit else too_large


def _size(limit: int) -> str:
    return f"{limit // 1024**2} MiB" if limit >= MAX_SOUND_BYTES else f"{limit // 1024} KiB"


async def _received(receive: Receive, limit: int) -> bytes:
    """Return the body; one over `limit` only up to where it passes it."""
    body, more = bytearray(), True
    while more and len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a receive function that returns `body` first, then the further messages of the connection."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
