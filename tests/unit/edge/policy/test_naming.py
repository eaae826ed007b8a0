"""edge.policy.naming"""

from edge.config.plan import CACHE_LIMIT, NUMBER, WITHHELD
from edge.config.rulesets import built_in_ruleset, plan_of
from edge.policy.naming import name_in

FRANCE = plan_of(built_in_ruleset("fr-arcep"))


def test_what_a_uri_says() -> None:
    """User part, number, host, service; by the short road and by the long one."""
    usual = name_in(b"sip:0199001234@192.0.2.1:5060;user=phone", FRANCE)
    assert (usual.user, usual.original, usual.reading.e164, usual.service) == (
        b"0199001234", "0199001234", "+33199001234", "",
    )  # fmt: skip
    assert name_in(b"sip:0199001234@h", FRANCE).reading == usual.reading
    hidden = name_in(b"sip:anonymous@ANONYMOUS.invalid", FRANCE)
    assert (hidden.reading.state, hidden.is_anonymous_host) == (WITHHELD, True)
    assert name_in(b"urn:service:sos.fire", FRANCE).service == "sos.fire"
    assert name_in(b"sip:h", FRANCE).user == b""


def test_bare_international() -> None:
    """What the plan cannot read is E.164 without its plus, where the operator says so; kept apart from what is kept."""
    uri = b"sip:4930123456@h"
    assert name_in(uri, FRANCE, bare_international=True).reading.e164 == "+4930123456"
    assert name_in(uri, FRANCE).reading.e164 == ""
    assert name_in(b"sip:0199001234@h", FRANCE, bare_international=True).reading.state == NUMBER


def test_cache_is_bounded() -> None:
    """Those who call cannot make the edge remember without end, nor remember long URIs at all."""
    for number in range(CACHE_LIMIT + 10):
        name_in(b"sip:%d@192.0.2.1" % number, FRANCE)
    assert len(FRANCE.named) <= CACHE_LIMIT
    long = b"sip:1@" + b"h" * 200
    assert name_in(long, FRANCE).user == b"1"
    assert long not in FRANCE.named
