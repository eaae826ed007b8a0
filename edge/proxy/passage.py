"""A request inside a dialog on its way from one trunk to the other: headers, causes, what is hidden. Pure.

`hygiene` says what crosses, `topology` hides; here they are put in the order of one request and its responses.
"""

from typing import NamedTuple

from edge.proxy import topology
from edge.proxy.call import Call
from edge.proxy.causes import NORMAL_CLEARING, tell
from edge.proxy.forwarding import Preprocessed
from edge.proxy.hygiene import NO_WORDS, Crossing, Way, Words
from edge.proxy.node import Node
from edge.proxy.presentation import Mend
from edge.sip.flow import Flow
from edge.sip.message import Request, parse


class Passage(NamedTuple):
    """Of one request. `cross`, then `mend`, then `hide` for each address it is sent to."""

    node: Node
    crossing: Crossing
    from_ingress: bool
    call_id: bytes
    token: bytes
    words: Words
    is_emergency: bool
    invite: Request | None
    """The call's INVITE as it came, where the caller knows other addresses than the egress trunk was shown."""

    @classmethod
    def of_call(cls, node: Node, call: Call, *, from_ingress: bool) -> "Passage":
        """Of a call that has a crossing."""
        crossing = call.crossing
        assert crossing is not None
        invite: Request | None = None
        if crossing.from_egress and not from_ingress and call.naming is None:
            came = parse(call.invite)
            assert isinstance(came, Request)
            invite = came
        return cls(node, crossing, from_ingress, call.call_id, call.token, call.words, call.facts.emergency, invite)

    @classmethod
    def of_mark(cls, node: Node, mark: bytes, pre: Preprocessed, request: Request, flow: Flow) -> "Passage | None":
        """Of a call that this node does not know, by the mark in its token; None: its trunks are no longer there.

        Whoever is not shown the other side says from which side it comes; else it comes from the ingress trunk where
        the policy finds that one by its source."""
        found = node.crossings.marked(mark)
        if found is None:
            return None
        crossing, ingress = found
        if pre.side:
            from_ingress = pre.side == topology.TOWARD_INGRESS
        elif crossing.from_egress != crossing.from_ingress:
            from_ingress = crossing.from_egress
        else:
            listener = node.listeners.all[flow.listener].name
            from_ingress = node.snapshot.ingress_of(flow.address[0], listener, flow.names) is ingress
        return cls(node, crossing, from_ingress, request.call_id(), pre.token or b"", NO_WORDS, False, None)

    @property
    def back(self) -> Way:
        """The way of its responses."""
        return self.crossing.up if self.from_ingress else self.crossing.down

    def cross(self, onward: Request) -> None:
        """Headers, and what is said of the cause."""
        there = self.crossing.down if self.from_ingress else self.crossing.up
        there.cross(onward, self.words, b"requests", onward.method, is_judged=self.is_emergency)
        if onward.method == b"BYE":
            tell(onward, there.reason, NORMAL_CLEARING)
        if self.invite is not None:
            topology.name_as_known(onward, self.invite)

    def mend(self, mend: Mend | None, came: Request, flow: Flow) -> Mend | None:
        """What is done to its responses, after `mend`, where their receiver is not shown the other side. `came` by this
        `flow`."""
        crossing = self.crossing
        if self.from_ingress:
            if not crossing.from_ingress:
                return mend
            shown = topology.toward_ingress(self.node, self.call_id, flow, flow.listener, self.token)
        else:
            if not crossing.from_egress:
                return mend
            shown = topology.toward_egress(self.node, self.call_id, crossing, flow, flow.listener, self.token)
        return topology.both(mend, topology.hide_answers(shown, came, is_opening=False))

    @property
    def hides(self) -> bool:
        """Is there anything that its receiver is not shown?"""
        return self.crossing.from_egress if self.from_ingress else self.crossing.from_ingress

    def hide(self, onward: Request, came: Request, flow: Flow) -> Mend | None:
        """Hide in the copy that leaves by this flow what its receiver is not shown; what is to be put back into the
        responses."""
        crossing = self.crossing
        if self.from_ingress and crossing.from_egress:
            shown = topology.toward_egress(self.node, self.call_id, crossing, flow, flow.listener, self.token)
        elif not self.from_ingress and crossing.from_ingress:
            shown = topology.toward_ingress(self.node, self.call_id, flow, flow.listener, self.token)
        else:
            return None
        return topology.hide_request(onward, shown, came)
