"""Programs of messages, answers, failures and time over the whole transaction layer, with its promises as invariants.

The network here repeats, reorders and invents; the user answers when it likes, or at once, or never; time goes on
smoothly or stands still and jumps. RFC 3261 §17, RFC 6026, RFC 4320.
"""

from depth import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.sip.flow import Flow
from edge.sip.message import parse
from edge.sip.timers import Durations, TimerWheel
from edge.sip.transaction.layer import TransactionLayer

UDP, TCP = Flow(0, ("192.0.2.1", 5060)), Flow(1, ("192.0.2.2", 5060))
BRANCHES = ("z9hG4bK1", "z9hG4bK2", "z9hG4bK3", "old", None)
METHODS = ("INVITE", "INVITE", "BYE", "OPTIONS", "CANCEL")
LONGEST_S = 69 + 181
"""Longer than any timer: the end of a non-INVITE nobody answered, and a stalled process on top."""

branches = st.sampled_from(BRANCHES)
methods = st.sampled_from(METHODS)
flows = st.sampled_from([UDP, TCP])
picks = st.integers(0, 30)
statuses = st.sampled_from([100, 180, 183, 200, 202, 302, 408, 486, 487, 503, 603])


def head(method, branch, to_tag=""):
    via = "SIP/2.0/UDP 192.0.2.1" + (f";branch={branch}" if branch else "")
    to = "<sip:b@h>" + (f";tag={to_tag}" if to_tag else "")
    return (
        f"Via: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=a\r\nTo: {to}\r\nCall-ID: c\r\n"
        f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )


def request(method, branch, to_tag=""):
    return parse(f"{method} sip:b@h SIP/2.0\r\n{head(method, branch, to_tag)}".encode())


def response(status, method, branch, to_tag="b"):
    return parse(f"SIP/2.0 {status} Phrase\r\n{head(method, branch, to_tag)}".encode())


class Life:
    """All that was seen of one transaction."""

    def __init__(self, txn, reliable):
        self.txn = txn
        self.reliable = reliable
        self.told = []
        self.sent = []
        self.repeats = 0
        """What came from the network that may make it send again."""
        self.gone = 0


