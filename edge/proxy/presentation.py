"""How the caller is named on the way out: masked, with another number, or as it came; and the way back. Pure.

RFC 3323 §4.1.1.3 (anonymous From), RFC 3325 §5, §7 and §9.3 (P-Asserted-Identity across the trust domain, Privacy
`id`), RFC 3261 §12.2.1.1 (the address in From or To belongs to the dialog). A proxy that writes another From must keep
its two sides apart: the caller goes on to see the From it sent, in responses and in requests of the other side; the
callee sees the other one, in every request of the dialog. Tags are never touched.

What else would tell is `concealment`'s: Contact, Call-ID, Via and whatever header spells the number.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from edge.config.plan import NumberPlan
from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.lawfulness import MASK
from edge.policy.numbers import read_uri
from edge.proxy.concealment import (
    ANONYMOUS_URI,
    ASSERTED,
    IDENTITY,
    Hidden,
    conceal,
    number_in,
    numbers_of,
    reveal_target,
    sealed_if_spelled,
    set_values,
)
from edge.proxy.identifiers import Identifiers
from edge.sip.errors import FieldError, LocalError
from edge.sip.fields import parse_name_addr
from edge.sip.grammar import LWS
from edge.sip.message import Message, Request, Response, parse
from edge.sip.uri import SipUri, TelUri, parse_uri

_ANONYMOUS: Final = b'"Anonymous" <' + ANONYMOUS_URI + b">"
_SPEAK_OF_CALLER: Final = (b"remote-party-id", b"p-preferred-identity")
"""Of a caller who asks to be hidden: not for a trunk outside the trust domain."""

_SAID_AGAIN: Final = (b"p-asserted-identity", *_SPEAK_OF_CALLER)
_NAMES_AGAIN: Final = frozenset(_SAID_AGAIN)
_USUAL_NAMES: Final = {
    b"from": b"From",
    b"p-asserted-identity": b"P-Asserted-Identity",
    b"p-preferred-identity": b"P-Preferred-Identity",
    b"remote-party-id": b"Remote-Party-ID",
}

Mend = Callable[[Response], None]
"""What is done to each response to a request that was changed, before its sender gets it."""
Kept = tuple[tuple[bytes, tuple[bytes, ...]], ...]
"""Header fields as the sender of a request wrote them: name, and its values."""


class Naming(NamedTuple):
    """The names of a call whose two sides know different ones."""

    original: bytes
    """From as the caller wrote it, whole, with its tag."""
    shown: bytes
    """As the callee sees it."""
    hidden: Hidden = ()
    """What the callee may not learn."""

    @property
    def is_private(self) -> bool:
        """Nobody is shown, rather than another number."""
        return ANONYMOUS_URI in self.shown


def present(
    request: Request, attempt: CallAttempt, trunk: EgressTrunk, plan: NumberPlan, identifiers: Identifiers
) -> tuple[Naming, Mend] | None:
    """Edit the INVITE that leaves by this trunk. None: From is as it came.

    Nothing is done to an emergency call: whoever is called in need shall see who calls."""
    if attempt.emergency:
        return None
    number = attempt.substitute
    is_masked = attempt.treatment == MASK
    hidden = numbers_of(request, plan, but="" if is_masked else number) if attempt.treatment else ()
    uri = _uri_with(request, number, trunk) if number else b""
    _assert_identity(request, attempt, trunk, uri)
    if not attempt.treatment:
        return None
    if is_masked:
        _ask_for_privacy(request)
    shown = _with_tag(_ANONYMOUS if is_masked else b"<" + uri + b">", request, hidden, identifiers)
    naming = Naming(request.value(b"from") or b"", shown, hidden)
    keep = IDENTITY if is_masked and trunk.is_trusted else ASSERTED
    return naming, _toward_callee(request, naming, identifiers, keep)


def toward_callee(request: Request, naming: Naming, identifiers: Identifiers) -> Mend:
    """A request of the caller, inside the dialog: the callee knows the other From."""
    return _toward_callee(request, naming, identifiers, frozenset())


def toward_caller(request: Request, naming: Naming, came: Request, identifiers: Identifiers) -> Mend:
    """A request of the callee, inside the dialog: the caller knows the From it wrote, in To, and its own Contact.
    `came`: the request as it came."""
    reveal_target(request, identifiers)
    kept = _as_sent(came)
    request.replace(b"to", naming.original)
    conceal_answer = partial(
        conceal, call_id=request.call_id(), hidden=naming.hidden, identifiers=identifiers, is_private=naming.is_private
    )
    return partial(_mend, kept=kept, then=conceal_answer)


def is_as_judged(request: Request, invite: bytes) -> bool:
    """Would `keep_judged` change nothing, as it mostly does not?"""
    return not request.has_any(_NAMES_AGAIN) and _said(b"from", request.value(b"from") or b"", invite)


def keep_judged(request: Request, invite: bytes) -> tuple[bool, Mend | None]:
    """A request of the caller, inside the dialog, whose names policy has judged once: a From that is another by now
    (RFC 4916) goes on as it was in the INVITE, and what names the caller otherwise than that did goes. `invite`: as it
    came. Was anything changed; what is to be done to the responses."""
    changed = False
    for name in _SAID_AGAIN:
        if any([not _said(name, value, invite) for value in request.values(name)]):
            request.remove(name)
            changed = True
    came = request.value(b"from") or b""
    if _said(b"from", came, invite):
        return changed, None
    original = _whole(invite).value(b"from")
    if original is None or original == came:
        return changed, None
    request.replace(b"from", original)
    request.remove(b"identity")  # of the other name (RFC 8224 §4.1)
    return True, partial(_mend, kept=((b"from", (came,)),), then=None)


def _said(name: bytes, value: bytes, invite: bytes) -> bool:
    """Did the INVITE have this line? Looked for as nearly everybody writes it, in the head alone; else it is read."""
    head = invite.find(b"\r\n\r\n")
    usual = b"\r\n" + _USUAL_NAMES[name] + b": " + value + b"\r\n"
    return invite.find(usual, 0, head + 2) >= 0 or value in _whole(invite).values(name)


def _whole(invite: bytes) -> Request:
    request = parse(invite)
    assert isinstance(request, Request)
    return request


def hide_unknown(request: Request, came: Request, plan: NumberPlan, identifiers: Identifiers) -> Mend:
    """A request of such a call that this node does not know: what its caller sends must not tell what the INVITE hid.
    The callee's is known by where it goes, or by whom it calls."""
    if reveal_target(request, identifiers) or request.to().uri.lower() == ANONYMOUS_URI:
        hidden = number_in(request.uri, plan)
        conceal_answer = partial(
            conceal, call_id=request.call_id(), hidden=hidden, identifiers=identifiers, is_private=True
        )
        return partial(_mend, kept=_as_sent(came), then=conceal_answer)
    hidden = numbers_of(request, plan)
    shown = _with_tag(_ANONYMOUS, request, hidden, identifiers)
    return _toward_callee(request, Naming(request.value(b"from") or b"", shown, hidden), identifiers, frozenset())


