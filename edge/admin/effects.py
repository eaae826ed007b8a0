"""A change carried out: once for each Idempotency-Key, with the audit before and after. I/O."""

from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any

from edge.admin import audit, idempotency
from edge.admin.access import Principal
from edge.admin.audit import From
from edge.admin.idempotency import Answer, Key
from edge.admin.roles import Operation
from edge.admin.services import Services
from edge.proxy.facts import Fact

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_ANSWER = 8 << 20
"""Of a change; none comes near it."""


class Effects:
    """Carries changes out."""

    def __init__(self, app: App, services: Services) -> None:
        self._app = app
        self._services = services

    async def carry_out(
        self,
        scope: Scope,
        body: bytes,
        operation: Operation,
        principal: Principal,
        source: From,
        headers: dict[str, str],
        send: Send,
    ) -> None:
        """One change. Raises Refusal, StoreUnavailable: then nothing was changed."""
        header, key, kept = headers.get("idempotency-key"), None, None
        if header is not None and not operation.is_secret:
            path = scope["path"] + "?" + scope.get("query_string", b"").decode("latin-1")
            key = idempotency.key_of(header, principal, operation.method, path, body)
            kept = await idempotency.begin(self._services.store, key)
        if kept is not None:
            await _answer(kept, send, is_repeated=True)
            return
        done: Answer | None = None
        try:
            done = await self._audited(scope, body, operation, source)
        finally:
            if key is not None:
                await self._keep(key, done)
        await _answer(done, send)

    async def _audited(self, scope: Scope, body: bytes, operation: Operation, source: From) -> Answer:
        is_private = operation.is_private or operation.is_secret
        asked = await self._services.audit.enter(
            "asked",
            source,
            operation=str(operation),
            path=scope["path"],
            query=scope.get("query_string", b"").decode("latin-1")[:1_000],
            body_sha256=sha256(body).hexdigest(),
            **audit.shown_body(body, is_private=is_private),
        )
        captured = _Captured()
        change: dict[str, object] = {}
        scope["state"]["change"] = change
        status = 500
        try:
            await self._app(scope, _replayed(body), captured)
            status = captured.status
        finally:
            done = await self._services.audit.enter(
                "done",
                source,
                asked=asked.seq,
                operation=str(operation),
                path=scope["path"],
                status=status,
                change=audit.shown_change(change),
            )
            self._services.metrics.audit_seq.set(done.seq)
            words = {"who": source.who, "operation": str(operation), "path": scope["path"], "status": status}
            self._services.tell(
                Fact("admin.changed", {**words, "request": source.request, "seq": done.seq, "digest": done.digest})
            )
        return Answer(captured.status, tuple(captured.headers), b"".join(captured.parts))

    async def _keep(self, key: Key, done: Answer | None) -> None:
        await idempotency.end(self._services.store, key, done)


class _Captured:
    """Holds an answer back until the audit has it."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []
        self.parts: list[bytes] = []
        self._size = 0

    async def __call__(self, message: Message) -> None:
        """ASGI send."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            part = message.get("body", b"")
            self._size += len(part)
            if self._size > MAX_ANSWER:
                raise ValueError(f"the answer to a change has more than {MAX_ANSWER} bytes")
            self.parts.append(part)


def _replayed(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _answer(answer: Answer, send: Send, *, is_repeated: bool = False) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if is_repeated:
        headers.append((b"idempotent-replayed", b"true"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
