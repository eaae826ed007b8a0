"""Calls over one core in any interleaving of callers, callees, store, name look-ups, loss, copies and time.

The invariants are those of the architecture: a lease is settled once or left to expire, a call that has ended holds
nothing, one record per attempt, one failure or successes only per INVITE, live calls are leases, all stores return to
zero.
"""

import json
import sys
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

from depth import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from jsonschema import Draft202012Validator

# The network of the unit tests: a file beside them, no package (importlib mode).
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "edge" / "proxy"))

from network import CALLER, NOTHING, POLICY, SBC, TRUNK_A, TRUNK_B, Callee, Caller, Wire, reply

from edge.cdr.builder import CdrBuilder
from edge.proxy.call import Call, CallState
from edge.proxy.node import Settings
from edge.sip.message import Request, Response
from limits.model import AccountId, Admit, Admitted, Outcome, Settle, Verb

SHIPPED = Draft202012Validator(json.loads((files("edge.cdr") / "cdr.schema.json").read_text()))
"""What every record of these calls must be."""
MAX_ATTEMPTS = 6
MAX_DURATION_S = 120.0
KEPT = 40
"""Requests a side keeps in mind."""

TRUNKS = {TRUNK_A: "a", TRUNK_B: "b"}
ACCOUNTS = ("acme", "fragile")

picks = st.integers(0, 10_000)
called = st.sampled_from(["+33170000001", "+33170000001", "+33190000001", "112"])
tags = st.sampled_from(["callee", "fork"])
responses = st.sampled_from([100, 180, 180, 183, 200, 200, 200, 302, 408, 486, 487, 503, 603])
finals = st.sampled_from([200, 200, 200, 401, 408, 481, 487, 500, 503])
steps = st.sampled_from([0.01, 0.3, 1.0, 4.1, 9.0, 33.0])


Key = tuple[bytes, bytes, bytes]
"""Call-ID, branch and sent-by host of an INVITE."""


def key_of(caller: Caller) -> Key:
    """Of the caller's first INVITE."""
    return caller.call_id.encode(), caller.branch.encode(), caller.source[0].encode()


class Watched(Wire):
    """A network that remembers what the store has said."""

    def __init__(self, policy: str = POLICY, deck: str = "") -> None:
        super().__init__(policy, Settings(node="edge1", max_duration_s=MAX_DURATION_S), deck=deck)
        self.admitted: set[str] = set()

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        if isinstance(verb, Admit) and verb.account in ACCOUNTS and isinstance(outcome, Admitted):
            self.admitted.add(verb.uid)
        super()._deliver(verb, outcome)


