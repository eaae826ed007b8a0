"""edge.policy.numbers"""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config.parsing import parse_policy
from edge.config.rulesets import parse_ruleset
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify
from edge.policy.numbers import diverting_numbers, hides_identity, is_emergency_call, read_numbers, read_uri
from edge.policy.verdicts import Reason, Refuse


@pytest.mark.parametrize(
    ("called", "expected", "emergency"),
    [
        ("sip:+33261910000@h", "+33261910000", False),
        ("sip:0261910000@h;user=phone", "+33261910000", False),
        ("sip:0261910000;npdi@h", "+33261910000", False),
        ("sip:0261910000;phone-context=+33@h;user=phone", "+33261910000", False),
        ("tel:+33-2-61-91-00-00", "+33261910000", False),
        ("tel:0261910000;phone-context=+33", "+33261910000", False),
        ("sip:3000@h", "3000", False),
        ("sip:alice@h", "alice", False),
        ("sip:+3310200261910000@h", "+3310200261910000", False),
        ("sip:15@h", "15", True),
        ("sip:112@h", "112", True),
        ("sip:%3112@h", "112", True),
        ("sip:112;phone-context=+33@h", "112", True),
        ("tel:116000;phone-context=+33", "116000", True),
        ("sip:+33112@h", "+33112", True),
        ("sip:0033112@h", "0033112", True),
        ("sip:+112@h", "+112", True),
        ("sip:00112@h", "00112", True),
        ("tel:+15", "+15", True),
        ("sip:+1120@h", "+1120", False),
        ("sip:0112@h", "0112", True),
        ("sip:015@h", "015", True),
        ("sip:112%23@h", "112#", True),
        ("sip:0112%23@h", "0112#", True),
        ("sip:33112@h", "33112", False),
        ("sip:3315@h", "3315", False),
        ("sip:03315@h", "03315", False),
        ("sip:0315@h", "0315", False),
        ("sip:1122@h", "1122", False),
        ("sip:+33199009112@h", "+33199009112", False),
    ],
)
def test_called(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], called: str, expected: str, emergency: bool
) -> None:
    """E.164, else what was dialled; an emergency number is one however it is dressed."""
    attempt = attempt_of(called=called)
    assert read_numbers(attempt, snapshot) is None
    assert (expected, emergency) == (attempt.called, attempt.emergency)
    assert emergency == is_emergency_call(attempt, snapshot)


@pytest.mark.parametrize("called", ["sip:198.51.100.254", "sip:()@h", "sip:%20@h"])
def test_no_called_number(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], called: str) -> None:
    """Without a user part there is nobody to call."""
    assert Refuse(Reason.CALLED_INVALID) == read_numbers(attempt_of(called=called), snapshot)


def test_emergency_prefix(snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]) -> None:
    """The long numbers behind which centres sit count as well, by the operator's list."""
    snapshot = snapshot_with('[numbers]\nemergency_prefixes = ["+33199009112"]')
    attempt = attempt_of(called="sip:0199009112@h")
    assert read_numbers(attempt, snapshot) is None
    assert attempt.emergency


@pytest.mark.parametrize(
    ("cli", "pai", "presented", "network"),
    [
        ("sip:+33199001234@h", [], "+33199001234", ""),
        ("sip:+33199001234@h", ["<sip:+33353010000@h>"], "+33199001234", "+33353010000"),
        ("sip:anonymous@anonymous.invalid", ["<sip:+33353010000@h>"], "+33353010000", "+33353010000"),
        ("sip:unavailable@h", ["<tel:+33-3-53-01-00-00>"], "+33353010000", "+33353010000"),
        ("sip:alice@h", ['"A" <sip:0353010000@h>, <tel:+33465710000>'], "+33353010000", "+33353010000"),
        ("sip:alice@h", ["<sip:bob@h>", "<tel:+33465710000>"], "+33465710000", "+33465710000"),
        ("sip:alice@h", ["<sip:bob@h>"], "", ""),
        ("sip:alice@h", ["not an address"], "", ""),
        ("sip:h", ["tel:+33465710000"], "+33465710000", "+33465710000"),
    ],
)
def test_cli_of_a_trusted_trunk(
    snapshot: PolicySnapshot,
    attempt_of: Callable[..., CallAttempt],
    cli: str,
    pai: list[str],
    presented: str,
    network: str,
) -> None:
    """From is presented, else P-Asserted-Identity; the network number is the first asserted that is a number."""
    headers = [f"P-Asserted-Identity: {value}" for value in pai]
    attempt = attempt_of(source="198.51.100.1", cli=cli, headers=headers)
    assert identify(attempt, snapshot) is None
    assert read_numbers(attempt, snapshot) is None
    assert (presented, network) == (attempt.cli_presented, attempt.cli_network)


