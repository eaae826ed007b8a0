"""edge.quality.billing: lots in force, the monthly minimum (contract articles 24.4 and 28)

November 2026 in Paris, worked out by hand. Lots of CAPS at 150 a month:
1 lot until 10 November noon, 3 lots until 20 November noon, then none.
By month: the most at once, 3 x 150 = 450. By day: the first lot was in force on 1-20 (20 days), the second and third
on 10-20 (11 days): 150 x 20/30 + 2 x 150 x 11/30 = 100 + 2 x 55 = 210.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import PARIS, at

from edge.quality.billing import Span, bill, history_of, lots_of
from edge.quality.counts import Counts
from edge.quality.guard import AUTHOR
from limits.accounts import AuditEntry

BEGIN, END = at("2026-11-01T00:00+01:00"), at("2026-12-01T00:00+01:00")
LOT = 150_000_000


def change(
    at_: str, before: object, after: object, *, generation: int = 2, by: str = "ops", until: str = ""
) -> AuditEntry:
    until_ms = at(until) * 1_000 if until else None
    return AuditEntry(at(at_) * 1_000, generation, by, "", until_ms, (("caps_lots", str(before), str(after)),))


CREATED = change("2026-01-05T09:00", "", 1, generation=1, by="policy file")
CREATED = CREATED._replace(values=(("caps_lots", "", "1"),))
STORY = [CREATED, change("2026-11-10T12:00+01:00", 1, 3), change("2026-11-20T12:00+01:00", 3, 0)]


def used(entries, current="0", by="month"):
    history = history_of("caps_lots", current, entries, BEGIN, END)
    return lots_of(history, PARIS, price_micros=LOT, by=by, days_in_month=30), history.is_complete


def test_the_lots_of_november():
    """Both ways of the table."""
    by_month, is_complete = used(STORY)
    by_day, _ = used(STORY, by="day")
    assert is_complete
    assert (by_month.most, by_month.days, by_month.amount_micros) == (3, (20, 11, 11), 450_000_000)
    assert by_day.amount_micros == 210_000_000
    assert by_month.spans == (
        Span(BEGIN, at("2026-11-10T12:00+01:00"), "1"),
        Span(at("2026-11-10T12:00+01:00"), at("2026-11-20T12:00+01:00"), "3"),
    )


def test_a_lot_that_returned_by_itself_ended_when_it_was_due():
    """The entry of the return is made when somebody next asks, which may be days later."""
    story = [
        CREATED,
        change("2026-11-10T12:00+01:00", 1, 2, until="2026-11-10T14:00+01:00"),
        change("2026-11-13T08:00+01:00", 2, 1, by="until"),
    ]
    found, _ = used(story, "1")
    assert found.spans[1] == Span(at("2026-11-10T12:00+01:00"), at("2026-11-10T14:00+01:00"), "2")
    assert found.days == (30, 1)


def test_what_the_guard_withholds_stays_sold():
    """It throttled for ten minutes; the lot is billed all month."""
    story = [
        CREATED,
        change("2026-11-10T12:00+01:00", 1, 0, by=AUTHOR, until="2026-11-10T12:10+01:00"),
        change("2026-11-10T12:10+01:00", 0, 1, by="until"),
    ]
    found, _ = used(story, "1")
    assert (found.most, found.days) == (1, (30,))


GUARDED = change("2026-11-10T12:00+01:00", 3, 0, generation=900, by=AUTHOR, until="2026-11-10T12:10+01:00")


@pytest.mark.parametrize(
    ("story", "current", "days"),
    [
        # it withholds them just now, and nothing else was ever changed
        ([CREATED, change("2026-11-30T23:55+01:00", 1, 0, by=AUTHOR, until="2026-12-01T00:05+01:00")], "0", (30,)),
        # the account's beginning is no longer kept
        ([GUARDED], "0", (30, 30, 30)),
        ([GUARDED, change("2026-11-10T12:10+01:00", 0, 3, generation=901, by="until")], "3", (30, 30, 30)),
        # made longer
        (
            [
                GUARDED,
                change("2026-11-10T12:05+01:00", 0, 0, by=AUTHOR, until="2026-11-10T13:00+01:00"),
                change("2026-11-10T13:00+01:00", 0, 3, by="until"),
            ],
            "3",
            (30, 30, 30),
        ),
        # somebody sells one more meanwhile
        ([GUARDED, change("2026-11-10T12:05+01:00", 0, 4, generation=901)], "4", (30, 30, 30, 21)),
        # somebody gives up two meanwhile
        ([GUARDED, change("2026-11-10T12:05+01:00", 0, 1, generation=901)], "1", (30, 10, 10)),
    ],
)
def test_what_the_guard_withholds_stays_sold_whenever_one_looks(story, current, days):
    """Also while it does, and where that is the oldest entry there is."""
    assert used(story, current)[0].days == days


def test_an_account_that_was_born_in_the_month_has_no_lots_before():
    """Created on 16 November with one lot: 15 days."""
    born = change("2026-11-16T09:00+01:00", "", 1, generation=1)
    assert used([born], "1")[0].days == (15,)


def test_a_history_that_was_cut_says_so():
    """Its oldest entry is of this month and not the first one."""
    cut = [change("2026-11-10T12:00+01:00", 1, 3, generation=900)]
    found, is_complete = used(cut, "3")
    assert not is_complete
    assert found.days == (30, 21, 21)


def test_nothing_ever_changed():
    """What is in force was in force all month."""
    other = CREATED._replace(values=(("calls_base", "", "10"),))
    found, is_complete = used([other], "2")
    assert (found.most, found.days, is_complete) == (2, (30, 30), True)


@given(
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 23), st.integers(0, 4)), max_size=12),
)
def test_days_are_those_of_a_naive_count(changes):
    """Hour by hour: a day counts for a lot where any hour of it had the lot."""
    changes = sorted({(day, hour): lots for day, hour, lots in changes}.items())
    story, before = [CREATED], 1
    for (day, hour), lots in changes:
        when = BEGIN + day * 86_400 + hour * 3_600
        story.append(AuditEntry(when * 1_000, 2, "ops", "", None, (("caps_lots", str(before), str(lots)),)))
        before = lots
    found, _ = used(story, str(before))
    value_at = {}
    lots = 1
    for hour in range(30 * 24):
        lots = dict(changes).get((hour // 24, hour % 24), lots)
        value_at[hour] = lots
    most = max(value_at.values())
    naive = tuple(len({hour // 24 for hour, value in value_at.items() if value >= lot}) for lot in range(1, most + 1))
    assert (found.most, found.days) == (most, naive)


@pytest.mark.parametrize(
    ("consumption", "caps_lots", "minimum", "due"),
    [
        (0, 0, 200, 200),
        (150, 0, 200, 50),
        (200, 0, 200, 0),
        (60, 1, 200, 0),  # 60 + 150 for the lot
        (30, 1, 200, 20),
        (0, 0, 0, 0),  # closed all month
    ],
)
def test_contract_24_4_what_is_missing_to_the_minimum(consumption, caps_lots, minimum, due):
    """Article 24.4: 200 a month; calls and lots count towards it."""
    born = change("2026-01-05T09:00", "", caps_lots, generation=1)
    caps, _ = used([born], str(caps_lots))
    none, _ = used([born._replace(values=(("caps_lots", "", "0"),))], "0")
    found = bill(
        "acme",
        "2026-11",
        currency="EUR",
        counts=Counts.of(cost_micros=consumption * 1_000_000),
        caps=caps,
        calls=none,
        penalties_micros=9,
        minimum_micros=minimum * 1_000_000,
        is_complete=True,
    )
    assert found.minimum_due_micros == due * 1_000_000
    assert (found.caps_lots_micros, found.penalties_micros) == (caps_lots * LOT, 9)
