"""The scripts themselves, on real servers: their arithmetic is that of `limits.rates`."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import client_of

from limits.counts import FrequencyBook
from limits.frequency import Counts, Frequency
from limits.rates import MAX_PAID_S, Price, affordable_s, billed_s, cost, interval_s
from limits.script_loader import script
from limits.share import DAY_MS, PLACED, RECEIVED, count, share_of

ARITHMETIC = (
    script("admit").text.partition("-- admit: ")[0]
    + """
local price = read_price(ARGV[1])
local found = { billed_s(price, tonumber(ARGV[2])), cost(price, tonumber(ARGV[2])),
  interval_s(price, tonumber(ARGV[3]), tonumber(ARGV[4])), affordable_s(price, tonumber(ARGV[5])) }
for i = 1, #found do found[i] = string.format('%.0f', found[i]) end
return found
"""
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    connect=st.integers(0, 10**9),
    rate=st.integers(0, 10**9),
    first=st.integers(1, 3_600),
    following=st.integers(1, 3_600),
    minimum=st.integers(0, 3_600),
    duration_ms=st.integers(0, MAX_PAID_S * 1_000),
    paid_s=st.integers(0, MAX_PAID_S),
    quantum_s=st.integers(1, 3_600),
    money=st.integers(0, 10**14),
)
def test_lua_counts_as_python_does(
    server_urls, connect, rate, first, following, minimum, duration_ms, paid_s, quantum_s, money
):
    """To the micro-unit, up to the largest amounts allowed."""
    price = Price(connect, rate, first, following, minimum)
    expected = [
        billed_s(price, duration_ms),
        cost(price, duration_ms),
        interval_s(price, paid_s, quantum_s),
        affordable_s(price, money),
    ]
    words = (":".join(map(str, price)), duration_ms, paid_s, quantum_s, money)
    for url in server_urls.values():
        assert [int(number) for number in client_of(url).eval(ARITHMETIC, 1, "{any}", *words)] == expected


JUDGE = (
    script("admit").text.partition("-- admit: ")[0]
    + """
local one = { name = 'n', key = 'k', most = tonumber(ARGV[1]), window = tonumber(ARGV[2]), counts = ARGV[3],
  item = ARGV[4], percent = 0 }
local counting, now = counting_of(KEYS[1]), tonumber(ARGV[5])
redis.call('DEL', KEYS[1] .. ':freq:n:k')
for i = 6, #ARGV, 2 do
  counting.count(one, ARGV[i], tonumber(ARGV[i + 1]))
end
local is_over, used, wait = counting.judge(one, 'u', now)
return { is_over and 1 or 0, used, wait }
"""
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    most=st.integers(0, 4),
    window_ms=st.integers(1, 12),
    counts=st.sampled_from(Counts),
    steps=st.lists(st.tuples(st.sampled_from("abcdeu"), st.integers(0, 6)), max_size=9),
    later=st.integers(0, 12),
)
def test_lua_judges_a_window_as_python_does(server_urls, most, window_ms, counts, steps, later):
    """To the millisecond, at both ends of the window; with what is kept and no more."""
    one = Frequency("n", "k", most, window_ms, counts, "a")
    book, now, words = FrequencyBook(), 1_000, []
    for member, wait in steps:
        now += wait
        book.count(one._replace(item=member), member, now)
        words += [member, str(now)]
    is_over, used, wait_ms = book.judge(one, "u", now + later)
    asked = [str(most), str(window_ms), counts.value, "a", str(now + later), *words]
    for url in server_urls.values():
        found = client_of(url).eval(JUDGE, 1, "{acct:window}", *asked)
        assert [int(number) for number in found] == [int(is_over), used, wait_ms]


SHARE = (
    script("admit").text.partition("-- admit: ")[0]
    + """
local account, window, percent = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local counting = counting_of(account)
redis.call('DEL', account .. ':share')
for i = 4, #ARGV, 2 do
  counting.count_day(ARGV[i], tonumber(ARGV[i + 1]))
end
local one = { window = window, percent = percent }
return { counting.has_share(one, tonumber(ARGV[3])) and 1 or 0, redis.call('HGETALL', account .. ':share') }
"""
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    window_ms=st.one_of(st.integers(1, 5).map(lambda days: days * DAY_MS), st.integers(1, 5 * DAY_MS)),
    percent=st.integers(1, 300),
    steps=st.lists(
        st.tuples(st.sampled_from([PLACED, RECEIVED]), st.one_of(st.integers(0, 3 * DAY_MS), st.just(402 * DAY_MS))),
        max_size=20,
    ),
    later=st.integers(0, 3 * DAY_MS),
)
def test_lua_weighs_placed_against_received_as_python_does(server_urls, window_ms, percent, steps, later):
    """Day by day, what is kept and what it allows."""
    fields, now, words = {}, 20_000 * DAY_MS, []
    for kind, wait in steps:
        now += wait
        count(fields, kind, now)
        words += [kind, str(now)]
    allowed = share_of(fields, window_ms=window_ms, now_ms=now + later).allows(percent)
    asked = [str(window_ms), str(percent), str(now + later), *words]
    for url in server_urls.values():
        found, kept = client_of(url).eval(SHARE, 1, "{acct:share}", *asked)
        flat = [str(word) for word in kept]
        assert (int(found), dict(zip(flat[::2], flat[1::2], strict=True))) == (int(allowed), fields)