def test_cli_of_an_untrusted_trunk(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """What an untrusted trunk asserts is read for the rules and believed by nobody (RFC 3325 §5)."""
    attempt = attempt_of(cli="sip:anonymous@anonymous.invalid", headers=["P-Asserted-Identity: <tel:+33353010000>"])
    assert identify(attempt, snapshot) is None
    assert read_numbers(attempt, snapshot) is None
    assert (attempt.cli_presented, attempt.cli_network) == ("", "")
    assert [reading.e164 for reading in attempt.network] == ["+33353010000"]


def test_too_many_asserted_identities(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """A list beyond every limit is refused, not skipped: the number to find could be its last."""
    many = ", ".join(["<tel:+15550100>"] * 200)
    attempt = attempt_of(headers=[f"P-Asserted-Identity: {many}"])
    assert Refuse(Reason.CLI_INVALID) == read_numbers(attempt, snapshot)


@pytest.mark.parametrize(
    ("privacy", "expected"),
    [
        (b"id", True),
        (b"ID", True),
        (b"header;user", True),
        (b"critical; id", True),
        (b"user , critical", True),
        (b"none", False),
        (b"session", False),
        (b"history", False),
        (b"identity", False),
        (b"", False),
    ],
)
def test_privacy(privacy: bytes, expected: bool) -> None:
    """`id`, `user` and `header` hide the caller (RFC 3323 §4.2, RFC 3325 §9.3)."""
    assert expected == hides_identity(privacy)


@pytest.mark.parametrize(
    ("cli", "headers", "expected"),
    [
        ("sip:+33199001234@h", [], False),
        ("sip:+33199001234@h", ["Privacy: none"], False),
        ("sip:+33199001234@h", ["Privacy: id"], True),
        ("sip:anonymous@anonymous.invalid", [], True),
        ("sip:+33199001234@Anonymous.Invalid", [], True),
        ("sip:anonymous@h", [], True),
        ("sip:unavailable@h", [], False),
    ],
)
def test_withheld(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], cli: str, headers: list[str], expected: bool
) -> None:
    """Withheld by the address or by Privacy; a number that is merely not known is not withheld."""
    attempt = attempt_of(cli=cli, headers=headers)
    assert read_numbers(attempt, snapshot) is None
    assert expected == attempt.withheld


def test_originals_are_kept(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """The record has the user parts as they came."""
    attempt = attempt_of(cli="sip:%2B33199001234;x=y@h", called="sip:02-61-91-00-00@h")
    assert read_numbers(attempt, snapshot) is None
    assert (attempt.cli_original, attempt.called_original) == ("%2B33199001234;x=y", "02-61-91-00-00")


def test_numbers_off(snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]) -> None:
    """With `normalise = false` numbers pass as they came; an emergency number is still one."""
    snapshot = snapshot_with("[numbers]\nnormalise = false")
    attempt = attempt_of(cli="sip:acc0001@h", called="sip:0261910000@h")
    assert read_numbers(attempt, snapshot) is None
    assert (attempt.called, attempt.cli_presented, attempt.sender) == ("0261910000", "acc0001", None)
    emergency = attempt_of(called="sip:112@h")
    assert read_numbers(emergency, snapshot) is None
    assert emergency.emergency
    assert is_emergency_call(emergency, snapshot)


def test_bare_international(
    snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]
) -> None:
    """Digits without a plus are E.164 where the operator says so."""
    attempt = attempt_of(cli="sip:12125550100@h", called="sip:4930123456@h")
    assert read_numbers(attempt, snapshot_with("[numbers]\nbare_international = true")) is None
    assert (attempt.called, attempt.cli_presented) == ("+4930123456", "+12125550100")


