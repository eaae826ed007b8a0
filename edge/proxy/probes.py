"""Asking both sides of a running call whether they still know it: OPTIONS inside the dialog (R4). Pure.

A side that has crashed sends no BYE; its call would hold a slot until its session expires or its longest duration ends.
RFC 3261 §12.2.1.2: 481, or no answer, means that the dialog is gone. Any other answer, an error too, comes from
somebody who is there.

The probe speaks in the other side's name with the CSeq number that side has used last, not a new one: a number it does
not know of would have its next request refused as out of order (§12.2.2). An equal or lower number harms nobody.
"""

from typing import TYPE_CHECKING, Final

from edge.proxy.call import Call, CallState
from edge.proxy.dialogs import Dialog
from edge.proxy.teardown import Speech, Teardown
from edge.sip.errors import FieldError, ParseError
from edge.sip.message import Response

if TYPE_CHECKING:
    from edge.proxy.calls import CallTracker

CAUSE: Final = "dead_call"
_NOBODY: Final = frozenset((408, 503))
"""Said by a proxy on the way, or by our own transport: no answer."""


class Probes:
    """Of one tracker."""

    __slots__ = ("_calls", "_teardown")

    def __init__(self, calls: "CallTracker", teardown: Teardown) -> None:
        self._calls = calls
        self._teardown = teardown

    def look(self, call: Call, now: float) -> None:
        """Send what is due. A dialog whose answer has not been acknowledged yet is left alone."""
        probe_s = self._calls.node.settings.probe_s
        for dialog in tuple(call.dialogs.values()):
            is_quiet = dialog.is_confirmed and dialog.acked and not dialog.ended and not dialog.leaving
            if not is_quiet or now < dialog.probed_at + probe_s:
                continue
            dialog.probed_at = now
            try:
                view = self._teardown.view(call, dialog)
            except (FieldError, ParseError):
                continue  # a side whose own words are unfit cannot be spoken to
            to_ingress = self._teardown.toward_ingress(call, view)
            to_egress = self._teardown.toward_egress(call, dialog, view)
            self._ask(call, dialog, to_ingress, dialog.cseq_egress, True, now)
            self._ask(call, dialog, to_egress, dialog.cseq_ingress + dialog.cseq_shift, False, now)

    def _ask(self, call: Call, dialog: Dialog, speech: Speech, cseq: int, of_ingress: bool, now: float) -> None:
        probe = Probe(self, call.uid, dialog, of_ingress)
        self._teardown.say(b"OPTIONS", speech, max(0, cseq - dialog.cseq_gap), (), probe, now)

    def heard(self, probe: "Probe", status: int, now: float) -> None:
        """The final answer to one of them."""
        call = self._calls.get(probe.uid)
        if call is None or call.state is not CallState.ANSWERED or probe.dialog.ended:
            return
        dialog, most = probe.dialog, self._calls.node.settings.probe_failures
        missed = dialog.missed_by_ingress if probe.of_ingress else dialog.missed_by_egress
        missed = most if status == 481 else missed + 1 if status in _NOBODY else 0
        if probe.of_ingress:
            dialog.missed_by_ingress = missed
        else:
            dialog.missed_by_egress = missed
        if missed >= most:
            self._calls.end(call, CAUSE, now)


class Probe:
    """User of one OPTIONS. It knows its call by name only, so that counting alone frees that."""

    __slots__ = ("_probes", "dialog", "of_ingress", "uid")

    def __init__(self, probes: Probes, uid: str, dialog: Dialog, of_ingress: bool) -> None:
        self._probes = probes
        self.uid = uid
        self.dialog = dialog
        self.of_ingress = of_ingress

    def on_response(self, response: Response, now: float) -> None:
        """Somebody is there, or says that the dialog is not."""
        if response.status >= 200:
            self._probes.heard(self, response.status, now)

    def on_timeout(self, now: float) -> None:
        """Timer F."""
        self._probes.heard(self, 408, now)

    def on_transport_error(self, now: float) -> None:
        """Nobody there."""
        self._probes.heard(self, 503, now)

    def one_over(self, now: float) -> None:
        """It could not be sent at all."""
        self._probes.heard(self, 503, now)
