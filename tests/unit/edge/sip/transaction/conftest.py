"""A stage for transactions: the real layer on a real wheel, with a user who writes down, in order, all that happens."""

import pytest

from edge.sip.flow import Flow
from edge.sip.message import parse
from edge.sip.timers import Durations, TimerWheel
from edge.sip.transaction.layer import TransactionLayer

PEER = Flow(0, ("192.0.2.1", 5060))
BRANCH = "z9hG4bK74bf9"
START = 1000.0


def request(
    method="INVITE",
    *,
    branch=BRANCH,
    sent_by="192.0.2.1:5060",
    uri="sip:bob@example.com",
    from_tag="a1",
    to_tag=None,
    call_id="c1",
    cseq=1,
    cseq_method=None,
):
    """A request as a peer sends it; `branch=None` leaves the parameter out, as RFC 2543 clients do."""
    via = f"SIP/2.0/UDP {sent_by}" + (f";branch={branch}" if branch is not None else "")
    to = "<sip:bob@example.com>" + (f";tag={to_tag}" if to_tag else "")
    text = (
        f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag={from_tag}\r\n"
        f"To: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {cseq_method or method}\r\nContent-Length: 0\r\n\r\n"
    )
    return parse(text.encode())


def response(status, method="INVITE", *, branch=BRANCH, to_tag="b1", cseq=1):
    """A response to `request(method)`."""
    text = (
        f"SIP/2.0 {status} Phrase\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\n"
        f"From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>;tag={to_tag}\r\nCall-ID: c1\r\n"
        f"CSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    )
    return parse(text.encode())


def title(data):
    """What a message is in one word: its method or its status."""
    word = data.split(b" ", 2)
    return (word[1] if word[0] == b"SIP/2.0" else word[0]).decode()


class Stage:
    """The user of the layer, and the clock."""

    def __init__(self, *, reliable=False, durations=None):
        self.now = START
        self.events = []
        self.sends = []
        self.wheel = TimerWheel(START)
        self._sent = 0
        self._set = {}
        self.layer = TransactionLayer(self, self.sends, self.wheel, durations or Durations(), lambda flow: reliable)
        self.servers = []
        self.stray = []
        self.acks = []
        self.reaction = None
        """Called with (txn, request) inside `on_request`."""

    def look(self):
        """Write down what was sent since the last look, and then what was set: letter and delay."""
        self.events += [f"{title(data)} sent" for data, _, _ in self.sends[self._sent :]]
        self._sent = len(self.sends)
        for bucket, (_, letters) in self.wheel._buckets.items():
            delay = round(bucket * self.wheel._tick_s - self.now, 6)
            self.events += [f"{letter}={delay:g}" for letter in letters[self._set.get(bucket, 0) :]]
            self._set[bucket] = len(letters)

    def forget_sends(self):
        """As the rim does, which has sent them."""
        self.look()
        self.sends.clear()
        self._sent = 0

    def tell(self, event):
        self.look()
        self.events.append(event)

    def on_request(self, txn, request, now):
        self.tell(f"{request.method.decode()} to TU")
        self.servers.append(txn)
        if self.reaction is not None:
            self.reaction(txn, request)

    def on_ack(self, request, flow, now):
        self.tell("ACK to TU")
        self.acks.append((request, flow))

    def on_response(self, txn, response, now):
        self.tell(f"{response.status} to TU")

    def on_stray_response(self, response, flow, now):
        self.tell("stray")
        self.stray.append((response, flow))

    def on_timeout(self, txn, now):
        self.tell("timeout to TU")

    def on_transport_error(self, txn, now):
        self.tell("transport error to TU")

    def on_gone(self, txn):
        self.tell("gone")

    def receive(self, message, flow=PEER):
        self.layer.receive(message, flow, self.now)

    def respond(self, txn, status):
        self.layer.respond(txn, status, f"SIP/2.0 {status} Ours\r\n\r\n".encode(), self.now)

    def server(self, method="INVITE", **fields):
        """A new server transaction, as a request of a peer makes it."""
        self.receive(request(method, **fields))
        return self.servers[-1]

    def client(self, method="INVITE", *, timeout_s=None, **fields):
        """A new client transaction."""
        return self.layer.start(request(method, **fields), PEER, self.now, user=self, timeout_s=timeout_s)

    def wait(self, seconds):
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (due := self.wheel.next_timer()) is not None and due <= end:
            self.look()
            self.now = due
            self.wheel.expire(due)
        self.look()
        self.now = end

    def sent(self):
        return [title(data) for data, _, _ in self.sends]

    def taken(self):
        """The events since they were last taken."""
        self.look()
        events = self.events[:]
        self.events.clear()
        return events


@pytest.fixture
def stage():
    """Over an unreliable transport."""
    return Stage()


@pytest.fixture
def reliable_stage():
    """Over a reliable transport."""
    return Stage(reliable=True)


@pytest.fixture
def a_request():
    return request


@pytest.fixture
def a_response():
    return response


@pytest.fixture
def make_stage():
    return Stage