@pytest.mark.parametrize("cli", ["urn:service:sos", "mailto:a@h"])
def test_other_schemes(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], cli: str) -> None:
    """A From that is neither sip nor tel presents no number."""
    attempt = attempt_of(cli=cli)
    assert read_numbers(attempt, snapshot) is None
    assert attempt.cli_presented == ""


@pytest.mark.parametrize(
    ("source", "called", "expected"),
    [
        ("198.51.100.1", "sip:+3310200261910000@h", "+33261910000"),
        ("198.51.100.1", "tel:+33-10200-2-61-91-00-00", "+33261910000"),
        ("192.0.2.1", "sip:+3310200261910000@h", "+3310200261910000"),
        ("198.51.100.1", "sip:+4410200261910000@h", "+4410200261910000"),
        ("198.51.100.1", "sip:+3310200061910000@h", "+3310200061910000"),
    ],
)
def test_portability_prefix(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], source: str, called: str, expected: str
) -> None:
    """+33, five digits of the serving network, nine of the number: read so from a trusted neighbour only."""
    attempt = attempt_of(source=source, called=called)
    assert identify(attempt, snapshot) is None
    assert read_numbers(attempt, snapshot) is None
    assert expected == attempt.called


@pytest.mark.parametrize(
    ("value", "network", "withheld"),
    [
        ("<sip:0353010000@h>", "+33353010000", False),
        ('"A" <sip:+33353010000@h;user=phone>;party=calling;screen=yes;privacy=off', "+33353010000", False),
        ("<tel:+33-3-53-01-00-00>;privacy=full", "+33353010000", True),
        ("<sip:0353010000@h>;privacy=uri;screen=no", "+33353010000", True),
        ("<sip:0353010000@h>;privacy=name", "+33353010000", False),
        ("<sip:0353010000@h>;party=called;privacy=full", "", False),
        ("nonsense", "", False),
    ],
)
def test_remote_party_id(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], value: str, network: str, withheld: bool
) -> None:
    """Older equipment says in Remote-Party-ID what others do in P-Asserted-Identity and Privacy."""
    attempt = attempt_of(source="198.51.100.1", cli="sip:unavailable@h", headers=[f"Remote-Party-ID: {value}"])
    assert identify(attempt, snapshot) is None
    assert read_numbers(attempt, snapshot) is None
    assert (attempt.cli_network, attempt.withheld) == (network, withheld)


@pytest.mark.parametrize(
    "uri",
    [
        b"sip:+33199001234@h;user=phone",
        b"sips:0199001234@h",
        b"tel:+33-1-99-00-12-34",
        b"tel:0199001234;phone-context=+33",
        b"sip:0033199001234;tgrp=a;trunk-context=b@h",
        b"sip:+33%281%2999001234@h".replace(b"%281%29", b"1"),
    ],
)
def test_any_header_is_read_alike(snapshot: PolicySnapshot, uri: bytes) -> None:
    """To, Diversion, History-Info: a URI is a URI."""
    assert read_uri(uri, snapshot.plan).e164 == "+33199001234"


def test_diverting_numbers(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """Every Diversion, and each History-Info but the last; bounded, and what cannot be read is left out."""
    many = ", ".join(f"<sip:+3319900{number:04d}@h>" for number in range(60))
    headers = [
        "Diversion: <sip:+33353010000@h>;counter=1",
        f"Diversion: {many}",
        "History-Info: <sip:0353010001@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:0353010002@h>;index=1.1",
    ]
    found = diverting_numbers(attempt_of(headers=headers).request, snapshot.plan)
    assert [reading.e164 for reading in found[:2]] == ["+33353010000", "+33199000000"]
    assert (len(found), found[-1].e164) == (21, "+33353010001")
    assert diverting_numbers(attempt_of().request, snapshot.plan) == []


@pytest.mark.parametrize(
    ("display", "judged"),
    [
        ('"0199001234" ', ["+33199001234"]),
        ("0199001234 ", ["+33199001234"]),
        ('"call 01 99 00 12 34 now" ', [""]),
        ('"+44 20 7946 0000" ', []),
        ('"Line 7" ', []),
        ('"Anonymous" ', []),
        ('"02 61 91 00 00" ', []),
        ('"\uff10\uff11\uff19\uff19\uff10\uff10\uff11\uff12\uff13\uff14" ', ["+33199001234"]),
        ('"Soci\u00e9t\u00e9" ', []),
        ("", []),
    ],
)
def test_a_display_name_that_is_a_number(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], display: str, judged: list[str]
) -> None:
    """A telephone shows it instead of the number: one of the plan is judged like an asserted one; what From says
    anyway, a name, another country's number are not."""
    attempt = attempt_of(cli="sip:+33261910000@h")
    attempt.request.replace(b"from", f"{display}<sip:+33261910000@h>;tag=1".encode())
    assert read_numbers(attempt, snapshot) is None
    assert [reading.e164 for reading in attempt.network] == judged


