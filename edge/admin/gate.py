"""The gate in front of every operation (ASGI): who, whether they may, how fast, how large, how long. I/O.

All of it is decided from the request's headers, before a byte of the body is read. Whatever happens behind the gate is
answered with problem details (RFC 9457); a fault of ours is told in the log, never to the caller.
"""

import asyncio
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

from edge.admin import access, problems, roles
from edge.admin.access import Principal
from edge.admin.audit import From
from edge.admin.effects import Effects
from edge.admin.problems import Refusal
from edge.admin.roles import Match, Operation, Reach
from edge.admin.services import Services
from edge.admin.throttle import OF_ADDRESS, OF_PRINCIPAL, Lockouts, Pace, Throttle
from edge.proxy.facts import Fact
from limits.errors import StoreUnavailable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TIME_LIMIT_S = 30.0
BODY_LIMIT_S = 20.0
"""For a body to come in whole."""
MAX_AGENT = 120
JSON_TYPES = ("application/json", "application/merge-patch+json")

_CSP_DATA = b"default-src 'none'; frame-ancestors 'none'"
_CSP_PAGE = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")


class Caller(NamedTuple):
    """A request, as far as its headers tell it."""

    address: str
    request: str
    """Its id."""
    headers: dict[str, str]


class Gate:
    """Wraps the application."""

    def __init__(
        self, app: App, services: Services, *, of_address: Pace = OF_ADDRESS, of_principal: Pace = OF_PRINCIPAL
    ) -> None:
        self._app = app
        self._services = services
        self._effects = Effects(app, services)
        self._by_address = Throttle(of_address)
        self._by_principal = Throttle(of_principal)
        self._lockouts = Lockouts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # a websocket that is not accepted is refused
        answer = _Sending(send, request=secrets.token_hex(8), is_tls=scope.get("scheme") == "https")
        client = scope.get("client")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        caller = Caller(client[0] if client else "unix", answer.request, headers)
        found = roles.match(scope["method"], scope["path"])
        metrics, begun = self._services.metrics, time.monotonic()
        metrics.running.inc()
        try:
            await self._answered(scope, receive, answer, caller, found)
        finally:
            metrics.running.dec()
            metrics.seconds.observe(time.monotonic() - begun)
            name = str(found.operation) if found is not None and found.operation is not None else "none"
            metrics.requests.labels(name, str(answer.status)).inc()

    async def _answered(
        self, scope: Scope, receive: Receive, answer: "_Sending", caller: Caller, found: Match | None
    ) -> None:
        """The operation's answer, or a problem's."""
        is_long = found is not None and found.operation is not None and found.operation.is_long
        try:
            async with asyncio.timeout(None if is_long else TIME_LIMIT_S):
                await self._pass(scope, receive, answer, caller, found)
            return
        except Refusal as refusal:
            self._services.metrics.refused.labels(refusal.kind).inc()
            ended = refusal
        except StoreUnavailable as fault:
            ended = Refusal("store-unavailable", str(fault), headers={"Retry-After": "1"})
        except TimeoutError:
            ended = Refusal("timeout", f"it took more than {TIME_LIMIT_S:.0f} s")
        except _Gone:
            return
        except Exception as fault:  # the caller learns the request id, the log everything
            trace = "".join(traceback.format_exception(fault)[-6:])
            self._tell("admin.fault", request=caller.request, why=f"{type(fault).__name__}: {fault}", trace=trace)
            ended = Refusal("internal", "a fault of ours; the log has it under this request id")
        if not answer.has_begun:
            await problems.response(ended, instance=caller.request)(scope, receive, answer)

    async def _pass(
        self, scope: Scope, receive: Receive, answer: "_Sending", caller: Caller, found: Match | None
    ) -> None:
        now = time.monotonic()
        _slow_down(self._by_address.wait_s(caller.address, now), "this address")
        if found is None:
            raise Refusal("unknown-path", "there is nothing at this path; /openapi.json has them all")
        operation = found.operation
        if operation is None:
            raise Refusal("method-not-allowed", "see Allow", headers={"Allow": ", ".join(found.methods)})
        state = scope.setdefault("state", {})
        state["services"], state["request_id"] = self._services, caller.request
        principal = await self._known(operation, caller, now)
        if principal is not None:
            source = From(
                principal.name,
                principal.role,
                caller.address,
                caller.request,
                caller.headers.get("user-agent", "")[:MAX_AGENT],
            )
            state["principal"], state["source"] = principal, source
            await self._allowed(principal, operation, found, caller, source)
        length = caller.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > operation.body_bytes:
            raise Refusal("too-large", f"expected at most {operation.body_bytes} bytes")
        if operation.method == "GET" or principal is None:
            await self._app(scope, _without_body(receive), answer)
            return
        kind = caller.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if not operation.is_raw and kind not in JSON_TYPES and length != "0":
            raise Refusal("media-type", f"expected application/json, got {kind}")
        async with asyncio.timeout(BODY_LIMIT_S):
            body = await read_body(receive, operation.body_bytes)
        if operation.is_question:
            await self._app(scope, replayed(body, receive), answer)
            return
        await self._effects.carry_out(scope, body, operation, principal, source, caller.headers, answer)

    async def _known(self, operation: Operation, caller: Caller, now: float) -> Principal | None:
        """Who asks; None where anybody may."""
        if not operation.role:
            return None
        left = self._lockouts.left_s(caller.address, now)
        if left:
            raise Refusal("locked-out", "too many wrong tokens", headers={"Retry-After": str(int(left) + 1)})
        brought = access.brought_by(caller.headers, cookie_name(is_tls=self._services.orders.is_tls))
        try:
            principal = await self._services.access.principal_of(brought)
        except Refusal as refusal:
            if refusal.kind == "unauthenticated" and (brought.bearer or brought.cookie):
                self._wrong(caller, now)
            raise
        name = principal.token or principal.name
        _slow_down(self._by_principal.wait_s(name, now), "this token")
        return principal

    def _wrong(self, caller: Caller, now: float) -> None:
        self._tell("admin.wrong_token", address=caller.address, request=caller.request)
        if self._lockouts.wrong(caller.address, now):
            self._services.metrics.lockouts.inc()
            self._tell("admin.locked_out", address=caller.address)

    async def _allowed(
        self, principal: Principal, operation: Operation, found: Match, caller: Caller, source: From
    ) -> None:
        """Raises Refusal where the role or the scope does not reach."""
        why = ""
        if principal.is_once and str(operation) != "POST /v1/tokens":
            why = "the one-time token makes the first token (POST /v1/tokens), and nothing else"
        elif not principal.may(operation.role):
            why = f"{operation} needs the role {operation.role}; {principal.name} is {principal.role}"
        elif operation.reach is Reach.ALL and principal.accounts:
            why = f"{operation} is for those who may see all accounts"
        elif operation.reach is Reach.ONE and not principal.may_see(found.words["account"]):
            why = f"{principal.name} may not see this account"
        if why:
            self._tell("admin.denied", who=principal.name, operation=str(operation), address=caller.address)
            raise Refusal("forbidden", why)
        if operation.is_change:
            access.check_csrf(principal, caller.headers)

    def _tell(self, name: str, **words: str) -> None:
        self._services.tell(Fact(name, dict(words)))


