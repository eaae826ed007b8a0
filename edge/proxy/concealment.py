"""What tells who calls beside From, in the messages of a caller whose number is masked or replaced. Pure.

RFC 3323 §5.1 and §5.3 (what a privacy service hides), RFC 3325 §7, RFC 7044 §10.1.2 (History-Info of a private party),
RFC 8224 §4.1 (Identity spells the number in its claims). A header that names the caller is taken off. What its own side
needs again is not kept in a table but sealed (`Identifiers.seal`, §5.1: "encrypting and persisting the values in the
signaling"): the Contact always, and the Call-ID and the From tag where the number stands in them. So any node with the
secret opens it, after a crash or a takeover too. Vias that spell the number are put back from the request's own.
"""

import re
from collections.abc import Iterable
from typing import Final

from edge.config.plan import MALFORMED, NUMBER, NumberPlan, Reading
from edge.policy.numbers import read_uri
from edge.policy.spelling import read_user
from edge.proxy.identifiers import SEALED, Identifiers
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.grammar import canonical
from edge.sip.message import Message, Request
from edge.sip.uri import SipUri, parse_uri

ANONYMOUS_URI: Final = b"sip:anonymous@anonymous.invalid"
ANONYMOUS_HOST: Final = b"anonymous.invalid"
"""RFC 3323 §4.1.1.3."""

ASSERTED: Final = frozenset({b"p-asserted-identity"})
IDENTITY: Final = ASSERTED | {b"identity"}
"""What a trusted trunk may be told of a masked caller (RFC 3325 §7); the first, of an INVITE, is `presentation`'s."""
_SPEAK_OF_CALLER: Final = (b"remote-party-id", b"p-preferred-identity", b"reply-to", *sorted(IDENTITY))
"""Headers that name the caller beside From: nobody needs them where that is changed."""
_PRIVATE: Final = (b"call-info", b"organization", b"subject", b"in-reply-to", b"user-agent")
"""What a caller who is hidden tells of itself besides (§5.3)."""
_NAMING: Final = (b"from", b"p-asserted-identity", b"remote-party-id", b"p-preferred-identity")
_OF_THE_PROTOCOL: Final = frozenset((
    b"via", b"from", b"to", b"call-id", b"cseq", b"contact", b"route", b"record-route", b"max-forwards",
    b"content-length", b"content-type", b"rack", b"rseq", b"session-expires", b"min-se", b"expires", b"privacy",
))  # fmt: skip
"""Headers that stay whatever digits stand in them: without them there is no dialog, and those that could spell a number
are treated one by one."""
_HISTORY: Final = frozenset({b"diversion", b"history-info"})

_LEAST_DIGITS: Final = 6
"""A shorter number is no subscriber's, and would be found in everything."""
_DIGITS_OF_OTHERS: Final = 8
"""Of a number outside the plan nobody knows where its country code ends: its last digits are looked for."""
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_OTHER: Final = re.compile(rb"[^0-9]+")
_CONTEXT: Final = re.compile(rb";phone-context=\+?([0-9().\- ]+)", re.IGNORECASE)
_LOCAL: Final = re.compile(rb"[0-9][0-9().\- ]*+")
_BEFORE_CONTEXT: Final = 160
"""Bytes before a phone-context in which the number that it completes is looked for."""

Hidden = tuple[bytes, ...]
"""Digits that must not leave: the national significant ones of every number the caller is known by."""


def numbers_of(message: Message, plan: NumberPlan, *, but: str = "") -> Hidden:
    """Every number by which this message of the caller names it. `but`: E.164 of the number that is shown instead."""
    found: list[bytes] = []
    for name in _NAMING:
        try:
            values = message.list_values(name) if name != b"from" else message.values(name)
        except FieldError:
            values = message.values(name)
        for value in values:
            try:
                address = parse_name_addr(value)
            except FieldError:
                continue
            said = (read_uri(address.uri, plan), read_user(address.display.strip(b'" \t'), plan))
            found += [_significant(reading, plan) for reading in said if reading.e164 != but or not but]
    return tuple(dict.fromkeys([digits for digits in found if len(digits) >= _LEAST_DIGITS]))


def number_in(uri: bytes, plan: NumberPlan) -> Hidden:
    """The same of one address."""
    digits = _significant(read_uri(uri, plan), plan)
    return (digits,) if len(digits) >= _LEAST_DIGITS else ()


def _significant(reading: Reading, plan: NumberPlan) -> bytes:
    if reading.state == NUMBER:
        digits = reading.e164[1:]
        code = plan.code_of(digits)
        return (digits[len(code) :] if code else digits[-_DIGITS_OF_OTHERS:]).encode()
    digits = "".join([one for one in reading.text if "0" <= one <= "9"])
    return digits[-_DIGITS_OF_OTHERS:].encode() if reading.state == MALFORMED or digits == reading.text else b""


def spells(text: bytes, hidden: Hidden) -> bool:
    """Does any of these numbers stand in this text, whatever stands between its digits, escaped, or completed by a
    phone-context (RFC 3966 §5.1.5)?"""
    if not hidden:
        return False
    if b"%" in text:
        text = _ESCAPE.sub(lambda escape: bytes((int(escape.group(1), 16),)), text)
    spellings = [_OTHER.sub(b"", text)]
    for found in _CONTEXT.finditer(text):
        completed = _LOCAL.findall(text, max(0, found.start() - _BEFORE_CONTEXT), found.start())
        spellings += [_OTHER.sub(b"", found.group(1) + local) for local in completed]
    return any([number in digits for digits in spellings for number in hidden])


