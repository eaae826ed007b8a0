"""What each refusal rests on, and how it is told to the customer it happened to. Pure; data only.

`BASIS` is what a refusal rests on where no rule of its own says better. `WORDS` is a sentence for a letter to the
customer: who, what, and what would help. `{account}`, `{source}`, `{cli}`, `{called}` and `{ceiling}` are filled in.
"""

from collections.abc import Mapping
from typing import Final

from edge.config.basis import HOUSE, Basis, Origin
from edge.config.refusals import Reason

_CAPACITY: Final = Basis(Origin.CONTRACT, "article 25 and the options of article 28")
_MONEY: Final = Basis(Origin.CONTRACT, "article 12.7")
_SIGNED: Final = Basis(Origin.LAW, "CPCE L44; RFC 8224 §6.2.2")
_D223_9: Final = Basis(Origin.LAW, "Code de la consommation D223-9 (decree 2022-1313)")
_SPECIAL: Final = Basis(Origin.CONTRACT, "articles 9.1.17 and 9.2.3")
_LISTED: Final = Basis(Origin.CONTRACT, "article 9.1.8; CPCE L44; Arcep 2025-2215")
_ACCESS: Final = Basis(Origin.CONTRACT, "article 6.1")
_BREACH: Final = Basis(Origin.CONTRACT, "article 13.1")


def _rfc(section: str) -> Basis:
    return Basis(Origin.PROTOCOL, f"RFC 3261 §{section}")