def cookie_name(*, is_tls: bool) -> str:
    """A name that browsers bind to this host and to TLS (RFC 6265bis); over plain HTTP they would not take it."""
    return "__Host-trunkgate" if is_tls else "trunkgate"


def _slow_down(wait_s: float, who: str) -> None:
    if wait_s:
        raise Refusal("rate-limited", f"{who} asks too fast", headers={"Retry-After": str(int(wait_s) + 1)})


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body. Raises Refusal where it is larger."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Refusal("too-large", f"expected at most {most} bytes")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _without_body(receive: Receive) -> Receive:
    return replayed(b"", receive)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A body that was read; then only the end of the connection is of interest."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def received() -> Message:
        message: Message | None = next(messages, None)
        while message is None:
            found = await receive()
            message = found if found["type"] == "http.disconnect" else None
        return message

    return received


class _Gone(Exception):
    """Whoever asked has left."""


class _Sending:
    """What goes out, with the headers that every answer has."""

    def __init__(self, send: Send, *, request: str, is_tls: bool) -> None:
        self._send = send
        self._is_tls = is_tls
        self.request = request
        self.has_begun = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """ASGI send."""
        if message["type"] == "http.response.start":
            self.has_begun, self.status = True, message["status"]
            named = dict(message["headers"])
            is_page = named.get(b"content-type", b"").startswith(b"text/html")
            extra = [*_HEADERS, (b"x-request-id", self.request.encode())]
            extra.append((b"content-security-policy", _CSP_PAGE if is_page else _CSP_DATA))
            if b"cache-control" not in named:
                extra.append((b"cache-control", b"no-store"))
            if self._is_tls:
                extra.append(_HSTS)
            message = {**message, "headers": [*message["headers"], *extra]}
        await self._send(message)
