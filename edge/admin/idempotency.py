"""Requests sent twice are done once: the `Idempotency-Key` header, with the first answer kept for a day. I/O."""

import base64
import hashlib
import json
from typing import NamedTuple

from edge.admin.access import Principal
from edge.admin.problems import Refusal
from edge.admin.store import AdminStore

KEPT_S = 86_400
RUNNING_S = 120
"""After so long a request that never ended (its process died) may be sent again."""
MAX_KEY = 128
MAX_ANSWER = 1 << 20
"""A longer answer is not kept: the request may then not be sent twice."""
_KIND = "reply"


class Answer(NamedTuple):
    """What was answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def to_text(self, fingerprint: str) -> str:
        """As it is kept."""
        words = {"of": fingerprint, "status": self.status, "headers": self.headers}
        return json.dumps({**words, "body": base64.b64encode(self.body).decode()})


class Key(NamedTuple):
    """One key of one principal, for one request."""

    name: str
    fingerprint: str


def key_of(header: str, principal: Principal, method: str, path: str, body: bytes) -> Key:
    """Raises Refusal where it is no key."""
    if not 1 <= len(header) <= MAX_KEY or not header.isascii() or not header.isprintable():
        raise Refusal("invalid", f"Idempotency-Key: expected 1 to {MAX_KEY} printable ASCII characters")
    name = hashlib.sha256(f"{principal.name}\n{header}".encode()).hexdigest()
    fingerprint = hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).hexdigest()
    return Key(name, fingerprint)


async def begin(store: AdminStore, key: Key) -> Answer | None:
    """None: it is the first time, do it. Else what was answered then. Raises Refusal, StoreUnavailable."""
    mark = json.dumps({"of": key.fingerprint})
    if await store.keep(_KIND, key.name, mark, ttl_s=RUNNING_S, only_new=True):
        return None
    text = await store.kept(_KIND, key.name)
    if text is None:  # it was forgotten in this very moment
        return await begin(store, key)
    words = json.loads(text)
    if words["of"] != key.fingerprint:
        raise Refusal("key-reused", "this Idempotency-Key was sent with another request; expected a new key")
    if "status" not in words:
        raise Refusal("in-progress", "the request with this Idempotency-Key has not ended yet")
    headers = tuple((str(name), str(value)) for name, value in words["headers"])
    return Answer(int(words["status"]), headers, base64.b64decode(words["body"]))


async def end(store: AdminStore, key: Key, answer: Answer | None) -> None:
    """Keeps the answer; None, or a fault of ours: it may be sent again."""
    if answer is None or answer.status >= 500 or len(answer.body) > MAX_ANSWER:
        await store.take(_KIND, key.name)
    else:
        await store.keep(_KIND, key.name, answer.to_text(key.fingerprint), ttl_s=KEPT_S)
