"""edge.telemetry.account_totals: all are counted, few are shown."""

from edge.proxy.facts import CallFacts
from edge.telemetry.account_totals import CHOOSE_S, MOST_COUNTED, AccountTotals


def ended(
    account: str, *, answered: bool = False, status: int = 503, attempts: int = 1, sent: bool = False
) -> CallFacts:
    facts = CallFacts("n1-1", 0.0)
    facts.account, facts.status, facts.attempts = account, status, attempts
    facts.answered_at = 1.0 if answered else None
    if sent:
        facts.candidates = [("out", 503)]
    return facts


def busy(totals: AccountTotals, **attempts: int) -> None:
    for account, count in attempts.items():
        for _ in range(count):
            totals.add(ended(account, answered=True))


def test_the_busiest_are_shown_and_those_named():
    """However many accounts there are; each once."""
    totals = AccountTotals(top=3, named=("quiet", "a9"))
    busy(totals, **{f"a{number}": number for number in range(1, 10)})
    assert totals.shown(0.0) == ("quiet", "a9", "a8", "a7")
    assert totals.attempts(0.0) == {"quiet": 0, "a9": 9, "a8": 8, "a7": 7}


def test_the_number_of_series_never_grows():
    """A thousand accounts that take turns: each scrape has as many as wanted, and the choice stays for five minutes."""
    totals = AccountTotals(top=5)
    seen = set()
    for minute in range(20):
        busy(totals, **{f"a{minute}-{number}": number for number in range(1, 50)})
        shown = totals.shown(minute * 60.0)
        assert len(shown) == 5
        seen.update(shown)
    assert len(seen) == 5 * 4


def test_the_busiest_of_lately_not_of_all_time():
    """And a counter that comes back goes on from where it was."""
    totals = AccountTotals(top=1)
    busy(totals, old=100)
    assert totals.attempts(0.0) == {"old": 100}
    busy(totals, new=10, old=1)
    assert totals.attempts(CHOOSE_S - 1) == {"old": 101}
    assert totals.attempts(CHOOSE_S) == {"new": 10}
    busy(totals, old=5)
    assert totals.attempts(2 * CHOOSE_S) == {"old": 106}


def test_none_are_shown_where_none_are_wanted():
    """Zero is zero."""
    totals = AccountTotals()
    busy(totals, acme=3)
    assert totals.shown(0.0) == ()


def test_an_edge_that_has_just_started_shows_the_first_accounts_at_once():
    """It does not wait five minutes after a scrape that found nobody."""
    totals = AccountTotals(top=1)
    assert totals.shown(0.0) == ()
    busy(totals, acme=1)
    assert totals.shown(1.0) == ("acme",)


def test_what_became_of_attempts():
    """Answered, refused by the edge, failed beyond it, given up by the caller; strangers have no account."""
    totals = AccountTotals(named=("acme", ""))
    for facts in (
        ended("acme", answered=True),
        ended("acme", attempts=4),
        ended("acme", status=487),
        ended("acme", sent=True),
        ended("", attempts=9),
    ):
        totals.add(facts)
    assert totals.attempts(0.0) == {"acme": 7, "": 0}
    assert totals.answered(0.0) == {"acme": 1, "": 0}
    assert totals.refused(0.0) == {"acme": 4, "": 0}


def test_so_many_accounts_are_counted():
    """What is counted already goes on."""
    totals = AccountTotals(named=("a", "b", "c"))
    busy(totals, a=1)
    facts = ended("")
    for number in range(MOST_COUNTED - 2):
        facts.account = f"one-of-many-{number}"
        totals.add(facts)
    busy(totals, b=1, c=1)
    busy(totals, a=1)
    assert totals.attempts(0.0) == {"a": 2, "b": 1, "c": 0}
