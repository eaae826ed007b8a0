"""The signature of a webhook's request: HMAC-SHA256 over its time and its body. Pure; standard library.

`Trunkgate-Timestamp: SECONDS` and `Trunkgate-Signature: v1=HEX`, where HEX is HMAC-SHA256 with the shared secret over
SECONDS, a full stop and the body as it was sent. The receiver compares in constant time, and takes no request whose
time is more than some minutes from its own: one that was overheard cannot be sent again later.
`docs/examples/webhook_receiver.py` is a receiver.
"""

import hashlib
import hmac

TIMESTAMP_HEADER = "Trunkgate-Timestamp"
SIGNATURE_HEADER = "Trunkgate-Signature"
MIN_SECRET_CHARS = 16


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """Value of the signature header."""
    return "v1=" + hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def idempotency_key(node: str, first_seq: int, last_seq: int, body: bytes) -> str:
    """The same for the same records, on every try and after every restart."""
    return f"{node}-{first_seq}-{last_seq}-{hashlib.sha256(body).hexdigest()[:16]}"
