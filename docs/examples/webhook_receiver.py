#!/usr/bin/env python3
"""A receiver for a CDR webhook, standard library only: checks the signature, keeps one record of each uid.

    CDR_WEBHOOK_SECRET=… python3 webhook_receiver.py PORT FILE

Appends new records to FILE, one JSON line each, and answers 204 when they are on the disk. For one sender at a time; in
front of it belongs what ends TLS.
"""

import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

TOLERANCE_S = 300
MAX_BODY_BYTES = 32 << 20


def is_genuine(secret: bytes, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Signed with our secret, not changed on the way, and not sent again later by somebody who overheard it."""
    if not timestamp.isascii() or not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_S:
        return False
    expected = "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    secret: ClassVar[bytes]
    known: ClassVar[set[str]]
    """Uids of the records in FILE."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if length > MAX_BODY_BYTES:
            self.answer(413)
            return
        body = self.rfile.read(length)
        timestamp = self.headers.get("Trunkgate-Timestamp", "")
        signature = self.headers.get("Trunkgate-Signature", "")
        if not is_genuine(self.secret, timestamp, signature, body, time.time()):
            self.answer(401)
            return
        new = {
            record["uid"]: record for record in map(json.loads, body.splitlines()) if record["uid"] not in self.known
        }
        with open(sys.argv[2], "a", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in new.values())
            file.flush()
            os.fsync(file.fileno())
        self.known.update(new)
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Quiet."""


def main() -> None:
    Receiver.secret = os.environ["CDR_WEBHOOK_SECRET"].encode()
    Receiver.known = set()
    if os.path.exists(sys.argv[2]):
        with open(sys.argv[2], encoding="utf-8") as file:
            Receiver.known = {json.loads(line)["uid"] for line in file}
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    sys.stdout.write(f"listening on 127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