@pytest.mark.parametrize(
    ("user", "e164"), [("tel:+33199001234", "+33199001234"), ("+33261910000:0199001234", "+33261910000"), ("x:y", "")]
)
def test_a_number_in_the_place_of_a_password(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], user: str, e164: str
) -> None:
    """RFC 3261 §19.1.1: what follows the colon is a password; where nothing before it is a number, it is read too."""
    attempt = attempt_of(cli=f"sip:{user}@h")
    assert read_numbers(attempt, snapshot) is None
    assert attempt.cli_presented == e164


def test_a_preferred_identity_is_judged(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """RFC 3325 §9.2: a neighbour further on may make an assertion of it."""
    attempt = attempt_of(headers=["P-Preferred-Identity: <sip:0199001234@h>"])
    assert read_numbers(attempt, snapshot) is None
    assert [reading.e164 for reading in attempt.network] == ["+33199001234"]
    assert attempt.cli_network == ""


@pytest.mark.parametrize("header", ["P-Asserted-Identity", "Remote-Party-ID"])
def test_a_number_in_the_display_name_of_an_asserted_identity(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], header: str
) -> None:
    """Some telephones show it: it is judged, and is nobody's assertion."""
    value = f'{header}: "01 99 00 12 34" <sip:alice@h>'
    attempt = attempt_of(source="198.51.100.1", cli="sip:+442079460000@h", headers=[value])
    assert identify(attempt, snapshot) is None
    assert read_numbers(attempt, snapshot) is None
    assert [reading.e164 for reading in attempt.network] == ["", "+33199001234"]
    assert (attempt.cli_network, attempt.cli_presented) == ("", "+442079460000")


SERVICES = [
    ("urn:service:sos", "112"),
    ("URN:SERVICE:SOS", "112"),
    ("urn:service:sos.ambulance", "15"),
    ("urn:service:sos.police", "17"),
    ("urn:service:sos.police.river", "17"),
    ("urn:service:sos.fire", "18"),
    ("urn:service:sos.marine", "196"),
    ("urn:service:sos.poison", "112"),
]


@pytest.mark.parametrize(("uri", "number"), SERVICES)
@pytest.mark.parametrize("more", ["", "[numbers]\nnormalise = false\n", '[numbers]\nemergency = ["15"]\n'])
def test_help_in_words(
    snapshot_with: Callable[..., PolicySnapshot],
    attempt_of: Callable[..., CallAttempt],
    uri: str,
    number: str,
    more: str,
) -> None:
    """RFC 5031: every service below `sos` is an emergency, and becomes the number of the nearest one that has one."""
    snapshot = snapshot_with(more)
    attempt = attempt_of(called=uri)
    assert is_emergency_call(attempt, snapshot)
    assert read_numbers(attempt, snapshot) is None
    assert (attempt.emergency, attempt.called, attempt.called_original) == (True, number, uri)


def test_help_in_words_where_no_number_is_known(attempt_of: Callable[..., CallAttempt]) -> None:
    """A ruleset without services: an emergency call all the same, to what was asked for."""
    nowhere = parse_ruleset((Path(__file__).parents[3] / "config" / "rulesets" / "nowhere.toml").read_text())
    snapshot = PolicySnapshot(parse_policy('[numbers]\nruleset = "nowhere.toml"\n'), ruleset=nowhere)
    attempt = attempt_of(called="urn:service:sos.fire")
    assert read_numbers(attempt, snapshot) is None
    assert (attempt.emergency, attempt.called) == (True, "urn:service:sos.fire")


@pytest.mark.parametrize("uri", ["urn:service:counseling", "urn:service:sosx", "mailto:112@h"])
def test_other_words_are_no_emergency(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], uri: str
) -> None:
    """What is not below `sos` gets no privilege."""
    assert not is_emergency_call(attempt_of(called=uri), snapshot)