class Calls(RuleBasedStateMachine):
    """Everything that may happen around one edge."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = self.network()
        self.callers: list[Caller] = []
        self.invites: list[Callee] = []
        self.open: list[tuple[Request, tuple[str, int]]] = []
        self.finals: defaultdict[Key, set[bytes]] = defaultdict(set)
        self.statuses: defaultdict[Key, set[int]] = defaultdict(set)
        self.recent: list[tuple[bytes, tuple[str, int]]] = []
        """Datagrams of this instant, which the network may deliver again."""
        self.seen: dict[str, Call] = {}
        self.was_away = False

    def network(self) -> Watched:
        """What the calls run through."""
        return Watched()

    # -- the network -----------------------------------------------------------------------------------------------

    def say(self, data: bytes, source: tuple[str, int]) -> None:
        """A datagram arrives."""
        self.recent.append((data, source))
        self.wire.send(data, source)
        self.hear()

    def hear(self) -> None:
        """Both sides take what has come."""
        for call in self.wire.core.calls.live():
            self.seen[call.uid] = call
        sent, self.wire.sent = self.wire.sent, []
        for message, flow in sent:
            if isinstance(message, Request):
                self.hear_request(message, flow.address)
            elif message.cseq().method == b"INVITE" and message.status > 100:
                self.hear_response(message)

    def hear_request(self, request: Request, address: tuple[str, int]) -> None:
        """Copies are no news."""
        if request.method == b"INVITE" and address in (TRUNK_A, TRUNK_B) and request.to().tag is None:
            if all(request.via().branch != callee.invite.via().branch for callee in self.invites):
                self.invites = [*self.invites, Callee(self.wire, request, address)][-KEPT:]
        elif request.method != b"ACK" and all(request.via().branch != known.via().branch for known, _ in self.open):
            self.open = [*self.open, (request, address)][-KEPT:]

    def hear_response(self, response: Response) -> None:
        """A response to an INVITE of a side, by its transaction."""
        via = response.via()
        key = response.call_id(), via.branch or b"", via.host
        if response.status >= 200:
            self.finals[key].add(response.render())
            self.statuses[key].add(response.status)
        for caller in self.callers:
            if key_of(caller) == key and response.status < 300:
                caller.learn(response)

    # -- callers ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.callers) < MAX_ATTEMPTS)
    @rule(number=called, is_fragile=st.booleans())
    def call(self, number: str, is_fragile: bool) -> None:
        """A new attempt, by an account that is refused or admitted when the store is away."""
        caller = Caller(self.wire, called=number, source=SBC if is_fragile else CALLER)
        self.callers.append(caller)
        extra = "X-Account: fragile" if is_fragile else ""
        self.say(caller.request("INVITE", extra=extra), caller.source)

    @precondition(lambda self: self.callers)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        """Whatever state the attempt is in."""
        caller = self.callers[pick % len(self.callers)]
        self.say(caller.request("CANCEL"), caller.source)

    @precondition(lambda self: self.callers)
    @rule(pick=picks)
    def acknowledge(self, pick: int) -> None:
        """The caller acknowledges what it has heard; it may also never do so."""
        caller = self.callers[pick % len(self.callers)]
        key = key_of(caller)
        if caller.to_tag or caller.routes:
            self.say(caller.in_dialog("ACK", cseq=1), caller.source)
        elif self.finals[key]:
            self.say(caller.request("ACK", to_tag="any"), caller.source)

    @precondition(lambda self: any(caller.routes for caller in self.callers))
    @rule(pick=picks, method=st.sampled_from(["BYE", "BYE", "INVITE", "UPDATE", "INFO"]))
    def caller_speaks(self, pick: int, method: str) -> None:
        """Inside the dialog."""
        talking = [caller for caller in self.callers if caller.routes]
        caller = talking[pick % len(talking)]
        self.say(caller.in_dialog(method), caller.source)

    # -- callees ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.invites)
    @rule(pick=picks, status=responses, tag=tags)
    def answer(self, pick: int, status: int, tag: str) -> None:
        """Any response to any INVITE that has reached a trunk, early, late, twice, from either fork."""
        callee = self.invites[pick % len(self.invites)]
        data = reply(callee.invite, status, tag=tag, contact=callee.contact)
        self.say(data, callee.address)

    @precondition(lambda self: self.invites)
    @rule(pick=picks, tag=tags, method=st.sampled_from(["BYE", "BYE", "INVITE", "UPDATE"]))
    def callee_speaks(self, pick: int, tag: str, method: str) -> None:
        """Inside a dialog that there may be or not."""
        callee = self.invites[pick % len(self.invites)]
        callee.tag = tag
        self.say(callee.in_dialog(method), callee.address)

    @precondition(lambda self: self.open)
    @rule(pick=picks, status=finals, is_last=st.booleans())
    def answer_other(self, pick: int, status: int, is_last: bool) -> None:
        """A response to BYE, CANCEL or another request inside a dialog, from either side; perhaps once more later."""
        at = pick % len(self.open)
        request, address = self.open.pop(at) if is_last else self.open[at]
        self.say(reply(request, status, contact="sip:moved@198.51.100.1"), address)

    # -- everything else -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.recent)
    @rule(pick=picks)
    def arrive_again(self, pick: int) -> None:
        """The network copies a datagram."""
        self.say(*self.recent[pick % len(self.recent)])

    @rule(seconds=steps)
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.recent = []
        self.wire.advance(seconds)
        self.hear()

    @precondition(lambda self: self.wire.holding is None)
    @rule()
    def hold_store(self) -> None:
        """The store takes its time."""
        self.wire.holding = []

    @precondition(lambda self: self.wire.holding is not None)
    @rule()
    def release_store(self) -> None:
        """The store answers."""
        self.wire.release_store()
        self.hear()

    @rule(state=st.sampled_from(["well", "well", "well", "store away", "trunk a cut", "trunk b cut"]))
    def trouble(self, state: str) -> None:
        """The store goes and comes, the way to a trunk is cut and mended."""
        self.wire.is_store_away = state == "store away"
        self.was_away |= self.wire.is_store_away
        self.wire.unreachable = {address for address in (TRUNK_A, TRUNK_B) if state == f"trunk {TRUNKS[address]} cut"}

    @precondition(lambda self: self.wire.resolves)
    @rule(addresses=st.sampled_from([(), ("198.51.100.1",), ("2001:db8::1",)]))
    def resolve(self, addresses: tuple[str, ...]) -> None:
        """A look-up has its answer."""
        self.wire.resolve(*addresses)
        self.hear()

    @precondition(lambda self: len(self.callers) > 2)
    @rule(pick=picks, is_all=st.sampled_from([False, False, False, True]))
    def hang_up(self, pick: int, is_all: bool) -> None:
        """The edge ends one call, or all."""
        live = self.wire.core.calls.live()
        if is_all:
            self.wire.core.hang_up_all("edge_stopped", self.wire.now)
        elif live:
            self.wire.core.hang_up(live[pick % len(live)], "operator", self.wire.now)
        self.wire.pump()
        self.hear()

    # -- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def one_record_per_attempt(self) -> None:
        """Every attempt lives or has its record."""
        uids = Counter(facts.uid for facts in self.wire.ended)
        assert set(uids.values()) <= {1}
        assert len(uids) + len(self.wire.core.calls) == self.wire.core.counters.attempts == len(self.callers)

    @invariant()
    def a_lease_is_settled_once(self) -> None:
        """When its call has ended, and not before; what was never leased is never settled."""
        every = Counter((verb.account, verb.uid) for verb in self.wire.asked if isinstance(verb, Settle))
        assert set(every.values()) <= {1}
        settled = {uid for holder, uid in every if holder in ACCOUNTS}
        for uid, call in self.seen.items():
            if call.state is not CallState.ENDED:
                assert uid not in settled
            elif uid in self.wire.admitted:
                assert uid in settled
            elif uid in settled:
                assert call.facts.degraded

    @invariant()
    def past_ended_nothing_is_held(self) -> None:
        """No lease, no context, no place in the store."""
        live = set(self.wire.core.calls.live())
        for call in self.seen.values():
            assert (call.state is not CallState.ENDED) == (call in live)
            if call.state is CallState.ENDED:
                assert (call.holders, call.context, call.attempt) == ((), None, None)

    @invariant()
    def live_calls_are_leases(self) -> None:
        """As long as the store answers."""
        leased = {call.uid for call in self.wire.core.calls.live() if call.holders}
        assert len(leased) == self.wire.core.leases
        if self.wire.holding is None and not self.was_away:
            held = {call.uid for name in ACCOUNTS for call in self.wire.usage(name).calls}
            assert leased == held

    @invariant()
    def one_failure_or_successes_only(self) -> None:
        """Of each INVITE; the copies of a failure are alike."""
        for key, statuses in self.statuses.items():
            if any(status >= 300 for status in statuses):
                assert len(self.finals[key]) == 1, (key, statuses)

    @invariant()
    def a_record_tells_instants_in_order(self) -> None:
        """Received, decided, sent, ringing, answered, released."""
        for facts in self.wire.ended:
            told = [facts.received_at, facts.decided_at, facts.sent_at, facts.answered_at, facts.released_at]
            known = [at for at in told if at is not None]
            assert known == sorted(known), facts.reason
            assert facts.reason
            assert facts.release_side in ("ingress", "egress", "edge"), facts.reason
            assert facts.status >= 200

    def teardown(self) -> None:
        """In the end every INVITE has had its final response, and all stores are back at zero."""
        wire = self.wire
        wire.unreachable.clear()
        wire.is_store_away = False
        wire.release_store()
        while wire.resolves:
            wire.resolve()
        wire.advance(MAX_DURATION_S + 400)
        self.hear()
        assert NOTHING == wire.held
        for holder in self.wire.snapshot.commercial_values():
            assert wire.in_use(holder.id) == 0, holder.id
        assert len(wire.ended) == len(self.callers)
        for caller in self.callers:
            assert self.finals[key_of(caller)], caller.call_id
        self.one_failure_or_successes_only()
        for record in self.records():
            SHIPPED.validate(record)

    def records(self) -> list[dict[str, object]]:
        """As they stand in the log."""
        builder = CdrBuilder("edge1", wall0=1.7e9, mono0=0.0)
        return [json.loads(builder.line(facts, seq)) for seq, facts in enumerate(self.wire.ended, 1)]


POOL = "group:pool"
PAID = (
    POLICY.replace('id = "acme"\n', 'id = "acme"\ngroup = "pool"\ncalls_reserved = 1\nopening_balance = 2\n', 1)
    .replace('id = "fragile"\n', 'id = "fragile"\ngroup = "pool"\nopening_balance = 5\n', 1)
    .replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\ncalls = 2\ncaps = 2\npacing_ms = 400')
) + '[[groups]]\nid = "pool"\ncalls_base = 4\n'
DECK = "+33,france,0.10,1.20,1,1,0\n+3319,names,0,6,30,6,0\n"


class PaidCalls(Calls):
    """The same where every call has a price, its account a group, and one trunk has ceilings."""

    def network(self) -> Watched:
        return Watched(PAID, DECK)

    @rule(account=st.sampled_from(ACCOUNTS), amount=st.integers(1, 1_000_000))
    def top_up(self, account: str, amount: int) -> None:
        """Money comes, and the running calls hear of it."""
        self.wire.limiter.top_up(AccountId(account), amount=amount, reference=f"r{len(self.wire.asked)}-{amount}")
        self.wire.core.account_changed(account, self.wire.now)
        self.wire.pump()
        self.hear()

    @invariant()
    def conservation(self) -> None:
        """Topped up = charged + balance; nothing is spent that was not there, but what ran without the store."""
        for account in (*ACCOUNTS, POOL):
            usage = self.wire.usage(account)
            count = dict(usage.counters)
            assert count["topped_up_micros"] == count["charged_micros"] + usage.balance_micros
            assert usage.held_micros >= sum(call.held_micros for call in usage.calls)  # not all is swept at once
            if account != POOL:
                assert usage.balance_micros + count["overdrawn_micros"] >= 0

    def teardown(self) -> None:
        """What the records say is what was charged, to the micro-unit: by the accounts, and again by their group."""
        super().teardown()
        costs: Counter[str] = Counter()
        for record in self.records():
            costs[str(record["account"])] += int(str(record["cost_micros"]))
        if self.was_away:
            return  # this network has no journal: settlements were lost, their leases have run out
        for account in ACCOUNTS:
            usage = self.wire.usage(account)
            assert (usage.held_micros, dict(usage.counters)["charged_micros"]) == (0, costs[account])
        assert dict(self.wire.usage(POOL).counters)["charged_micros"] == sum(costs.values())


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
TestPaidCalls = PaidCalls.TestCase
TestPaidCalls.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
