"""`admit` in memory: status, duplicate, CAPS, contact, frequencies, calls, prefix, spending caps, guard, rate, credit,
in this order. Pure.

The specification of scripts/admit.lua.
"""

from limits import rate, rates, share
from limits.account import Account, AccountStatus, Credit
from limits.books import HOUR_MS, Book, Bucket, Guarded, HeldCall
from limits.frequency import COUNT, SHADOW, Contacted, Counts
from limits.model import Admit, Admitted, Denied, InForce, Limit
from limits.rates import Price


def admit(book: Book, verb: Admit, now: int) -> Admitted | Denied:
    """May this attempt pass? Takes all it needs or nothing."""
    book.revert(now)
    outcome = _judge(book, verb, now)
    if isinstance(outcome, Admitted):
        return outcome
    account = book.account
    in_force = InForce(account.generation, account.caps, account.calls, account.caps_lots, account.call_lots)
    return outcome._replace(in_force=in_force)


def _judge(book: Book, verb: Admit, now: int) -> Admitted | Denied:
    account = book.account
    uid = verb.uid
    if account.status is not AccountStatus.ACTIVE:
        closed = account.status is AccountStatus.CLOSED
        return Denied(Limit.CLOSED if closed else Limit.SUSPENDED, 0, 0, 0)
    book.sweep(now)

    # The same attempt again: the same answer, nothing more taken (R6).
    if book.tombstone(uid, now) is not None:
        return Denied(Limit.DUPLICATE, 0, 0, 0)
    tokens = book.bucket.content(now, caps=account.caps, burst=account.burst)
    held = book.leases.get(uid)
    if held is not None and held > now:
        if book.calls[uid].node != verb.node:
            return Denied(Limit.DUPLICATE, 0, 0, 0)
        return _admitted(book, uid, now, tokens, ())

    shadowed: list[str] = []
    verdict = _caps(account, tokens, shadowed)
    if verdict is None:
        # From here on a refusal spends the token: it was an attempt all the same (R6).
        tokens = book.bucket.take(tokens, now)
        verdict = _whom(book, verb, now, shadowed) or _how_often(book, verb, now, shadowed)
    if verdict is None:
        verdict = _calls(book, verb, now, shadowed)
    prefix = ""
    if verdict is None:
        prefix, verdict = _prefix(book, verb, now, shadowed)
    paid_s = 0
    if verdict is None and verb.price is not None:
        paid_s, verdict = _money(book, verb, verb.price, now, shadowed)
    for name in shadowed:
        book.counters[f"shadow_{name.partition(':')[0]}"] += 1
    if verdict is not None:
        return verdict

    if held is not None:
        # Its own lease ran out and the bounded sweep has not come to it: that one expired, this is a new one.
        book.expire(uid, now)
    book.forget(uid)
    call = book.calls[uid] = HeldCall(now, verb.node, verb.price, prefix, verb.member)
    if verb.price is not None:
        if verb.guard is not None:
            call.guard = verb.guard.name
        book.hold(call, paid_s)
    for one in verb.frequencies:
        if one.counts != Counts.MARKS:
            book.frequencies.count(one, uid, now)
            if one.unless_percent:
                share.count(book.shares, share.PLACED, now)
    if verb.record:
        book.records[uid] = verb.record
    book.counters["calls_admitted"] += 1
    book.leases[uid] = now + verb.lease_ms
    book.last_call_ms = now
    return _admitted(book, uid, now, tokens, tuple(shadowed))


def _admitted(book: Book, uid: str, now: int, tokens: int, shadowed: tuple[str, ...]) -> Admitted:
    account, call = book.account, book.calls[uid]
    return Admitted(
        book.leases[uid],
        book.in_use(now),
        account.generation,
        account.calls,
        account.caps,
        account.burst,
        tokens,
        call.paid_s,
        call.held,
        account.group,
        account.calls_reserved,
        shadowed,
        account.caps_lots,
        account.call_lots,
    )


def _is_enforced(account: Account, limit: Limit, shadowed: list[str], name: str = "", mode: str = "") -> bool:
    """Would this limit refuse for real? A shadowed one is only noted. `name`, `mode`: of what has a name of its own."""
    if mode == SHADOW or limit.value in account.shadow:
        shadowed.append(f"{limit}:{name}" if name else limit.value)
        return False
    return True


def _whom(book: Book, verb: Admit, now: int, shadowed: list[str]) -> Denied | None:
    """May this person be called?"""
    asked = verb.contact
    if asked is None:
        return None
    why = book.contacts.get(asked.key, Contacted()).verdict(asked, now)
    if not why or not _is_enforced(book.account, Limit.CONTACT, shadowed, why, asked.mode):
        return None
    return Denied(Limit.CONTACT, 0, 0, 0, name=why)