class Transactions(RuleBasedStateMachine):
    """The user of the layer, the network and the clock in one."""

    def __init__(self):
        super().__init__()
        self.now = 5000.0
        self.lives = {}
        self.keep = []
        self._order = []
        self.ghosts = []
        self.acks = 0
        self.sends = []
        self.wheel = TimerWheel(self.now)
        self.layer = TransactionLayer(self, self.sends, self.wheel, Durations(), lambda flow: flow is TCP)
        self.at_once = None
        self.number = 0

    # -- the user ------------------------------------------------------------------------------------------------------

    def life(self, txn):
        if id(txn) not in self.lives:
            self.keep.append(txn)  # so that no two have the same id
            self.lives[id(txn)] = Life(txn, txn.reliable)
            self._order.append(self.lives[id(txn)])
        return self.lives[id(txn)]

    def look(self):
        """What has been sent since the last look, noted with the life it belongs to. Once a life is gone, all that it
        had sent until then is noted: what comes later is a ghost's."""
        for data, _, txn in self.sends:
            life = self.life(txn)
            if life.gone:
                self.ghosts.append(("sent", data[:20]))
            life.sent.append(data)
        self.sends.clear()

    @property
    def order(self):
        """All lives, with what each has sent."""
        self.look()
        return self._order

    def tell(self, txn, what):
        self.look()
        life = self.life(txn)
        if life.gone:
            self.ghosts.append(("told", what))
        life.told.append(what)

    def on_request(self, txn, request, now):
        self.tell(txn, "request")
        if self.at_once is not None:
            self.layer.respond(txn, self.at_once, answer(self.at_once, txn), now)

    def on_ack(self, request, flow, now):
        self.acks += 1

    def on_response(self, txn, response, now):
        self.tell(txn, response.status)

    def on_stray_response(self, response, flow, now):
        pass

    def on_timeout(self, txn, now):
        self.tell(txn, "timeout")

    def on_transport_error(self, txn, now):
        self.tell(txn, "transport error")

    def on_gone(self, txn):
        self.look()
        self.life(txn).gone += 1

    def one(self, pick, *, is_server, live=False):
        found = [x for x in self.order if x.txn.is_server == is_server and not (live and x.gone)]
        return found[pick % len(found)] if found else None

    # -- what may happen -----------------------------------------------------------------------------------------------

    @rule(method=methods, branch=branches, flow=flows, at_once=st.sampled_from([None, None, None, 100, 200, 486]))
    def a_request_arrives(self, method, branch, flow, at_once):
        """New, or a repeat of one that is there."""
        for life in self.order:
            life.repeats += 1
        self.at_once = at_once
        self.layer.receive(request(method, branch), flow, self.now)

    @rule(branch=branches, flow=flows, to_tag=st.sampled_from(["", "b", "x"]))
    def an_ack_arrives(self, branch, flow, to_tag):
        """For a failure, for a 2xx, or for nothing."""
        self.layer.receive(request("ACK", branch, to_tag), flow, self.now)

    @rule(pick=picks, status=statuses)
    def the_user_answers(self, pick, status):
        """As the proxy may: no final response after the final one, but a 2xx again. Also when it is too late."""
        life = self.one(pick, is_server=True)
        if life is None:
            return
        txn = life.txn
        if txn.method == b"INVITE" and (
            txn.state in ("Completed", "Confirmed") or (txn.state == "Accepted" and not 200 <= status < 300)
        ):
            return
        if txn.method != b"INVITE" and txn.state == "Completed" and status < 200:
            status = 200
        self.layer.respond(txn, status, answer(status, txn), self.now)

    @rule(method=methods, flow=flows, timeout_s=st.sampled_from([None, None, 0.1, 3.0, 50.0]))
    def the_user_sends(self, method, flow, timeout_s):
        """A client transaction of its own branch."""
        self.number += 1
        sent = request(method, f"z9hG4bKours{self.number}")
        self.life(self.layer.start(sent, flow, self.now, user=self, timeout_s=timeout_s))

    @precondition(lambda self: any(not x.txn.is_server for x in self.order))
    @rule(pick=picks, status=statuses, to_tag=st.sampled_from(["b", "fork"]))
    def a_response_arrives(self, pick, status, to_tag):
        """To one that waits for it, or to one that is long gone."""
        life = self.one(pick, is_server=False)
        life.repeats += 1
        branch = life.txn.branch.decode()
        self.layer.receive(response(status, life.txn.method.decode(), branch, to_tag), life.txn.flow, self.now)

    @precondition(lambda self: self.order)
    @rule(pick=picks)
    def the_transport_fails(self, pick):
        """At once or late, for any of them."""
        self.layer.transport_failed(self.order[pick % len(self.order)].txn, self.now)

    @rule(pick=picks)
    def the_user_abandons(self, pick):
        """§9.1."""
        life = self.one(pick, is_server=False, live=True)
        if life is not None and life.txn.state in ("Calling", "Proceeding") and life.txn.method == b"INVITE":
            self.layer.abandon(life.txn)
            life.told.append("abandoned")

    @rule(seconds=st.sampled_from([0.005, 0.19, 0.21, 0.5, 1.0, 4.0, 5.1, 16.0, 31.9, 32.1, 40.0]))
    def time_goes_on(self, seconds):
        """Timer by timer."""
        end = self.now + seconds
        while (due := self.wheel.next_timer()) is not None and due <= end:
            assert due >= self.now - 0.011
            self.now = max(self.now, due)
            self.wheel.expire(self.now)
        self.now = end

    @rule(seconds=st.sampled_from([0.3, 5.0, 40.0, 120.0]))
    def the_process_stalls(self, seconds):
        """And everything falls due in one turn."""
        self.now += seconds
        self.wheel.expire(self.now)

    # -- what must hold ------------------------------------------------------------------------------------------------

    @invariant()
    def no_transaction_outlives_its_end(self):
        """The store holds those that are not gone, and each is gone exactly once, when Terminated."""
        assert sum(not life.gone for life in self.order) == len(self.layer)
        for life in self.order:
            assert life.gone == (1 if life.txn.state == "Terminated" else 0)

    @invariant()
    def no_timer_acts_for_what_is_gone(self):
        """Nothing is sent, nobody is told."""
        self.look()
        assert self.ghosts == []

    @invariant()
    def an_invite_server_has_one_outcome(self):
        """At most one non-2xx final, and none beside a 2xx."""
        for life in self.order:
            if life.txn.is_server and life.txn.method == b"INVITE":
                finals = {data for data in life.sent if status_of(data) >= 200}
                assert sum(status_of(data) >= 300 for data in finals) <= 1
                assert len({status_of(data) >= 300 for data in finals}) <= 1

    @invariant()
    def a_non_invite_server_sends_one_final_and_never_what_rfc_4320_forbids(self):
        """No 408, no 1xx but 100."""
        for life in self.order:
            if life.txn.is_server and life.txn.method != b"INVITE":
                sent = {status_of(data) for data in life.sent}
                assert len([status for status in sent if status >= 200]) <= 1
                assert not {status for status in sent if 100 < status < 200 or status == 408}

    @invariant()
    def the_user_of_a_client_hears_one_end(self):
        """Provisionals, then one end: a failure, a time-out, a transport error, or 2xx (to INVITE as many as come)."""
        for life in self.order:
            if life.txn.is_server:
                continue
            told = [what for what in life.told if what == "abandoned" or not isinstance(what, int) or what >= 200]
            if life.txn.method == b"INVITE" and told and isinstance(told[0], int) and told[0] < 300:
                assert all(isinstance(what, int) and what < 300 for what in told)
            elif told and isinstance(told[0], int) and life.txn.method == b"INVITE":
                assert told[1:] in ([], ["transport error"])  # of its ACK
            else:
                assert len(told) <= 1
            first_end = next((i for i, what in enumerate(life.told) if what in told), len(life.told))
            assert not [what for what in life.told[first_end:] if isinstance(what, int) and what < 200]

    @invariant()
    def a_client_that_is_gone_has_told_its_user_why(self):
        """No request is forgotten in silence."""
        for life in self.order:
            if life.gone and not life.txn.is_server:
                assert [what for what in life.told if not isinstance(what, int) or what >= 200]

    @invariant()
    def retransmissions_are_bounded(self):
        """Seven INVITEs, eleven of another request or of a failure; more only as the network repeats itself."""
        for life in self.order:
            requests = [data for data in life.sent if status_of(data) == 0 and not data.startswith(b"ACK")]
            if not life.txn.is_server:
                most = 13 if life.txn.method == b"INVITE" else 19  # with a time-out of 50 s
                assert len(requests) <= (1 if life.reliable else most)
            elif life.txn.method == b"INVITE":
                failures = [data for data in life.sent if status_of(data) >= 300]
                assert len(failures) <= (1 if life.reliable else 11) + life.repeats

    @invariant()
    def an_ack_answers_a_failure_and_nothing_else(self):
        """One for each failure that came, none for a 2xx, none from a non-INVITE."""
        for life in self.order:
            acks = [data for data in life.sent if data.startswith(b"ACK")]
            if life.txn.is_server or life.txn.method != b"INVITE":
                assert not acks
            else:
                assert len(acks) <= life.repeats
                assert bool(acks) == any(isinstance(what, int) and what >= 300 for what in life.told)

    @invariant()
    def the_wheel_holds_few_timers(self):
        """Nothing is cancelled, so little may be set: no transaction has more than three waiting."""
        assert len(self.wheel) <= 3 * len(self.order)

    def teardown(self):
        """Stores return to zero: once the user has answered and given up, time alone ends everything."""
        for life in self.order:
            txn = life.txn
            if txn.state == "Proceeding" and txn.method == b"INVITE":
                if txn.is_server:
                    self.layer.respond(txn, 500, answer(500, txn), self.now)
                else:
                    self.layer.abandon(txn)
                    life.told.append("abandoned")
        self.time_goes_on(LONGEST_S)
        assert (len(self.layer), len(self.wheel)) == (0, 0)
        assert [life for life in self.order if life.gone != 1] == []
        stores = [getattr(self.layer, name) for name in dir(self.layer)]
        assert [store for store in stores if isinstance(store, dict) and store] == []
        self.no_timer_acts_for_what_is_gone()
        self.a_client_that_is_gone_has_told_its_user_why()


def answer(status, txn):
    return f"SIP/2.0 {status} Ours\r\n{head(txn.method.decode(), 'z9hG4bKx', 'b')}".encode()


def status_of(data):
    """0 for a request."""
    return int(data[8:11]) if data.startswith(b"SIP/2.0 ") else 0


Transactions.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)
test_transactions = Transactions.TestCase
