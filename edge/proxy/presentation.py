"""How the caller is named on the way out: masked, with another number, or as it came; and the way back. Pure.

RFC 3323 §4.1.1.3 (anonymous From), RFC 3325 §5, §7 and §9.3 (P-Asserted-Identity across the trust domain, Privacy
`id`), RFC 3261 §12.2.1.1 (the address in From or To belongs to the dialog). A proxy that writes another From must keep
its two sides apart: the caller goes on to see the From it sent, in responses and in requests of the other side; the
callee sees the other one, in every request of the dialog. Tags are never touched.

Contact, Call-ID and Via stay, since requests of the callee are led by them: what a privacy service of RFC 3323 would do
beyond that takes a back-to-back user agent.
"""

from typing import NamedTuple

from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.lawfulness import MASK
from edge.sip.errors import FieldError, LocalError
from edge.sip.fields import parse_name_addr
from edge.sip.grammar import LWS
from edge.sip.message import Message, Request
from edge.sip.uri import SipUri, TelUri, parse_uri

_ANONYMOUS_URI = b"sip:anonymous@anonymous.invalid"
_ANONYMOUS = b'"Anonymous" <' + _ANONYMOUS_URI + b">"
_SPEAK_OF_CALLER = (b"remote-party-id", b"p-preferred-identity")
"""Headers that name the caller besides From and P-Asserted-Identity; nobody needs them where those are changed."""


class Naming(NamedTuple):
    """The From of a call whose two sides know different ones; values whole, with their tag."""

    original: bytes
    """As the caller wrote it."""
    shown: bytes
    """As the callee sees it."""


def present(request: Request, attempt: CallAttempt, trunk: EgressTrunk) -> Naming | None:
    """Edit the INVITE that leaves by this trunk. None: From is as it came.

    Nothing is done to an emergency call: whoever is called in need shall see who calls."""
    if attempt.emergency:
        return None
    number = attempt.substitute
    uri = _uri_with(request, number, trunk) if number else b""
    _assert_identity(request, attempt, trunk, uri)
    if not attempt.treatment:
        return None
    original = request.value(b"from") or b""
    address = _ANONYMOUS if attempt.treatment == MASK else b"<" + uri + b">"
    if attempt.treatment == MASK:
        _ask_for_privacy(request)
    for name in _SPEAK_OF_CALLER:
        request.remove(name)
    shown = _with_tag(address, request.from_().tag)
    request.replace(b"from", shown)
    return Naming(original, shown)


def toward_callee(request: Request, naming: Naming) -> tuple[bytes, bytes]:
    """A request of the caller, inside the dialog: the callee knows the other From. Returns what to put back into its
    responses (`put_back`)."""
    before = request.value(b"from") or b""
    request.replace(b"from", naming.shown)
    return b"from", before


def toward_caller(request: Request, naming: Naming) -> tuple[bytes, bytes]:
    """A request of the callee, inside the dialog: the caller knows the From it wrote, in To."""
    before = request.value(b"to") or b""
    request.replace(b"to", naming.original)
    return b"to", before


def hide_unknown(request: Request) -> tuple[bytes, bytes] | None:
    """A request of a masked call that this node does not know: what its caller sends must not tell what the INVITE hid.
    None: it is the callee's, which may be named."""
    to = request.to()
    if to.uri.lower() == _ANONYMOUS_URI:
        return None
    before = request.value(b"from") or b""
    request.replace(b"from", _with_tag(_ANONYMOUS, request.from_().tag))
    return b"from", before


def put_back(message: Message, kept: tuple[bytes, bytes]) -> None:
    """Into a response: the value its receiver knows."""
    name, value = kept
    message.replace(name, value)


def naming_of(invite: Request, answer: Message) -> Naming | None:
    """The naming of a call that another node began, from what is kept of it: INVITE as it came, answer as it came."""
    original, shown = invite.value(b"from"), answer.value(b"from")
    if original is None or shown is None or parse_name_addr(original).uri == parse_name_addr(shown).uri:
        return None
    return Naming(original, shown)


def _with_tag(address: bytes, tag: bytes | None) -> bytes:
    return address if tag is None else address + b";tag=" + tag


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
