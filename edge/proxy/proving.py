"""Who we are, proved to an egress trunk that asks (RFC 3261 §22.2, §22.3). Pure.

A proxy hands a challenge on to the caller. Where the edge itself has a user name at the trunk (`login`), the challenge
is meant for the edge: it answers, once for each request, and the caller hears nothing of it. A request that is sent
again with credentials needs a higher CSeq number (§22.2), and a proxy has none to give: so the numbers toward the trunk
are shifted against the caller's, by one for each answer, for the rest of the dialog, and put back in the responses.
"""

from typing import TYPE_CHECKING, Final, Protocol

from edge.config.trunks import EgressTrunk
from edge.sip.digest_client import CHALLENGES, Challenge, answer, challenge_of
from edge.sip.message import Request, Response

if TYPE_CHECKING:
    from edge.proxy.node import Node

MAX_CSEQ: Final = 2**31 - 1
"""RFC 3261 §8.1.1.5."""
Proof = tuple[bytes, bytes]
"""A header field: its printed name and its value."""


def proof_of(
    node: "Node", trunk: EgressTrunk, found: Challenge, method: bytes, uri: bytes, body: bytes, count: int = 1
) -> Proof | None:
    """The answer to this challenge; None: the trunk has no user name, or this node does not know its password."""
    password = node.passwords.get(trunk.id)
    if trunk.login is None or password is None:
        return None
    return found.header, answer(
        found,
        username=trunk.login.username,
        password=password,
        method=method,
        uri=uri,
        body=body,
        count=count,
        cnonce=node.identifiers.tag(),
    )


def answered(node: "Node", trunk: EgressTrunk | None, response: Response | None, request: Request) -> Proof | None:
    """The proof that this 401 or 407 of a trunk asks for; None: it asks for nothing, or nothing that can be given.
    `request`: what is to be sent again, with its Request-URI and body."""
    if trunk is None or trunk.login is None or response is None or response.status not in CHALLENGES:
        return None
    found = challenge_of(response, trunk.login.realm)
    return None if found is None else proof_of(node, trunk, found, request.method, request.uri, request.body)


def shift(request: Request, by: int, *, acknowledged: int = 0) -> bytes:
    """The CSeq number that the trunk knows. `acknowledged`: by so much the INVITE was shifted that RAck speaks of (RFC
    3262 §7.2). Returns CSeq as it was, to be put back into the responses; empty: it is as it came, since nothing was to
    be done or there is no higher number."""
    rack = request.value(b"rack") if acknowledged else None
    if rack is not None:
        words = rack.split()
        if len(words) == 3 and words[1].isdigit() and len(words[1]) <= 10:
            request.replace(b"rack", b"%b %d %b" % (words[0], int(words[1]) + acknowledged, words[2]))
    number = request.cseq().number + by
    if not by or number > MAX_CSEQ:
        return b""
    before = request.value(b"cseq") or b""
    request.replace(b"cseq", b"%d %b" % (number, request.method))
    return before


class Listening(Protocol):
    """Who hears of the end of a request of ours."""

    def on_response(self, response: Response, now: float) -> None: ...

    def on_timeout(self, now: float) -> None: ...

    def on_transport_error(self, now: float) -> None: ...


class Again(Protocol):
    """Sends the request once more."""

    def __call__(self, proof: Proof, now: float) -> None: ...


class Proving:
    """User of a request of ours toward a trunk that may ask who we are: answered once, then it is as any other."""

    __slots__ = ("_again", "_listening", "_node", "_request", "_trunk")

    def __init__(
        self, node: "Node", trunk: EgressTrunk, request: Request, listening: Listening | None, again: Again
    ) -> None:
        self._node = node
        self._trunk = trunk
        self._request = request
        self._listening = listening
        self._again = again

    def on_response(self, response: Response, now: float) -> None:
        """A challenge is answered; anything else is for whoever listens."""
        proof = answered(self._node, self._trunk, response, self._request)
        if proof is not None:
            self._again(proof, now)
        elif self._listening is not None:
            self._listening.on_response(response, now)

    def on_timeout(self, now: float) -> None:
        """Timer F."""
        if self._listening is not None:
            self._listening.on_timeout(now)

    def on_transport_error(self, now: float) -> None:
        """It could not be sent."""
        if self._listening is not None:
            self._listening.on_transport_error(now)