_TOLD: Final[Mapping[Reason, tuple[Basis, str]]] = {
    Reason.UNKNOWN_SOURCE: (HOUSE, "The address {source} is not known to us: calls must come from the one agreed on."),
    Reason.UNKNOWN_ACCOUNT: (HOUSE, "The call named no account that we know; check the header that names it."),
    Reason.CREDENTIALS_MISSING: (_ACCESS, "The call gave no user name and password that we asked for; configure them."),
    Reason.CREDENTIALS_STALE: (
        _ACCESS,
        "The call used an answer to an old question; the equipment should answer anew.",
    ),
    Reason.CREDENTIALS_REFUSED: (_ACCESS, "The user name or the password of the call from {source} was wrong."),
    Reason.LOCKED_OUT: (
        _ACCESS,
        "Too many wrong passwords came from {source}, or for that user name; try again later.",
    ),
    Reason.ACCOUNT_SUSPENDED: (_BREACH, "The account {account} is suspended: no calls but those to emergency numbers."),
    Reason.ACCOUNT_CLOSED: (_BREACH, "The account {account} is closed."),
    Reason.CLI_REFUSED: (
        HOUSE,
        "The caller number {cli} may not be presented on this call; present one that this account may show.",
    ),
    Reason.CLI_WITHHELD: (HOUSE, "The caller number was withheld, which is not allowed here; present one."),
    Reason.CLI_INVALID: (HOUSE, "The caller number {cli} is no valid number; write it as +33199001234 is written."),
    Reason.CLI_NOT_OWNED: (
        _LISTED,
        "The caller number {cli} is not among the numbers of account {account}; present one of them, or have it added.",
    ),
    Reason.CLI_MISMATCH: (
        _LISTED,
        "P-Asserted-Identity beside the caller number {cli} names a number that account {account} may not present.",
    ),
    Reason.CLI_DO_NOT_ORIGINATE: (HOUSE, "No call ever begins from {cli}: it is a number that is only called."),
    Reason.CALLED_INVALID: (_rfc("21.4.22"), "The called number cannot be read; write it as +33199001234 is written."),
    Reason.CAPS: (
        _CAPACITY,
        "The account {account} may place {ceiling} call attempts a second, and this one came sooner; spread them, or "
        "order more.",
    ),
    Reason.CALLS: (
        _CAPACITY,
        "The account {account} may hold {ceiling} calls at once, and all were in use; order more, or call later.",
    ),
    Reason.CREDIT: (
        _MONEY,
        "The balance of account {account} does not pay for the first interval of this call; top it up.",
    ),
    Reason.SPEND_CAP: (HOUSE, "The account {account} has spent what it may spend in this hour or day."),
    Reason.MAX_RATE: (HOUSE, "A minute to {called} costs more than account {account} may pay."),
    Reason.NO_RATE: (Basis(Origin.CONTRACT, "article 24.2"), "The tariff has no price for {called}."),
    Reason.PREFIX_CAPS: (
        _CAPACITY,
        "The account {account} may place {ceiling} attempts a second to the destination of {called}.",
    ),
    Reason.PREFIX_CALLS: (
        _CAPACITY,
        "The account {account} may hold {ceiling} calls at once to the destination of {called}.",
    ),
    Reason.GROUP_CAPS: (_CAPACITY, "The accounts together with {account} may place {ceiling} call attempts a second."),
    Reason.GROUP_CALLS: (_CAPACITY, "The accounts together with {account} may hold {ceiling} calls at once."),
    Reason.GROUP_SPEND: (HOUSE, "The accounts together with {account} have spent what they may in this hour or day."),
    Reason.GROUP_SUSPENDED: (_BREACH, "The group of account {account} is suspended or closed."),
    Reason.NO_MARGIN: (HOUSE, "No trunk takes calls to {called} for what they are sold at."),
    Reason.TRUNK_CEILINGS: (HOUSE, "Every line to {called} was taken; the call may be placed again."),
    Reason.CALLING_HOURS: (
        _D223_9,
        "Consumers such as {called} may be called to sell on the permitted days and hours of their own time zone only.",
    ),
    Reason.CONTACT_REFUSED: (
        _D223_9,
        "The person at {called} has refused to be called: no attempt before {days} full calendar days have passed.",
    ),
    Reason.CONSENT_MISSING: (
        Basis(Origin.LAW, "Code de la consommation L223-1 (law 2025-594)"),
        "No valid consent of {called} to be called is recorded, and no contract in progress; record it with its proof.",
    ),
    Reason.CONTACT_ATTEMPTS: (
        _D223_9,
        "The professional of account {account} has called {called} {ceiling} times, answered or not, in the days that "
        "count: all it may.",
    ),
    Reason.CALLED_TOO_OFTEN: (HOUSE, "Account {account} has called {called} {ceiling} times in a short time."),
    Reason.PING_CALLS: (
        Basis(Origin.CONTRACT, "article 9.2.3"),
        "Too many calls of account {account} from {cli} were so short that nobody could have talked.",
    ),
    Reason.INTERNATIONAL_BARRED: (HOUSE, "Account {account} may not call {called}, which is abroad."),
    Reason.DESTINATION_CALLS: (
        _SPECIAL,
        "Account {account} has placed the {ceiling} calls that it may place in so short a time to destinations such as "
        "{called}.",
    ),
    Reason.DESTINATION_SPEND: (
        _SPECIAL,
        "Account {account} has spent what it may spend in an hour on destinations such as {called}.",
    ),
    Reason.DESTINATION_BARRED: (HOUSE, "Calls to {called} are barred for account {account}."),
    Reason.NO_ROUTE: (HOUSE, "We have no route to {called}."),
    Reason.ROUTE_NOT_ALLOWED: (HOUSE, "Account {account} may not use the routes to {called}."),
    Reason.PRIVACY_UNAVAILABLE: (
        Basis(Origin.PROTOCOL, "RFC 3323 §5"),
        "The call asked for a privacy that we cannot give, and marked it as critical.",
    ),
    Reason.TRUNKS_DRAINED: (
        HOUSE,
        "No trunk to {called} takes new calls just now; the call may be placed again later.",
    ),
    Reason.TRUNKS_FAILED: (HOUSE, "No trunk to {called} took the call; it may be placed again."),
    Reason.STORE_AWAY: (HOUSE, "We could not look at the account's limits just then; the call may be placed again."),
    Reason.OVERLOADED: (HOUSE, "We had more to do than we can; the call may be placed again."),
    Reason.DRAINING: (HOUSE, "This node was being stopped; the call may be placed again, at another one."),
    Reason.DUPLICATE: (_rfc("8.2.2.2"), "The same call came twice, by two ways; the first one counts."),
    Reason.METHOD_NOT_ALLOWED: (_rfc("8.2.1"), "We take calls and OPTIONS, no other requests."),
    Reason.METHOD_FORBIDDEN: (HOUSE, "We take calls and OPTIONS, no other requests."),
    Reason.BAD_REQUEST: (_rfc("8.2"), "The message breaks the rules of SIP and could not be read."),
    Reason.TOO_MANY_HOPS: (
        _rfc("16.3"),
        "The call had passed too many proxies: it goes round, or Max-Forwards is low.",
    ),
    Reason.LOOP: (_rfc("16.3"), "The call came back to us: it goes round."),
    Reason.SESSION_INTERVAL: (
        Basis(Origin.PROTOCOL, "RFC 4028 §8.1"),
        "The call asks to be refreshed more often than we allow.",
    ),
    Reason.BAD_EXTENSION: (_rfc("16.3"), "The call asks for a SIP extension that we do not have."),
    Reason.UNSUPPORTED_SCHEME: (_rfc("16.3"), "The called address is neither sip: nor tel:."),
    Reason.IDENTITY_MISSING: (_SIGNED, "The call carries no Identity header, and unsigned calls are cut."),
    Reason.IDENTITY_STALE: (_SIGNED, "The date of the call's Identity header is too old."),
    Reason.IDENTITY_INFO: (_SIGNED, "The certificate that the call's Identity header points to cannot be fetched."),
    Reason.IDENTITY_CREDENTIAL: (_SIGNED, "The certificate of the call's Identity header is not accepted."),
    Reason.IDENTITY_INVALID: (_SIGNED, "The signature in the call's Identity header does not fit the call."),
}

BASIS: Final[Mapping[Reason, Basis]] = {reason: basis for reason, (basis, _) in _TOLD.items()}
WORDS: Final[Mapping[Reason, str]] = {reason: words for reason, (_, words) in _TOLD.items()}


def told(
    reason: Reason,
    *,
    account: str = "",
    source: str = "",
    cli: str = "",
    called: str = "",
    ceiling: int | str = "",
    days: int = 0,
) -> str:
    """The sentence for the customer; what is not known is told as such."""
    known = {
        "account": account or "(unknown)",
        "source": source or "(unknown)",
        "cli": cli or "(none)",
        "called": called or "(none)",
        "days": str(days) if days else "the",
        "ceiling": str(ceiling) if ceiling != "" else "only so many",
    }
    return WORDS[reason].format_map(known)