def sealed_if_spelled(text: bytes, hidden: Hidden, identifiers: Identifiers) -> bytes:
    """A Call-ID or a tag: as it is, or sealed where it would tell the number."""
    return SEALED + identifiers.seal(text) if spells(text, hidden) else text


def conceal(
    message: Message,
    call_id: bytes,
    hidden: Hidden,
    identifiers: Identifiers,
    *,
    is_private: bool,
    keep: frozenset[bytes] = frozenset(),
) -> bool:
    """Edit a request or response of the caller that goes to the callee; its From is another's affair. True: Vias were
    changed. `call_id`: the caller's. `is_private`: masked, and not shown by another number. `keep`: headers of
    `IDENTITY` that may stay."""
    for name in (*_SPEAK_OF_CALLER, *(_PRIVATE if is_private else ())):
        if name not in keep:
            message.remove(name)
    _seal_contacts(message, call_id, hidden, identifiers)
    if isinstance(message, Request):
        shown = sealed_if_spelled(call_id, hidden, identifiers)
        if shown != call_id:
            message.replace(b"call-id", shown)
    names = {canonical(line.partition(b":")[0].rstrip(b" \t")) for line in message.lines if spells(line, hidden)}
    for name in names - _OF_THE_PROTOCOL - keep:
        if name in _HISTORY:
            _anonymise(message, name, hidden)
        else:
            message.remove(name)
    if b"via" not in names or not isinstance(message, Request):
        return False
    vias = message.list_values(b"via")
    set_values(message, b"via", [_bare(value, hidden, number) for number, value in enumerate(vias)])
    return True


def reveal_target(request: Request, identifiers: Identifiers) -> bool:
    """The Request-URI is a Contact that was sealed: what the caller wrote is put in its place. False: it is none."""
    uri = parse_uri(request.uri)
    if not isinstance(uri, SipUri) or uri.user is None or not uri.user.startswith(SEALED):
        return False
    opened = identifiers.unseal(uri.user[len(SEALED) :], request.call_id())
    if opened is None:
        return False
    request.set_uri(opened)
    return True


def unsealed(request: Request, identifiers: Identifiers) -> Request:
    """A request as its dialog is known here: where Call-ID or To tag had been sealed for the callee, a copy with those
    that the caller chose. Raises FieldError."""
    to = request.to()
    is_call_id, is_tag = request.call_id().startswith(SEALED), to.tag is not None and to.tag.startswith(SEALED)
    if not is_call_id and not is_tag:
        return request
    onward = request.copy()
    if is_call_id:
        opened = identifiers.unseal(request.call_id()[len(SEALED) :])
        if opened is not None:
            onward.replace(b"call-id", opened)
    if is_tag and to.tag is not None:
        opened = identifiers.unseal(to.tag[len(SEALED) :])
        if opened is not None:
            onward.replace(b"to", to.raw.replace(b"tag=" + to.tag, b"tag=" + opened))
    return onward


def set_values(message: Message, name: bytes, values: Iterable[bytes]) -> None:
    """These lines in place of all lines of that name, on top."""
    message.remove(name)
    for value in reversed(list(values)):
        message.prepend(name.title(), value)


def _seal_contacts(message: Message, call_id: bytes, hidden: Hidden, identifiers: Identifiers) -> None:
    lines = message.values(b"contact")
    if not lines:
        return
    try:
        values = [_sealed_contact(value, call_id, hidden, identifiers) for value in message.list_values(b"contact")]
    except FieldError:
        values = [b"<" + ANONYMOUS_URI + b">"]  # what nobody can read leads nowhere either
    if len(lines) == 1:
        message.replace(b"contact", b", ".join(values))
    else:
        message.remove(b"contact")
        message.append(b"Contact", b", ".join(values))


def _sealed_contact(value: bytes, call_id: bytes, hidden: Hidden, identifiers: Identifiers) -> bytes:
    """A Contact that leads to the same place, in a user part that only we can open. The display name goes; a host or
    parameters that spell the number too."""
    address = parse_name_addr(value, "Contact")
    if address.uri == b"*":
        return value
    uri = parse_uri(address.uri)
    scheme, where, params = b"sip", ANONYMOUS_HOST, b""
    if isinstance(uri, SipUri):
        scheme, params = uri.scheme, uri.params
        host = b"[" + uri.host + b"]" if uri.is_ipv6 else uri.host
        where = host if uri.port is None else b"%b:%d" % (host, uri.port)
    where = ANONYMOUS_HOST if spells(where, hidden) else where
    params = b"" if spells(params, hidden) else params
    rest = b"" if spells(address.params, hidden) else address.params
    word = SEALED + identifiers.seal(address.uri, call_id)
    return b"<" + scheme + b":" + word + b"@" + where + params + b">" + rest


def _anonymise(message: Message, name: bytes, hidden: Hidden) -> None:
    """Entries that name the number become anonymous; a History-Info keeps its index."""
    try:
        values = message.list_values(name)
    except FieldError:
        message.remove(name)
        return
    kept = []
    for value in values:
        if spells(value, hidden):
            try:
                index = parse_name_addr(value).param(b"index")
            except FieldError:
                continue
            value = (
                b"<" + ANONYMOUS_URI + b">" + (b"" if index is None or spells(index, hidden) else b";index=" + index)
            )
        kept.append(value)
    message.remove(name)
    for value in kept:
        message.append(name.title(), value)


def _bare(via: bytes, hidden: Hidden, number: int) -> bytes:
    """A Via that says nothing where it would spell the number."""
    return b"SIP/2.0/UDP %b;branch=z9hG4bKhidden%d" % (ANONYMOUS_HOST, number) if spells(via, hidden) else via