def naming_of(invite: Request, answer: Message, plan: NumberPlan) -> Naming | None:
    """The naming of a call that another node began, from what is kept of it: INVITE as it came, answer as it came."""
    original, shown = invite.value(b"from"), answer.value(b"from")
    if original is None or shown is None or parse_name_addr(original).uri == parse_name_addr(shown).uri:
        return None
    instead = read_uri(parse_name_addr(shown).uri, plan).e164
    return Naming(original, shown, numbers_of(invite, plan, but=instead))


def _toward_callee(request: Request, naming: Naming, identifiers: Identifiers, keep: frozenset[bytes]) -> Mend:
    came = request.copy()
    request.replace(b"from", naming.shown)
    has_other_vias = conceal(
        request, came.call_id(), naming.hidden, identifiers, is_private=naming.is_private, keep=keep
    )
    return partial(_mend, kept=_as_sent(came, has_other_vias=has_other_vias), then=None)


def _as_sent(request: Request, *, has_other_vias: bool = False) -> Kept:
    """What every response has as its request had it (RFC 3261 §8.2.6.2); To, once it has a tag."""
    names = [b"from", b"call-id"]
    if request.to().tag is not None:
        names.append(b"to")
    if has_other_vias:
        names.append(b"via")
    return tuple([(name, tuple(request.values(name))) for name in names])


def _mend(response: Response, *, kept: Kept, then: Callable[[Response], object] | None) -> None:
    """Into a response: the values its receiver knows."""
    for name, values in kept:
        if len(values) == 1 and response.has(name):
            response.replace(name, values[0])
        else:
            set_values(response, name, values)
    if then is not None:
        then(response)


def _with_tag(address: bytes, request: Request, hidden: Hidden, identifiers: Identifiers) -> bytes:
    tag = request.from_().tag
    return address if tag is None else address + b";tag=" + sealed_if_spelled(tag, hidden, identifiers)


def _uri_with(request: Request, number: str, trunk: EgressTrunk) -> bytes:
    """The caller's own address with another number."""
    try:
        uri = parse_uri(request.from_().uri)
    except FieldError:
        uri = None
    if isinstance(uri, TelUri):
        return b"tel:" + number.encode()
    if not isinstance(uri, SipUri) or uri.host.lower().endswith(b"anonymous.invalid"):
        return b"sip:" + number.encode() + b"@" + trunk.host_port + b";user=phone"
    host = b"[" + uri.host + b"]" if uri.is_ipv6 else uri.host
    port = b"" if uri.port is None else b":%d" % uri.port
    return uri.scheme + b":" + number.encode() + b"@" + host + port + b";user=phone"


def _assert_identity(request: Request, attempt: CallAttempt, trunk: EgressTrunk, uri: bytes) -> None:
    """P-Asserted-Identity: what we may vouch for, to whom it may be told. `uri`: the number that was substituted."""
    is_hidden = attempt.withheld or attempt.treatment == MASK
    has_any = request.value(b"p-asserted-identity") is not None
    is_ours = attempt.is_vouched or (attempt.ingress is not None and attempt.ingress.trusted)
    if uri and attempt.treatment != MASK:
        # §9.3 of RFC 3325: what was asserted is replaced; it is added where it is asked for or believed.
        request.remove(b"p-asserted-identity")
        if trunk.is_trusted or (has_any and not is_hidden):
            request.append(b"P-Asserted-Identity", b"<" + uri + b">")
    elif has_any and (not is_ours or (is_hidden and not trunk.is_trusted)):
        request.remove(b"p-asserted-identity")
    if is_hidden and not trunk.is_trusted:
        for name in _SPEAK_OF_CALLER:
            request.remove(name)


def _ask_for_privacy(request: Request) -> None:
    """Privacy: id, beside whatever else is asked (RFC 3323 §4.2, RFC 3325 §9.3); `none` asks for nothing."""
    values = [value.strip(LWS) for line in request.values(b"privacy") for value in line.replace(b",", b";").split(b";")]
    wanted = [value for value in values if value and value.lower() not in (b"none", b"id")]
    request.remove(b"privacy")
    try:
        request.append(b"Privacy", b";".join([*wanted, b"id"]))
    except LocalError:
        request.append(b"Privacy", b"id")