def _how_often(book: Book, verb: Admit, now: int, shadowed: list[str]) -> Denied | None:
    """Is one more of these too many?"""
    for one in verb.frequencies:
        if one.mode == COUNT:
            continue
        is_over, used, wait_ms = book.frequencies.judge(one, verb.uid, now)
        if is_over and one.unless_percent:
            found = share.share_of(book.shares, window_ms=one.window_ms, now_ms=now)
            is_over = not found.allows(one.unless_percent)
        if is_over and _is_enforced(book.account, Limit.FREQUENCY, shadowed, one.name, one.mode):
            return Denied(Limit.FREQUENCY, one.most, used, wait_ms, name=one.name)
    return None


def _caps(account: Account, tokens: int, shadowed: list[str]) -> Denied | None:
    """CAPS: refused here, the attempt spends nothing."""
    if tokens >= rate.MICRO or not _is_enforced(account, Limit.CAPS, shadowed):
        return None
    if account.caps == 0:
        return Denied(Limit.CAPS, 0, 0, 0)
    return Denied(Limit.CAPS, account.caps, account.burst, rate.wait_ms(tokens, caps=account.caps))


def _calls(book: Book, verb: Admit, now: int, shadowed: list[str]) -> Denied | None:
    """Concurrent calls. In a group, what others have reserved and do not use is not free."""
    ceiling, in_use = book.account.calls, book.in_use(now)
    is_free = in_use < ceiling
    if verb.member:
        book.reserved[verb.member] = verb.reserved
        if is_free and book.in_use_of(now, member=verb.member) >= verb.reserved:
            kept = sum(
                max(0, theirs - book.in_use_of(now, member=other))
                for other, theirs in book.reserved.items()
                if other != verb.member
            )
            is_free = in_use + kept < ceiling
    if is_free or not _is_enforced(book.account, Limit.CALLS, shadowed):
        return None
    return Denied(Limit.CALLS, ceiling, in_use, 0)


def _prefix(book: Book, verb: Admit, now: int, shadowed: list[str]) -> tuple[str, Denied | None]:
    """The ceilings of the longest prefix that has any; the prefix under which the call counts."""
    matching = [found for found in book.account.prefix_ceilings if verb.called.startswith(found.prefix)]
    if not matching:
        return "", None
    prefix, calls, caps = max(matching, key=lambda found: len(found.prefix))
    if caps is not None:
        bucket = book.prefix_buckets.setdefault(prefix, Bucket())
        tokens = bucket.content(now, caps=caps, burst=caps)
        if tokens < rate.MICRO and _is_enforced(book.account, Limit.PREFIX_CAPS, shadowed):
            return "", Denied(Limit.PREFIX_CAPS, caps, caps, rate.wait_ms(tokens, caps=caps))
        bucket.take(tokens, now)
    if calls is None:
        return "", None
    in_use = book.in_use_of(now, prefix=prefix)
    if in_use >= calls and _is_enforced(book.account, Limit.PREFIX_CALLS, shadowed):
        return "", Denied(Limit.PREFIX_CALLS, calls, in_use, 0)
    return prefix, None


def _money(book: Book, verb: Admit, price: Price, now: int, shadowed: list[str]) -> tuple[int, Denied | None]:
    """Spending caps, dearest rate, credit; then the talk to hold: an interval, or what is there."""
    account = book.account
    least = rates.cost(price, 0)
    spent = book.spent(now)
    windows = (
        (Limit.SPEND_HOUR, account.spend_cap_hour_micros, spent[0], 3_600_000),
        (Limit.SPEND_DAY, account.spend_cap_day_micros, spent[1], 86_400_000),
    )
    for limit, cap, so_far, window_ms in windows:
        used = so_far + book.held
        if cap is not None and used + least > cap and _is_enforced(account, limit, shadowed):
            return 0, Denied(limit, cap, used, window_ms - now % window_ms)
    guard, asked = None, verb.guard
    if asked is not None:
        guard = book.guards.get(asked.name) or Guarded()
        guard = guard.asked(None if asked.mode == SHADOW else asked.most_micros)
        used = guard.spent(now) + guard.held
        is_over = used + least > asked.most_micros
        if is_over and _is_enforced(account, Limit.GUARD, shadowed, asked.name, asked.mode):
            return 0, Denied(Limit.GUARD, asked.most_micros, used, HOUR_MS - now % HOUR_MS, name=asked.name)
    dearest = account.max_rate_micros
    if dearest is not None and price.rate_micros > dearest and _is_enforced(account, Limit.MAX_RATE, shadowed):
        return 0, Denied(Limit.MAX_RATE, dearest, price.rate_micros, 0)
    available = book.balance - account.floor_micros - book.held
    if account.credit is not Credit.NONE and least > available and _is_enforced(account, Limit.CREDIT, shadowed):
        return 0, Denied(Limit.CREDIT, max(0, available), least, 0)
    left, _ = book.room(now, guard)
    paid_s = rates.interval_s(price, 0, verb.quantum_s)
    if rates.cost(price, paid_s * 1_000) > left:
        paid_s = rates.affordable_s(price, left)
    if asked is not None and guard is not None:
        book.guards[asked.name] = guard
    return paid_s, None
