"""The four tables row by row, to be read beside RFC 6026 Figures 5 and 7 and RFC 3261 Figures 6 and 8.

Each row drives the real layer: it brings a transaction to the state, gives the input, and judges the next state and,
in their order, everything that was sent, told and set (between two words to the user, what is sent stands before what
is set). `A=1` means: timer A was set to 1 s. Unreliable transport; what
is different over a reliable one has its own, shorter table. No time passes on the way, so that what is set shows its
whole length.
"""

import pytest

from edge.sip.errors import LocalError
from edge.sip.transaction.machine import Input, State
from edge.sip.transaction.tables import INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER

INVITE_CLIENT_ROWS = [
    # state        input               next          what is done                            (RFC 6026 Figure 5)
    ("-", "start", "Calling", "INVITE sent, A=0.5"),
    ("Calling", "A", "Calling", "INVITE sent, A=1"),
    ("Calling", "B", "Terminated", "timeout to TU, gone"),
    ("Calling", "1xx", "Proceeding", "180 to TU"),
    ("Calling", "2xx", "Accepted", "M=32, 200 to TU"),
    ("Calling", "300-699", "Completed", "ACK sent, D=32, 486 to TU"),
    ("Calling", "transport error", "Terminated", "transport error to TU, gone"),
    ("Calling", "abandoned by TU", "Terminated", "gone"),
    ("Proceeding", "1xx", "Proceeding", "180 to TU"),
    ("Proceeding", "2xx", "Accepted", "M=32, 200 to TU"),
    ("Proceeding", "300-699", "Completed", "ACK sent, D=32, 486 to TU"),
    ("Proceeding", "abandoned by TU", "Terminated", "gone"),
    ("Completed", "300-699", "Completed", "ACK sent"),
    ("Completed", "transport error", "Terminated", "transport error to TU, gone"),
    ("Completed", "D", "Terminated", "gone"),
    ("Accepted", "2xx", "Accepted", "200 to TU"),
    ("Accepted", "M", "Terminated", "gone"),
]

NON_INVITE_CLIENT_ROWS = [
    # state        input               next          what is done                            (RFC 3261 Figure 6)
    ("-", "start", "Trying", "BYE sent, E=0.5"),
    ("Trying", "E", "Trying", "BYE sent, E=1"),
    ("Trying", "F", "Terminated", "timeout to TU, gone"),
    ("Trying", "1xx", "Proceeding", "180 to TU"),
    ("Trying", "200-699", "Completed", "K=5, 200 to TU"),
    ("Trying", "transport error", "Terminated", "transport error to TU, gone"),
    ("Proceeding", "E", "Proceeding", "BYE sent, E=4"),
    ("Proceeding", "F", "Terminated", "timeout to TU, gone"),
    ("Proceeding", "1xx", "Proceeding", "180 to TU"),
    ("Proceeding", "200-699", "Completed", "K=5, 200 to TU"),
    ("Proceeding", "transport error", "Terminated", "transport error to TU, gone"),
    ("Completed", "200-699", "Completed", ""),
    ("Completed", "K", "Terminated", "gone"),
]

INVITE_SERVER_ROWS = [
    # state        input               next          what is done                            (RFC 6026 Figure 7)
    ("-", "start", "Proceeding", "INVITE to TU, 100=0.2"),
    ("Proceeding", "100", "Proceeding", "100 sent"),
    ("Proceeding", "INVITE", "Proceeding", ""),
    ("Proceeding", "1xx from TU", "Proceeding", "180 sent"),
    ("Proceeding", "2xx from TU", "Accepted", "200 sent, L=32"),
    ("Proceeding", "300-699 from TU", "Completed", "486 sent, G=0.5"),
    ("Proceeding", "transport error", "Proceeding", "transport error to TU"),
    ("Proceeding", "abandoned by TU", "Terminated", "gone"),
    ("Completed", "INVITE", "Completed", "486 sent"),
    ("Completed", "G", "Completed", "486 sent, G=1"),
    ("Completed", "ACK", "Confirmed", "I=5"),
    ("Completed", "H", "Terminated", "timeout to TU, gone"),
    ("Completed", "transport error", "Completed", "transport error to TU"),
    ("Confirmed", "ACK", "Confirmed", ""),
    ("Confirmed", "I", "Terminated", "gone"),
    ("Accepted", "INVITE", "Accepted", ""),
    ("Accepted", "ACK", "Accepted", "ACK to TU"),
    ("Accepted", "2xx from TU", "Accepted", "200 sent"),
    ("Accepted", "L", "Terminated", "gone"),
    ("Accepted", "transport error", "Accepted", "transport error to TU"),
]

NON_INVITE_SERVER_ROWS = [
    # state        input               next          what is done          (RFC 3261 Figure 8, RFC 4320, RFC 6026 §8.8)
    ("-", "start", "Trying", "BYE to TU, 100=3.5"),
    ("Trying", "request", "Trying", ""),
    ("Trying", "100", "Proceeding", "100 sent, N=37"),
    ("Trying", "1xx from TU", "Proceeding", "100 sent"),
    ("Trying", "200-699 from TU", "Completed", "200 sent, J=32"),
    ("Trying", "abandoned by TU", "Terminated", "gone"),
    ("Proceeding", "request", "Proceeding", "100 sent"),
    ("Proceeding", "100", "Proceeding", "N=37"),
    ("Proceeding", "1xx from TU", "Proceeding", "100 sent"),
    ("Proceeding", "200-699 from TU", "Completed", "200 sent, J=32"),
    ("Proceeding", "N", "Terminated", "gone"),
    ("Proceeding", "transport error", "Proceeding", "transport error to TU"),
    ("Completed", "request", "Completed", "200 sent"),
    ("Completed", "200-699 from TU", "Completed", ""),
    ("Completed", "J", "Terminated", "gone"),
    ("Completed", "transport error", "Completed", "transport error to TU"),
]

RELIABLE_ROWS = [
    # Over a reliable transport nothing is repeated (no A, E, G), and D, I, J, K are zero.
    ("INVITE client", "-", "start", "Calling", "INVITE sent, B=32"),
    ("INVITE client", "Calling", "2xx", "Accepted", "M=32, 200 to TU"),
    ("INVITE client", "Calling", "300-699", "Completed", "ACK sent, D=0, 486 to TU"),
    ("non-INVITE client", "-", "start", "Trying", "BYE sent, F=32"),
    ("non-INVITE client", "Trying", "200-699", "Completed", "K=0, 200 to TU"),
    ("INVITE server", "Proceeding", "300-699 from TU", "Completed", "486 sent, H=32"),
    ("INVITE server", "Proceeding", "2xx from TU", "Accepted", "200 sent, L=32"),
    ("INVITE server", "Completed", "ACK", "Confirmed", "I=0"),
    ("non-INVITE server", "Trying", "200-699 from TU", "Completed", "200 sent, J=0"),
]

TABLES = {
    "INVITE client": (INVITE_CLIENT, INVITE_CLIENT_ROWS),
    "non-INVITE client": (NON_INVITE_CLIENT, NON_INVITE_CLIENT_ROWS),
    "INVITE server": (INVITE_SERVER, INVITE_SERVER_ROWS),
    "non-INVITE server": (NON_INVITE_SERVER, NON_INVITE_SERVER_ROWS),
}
ROWS = [(kind, *row) for kind, (_, rows) in TABLES.items() for row in rows]

WAY = {
    # How to come to a state: the inputs after the start.
    ("INVITE client", "Calling"): (),
    ("INVITE client", "Proceeding"): ("1xx",),
    ("INVITE client", "Completed"): ("300-699",),
    ("INVITE client", "Accepted"): ("2xx",),
    ("non-INVITE client", "Trying"): (),
    ("non-INVITE client", "Proceeding"): ("1xx",),
    ("non-INVITE client", "Completed"): ("200-699",),
    ("INVITE server", "Proceeding"): (),
    ("INVITE server", "Completed"): ("300-699 from TU",),
    ("INVITE server", "Confirmed"): ("300-699 from TU", "ACK"),
    ("INVITE server", "Accepted"): ("2xx from TU",),
    ("non-INVITE server", "Trying"): (),
    ("non-INVITE server", "Proceeding"): ("1xx from TU",),
    ("non-INVITE server", "Completed"): ("200-699 from TU",),
}
STATUS = {"1xx": 180, "2xx": 200, "300-699": 486, "200-699": 200}


class Driver:
    """Speaks to one transaction in the words of the tables."""

    def __init__(self, stage, kind, a_request, a_response):
        self.stage = stage
        self.method = "INVITE" if kind.startswith("INVITE") else "BYE"
        self.is_server = kind.endswith("server")
        self.a_request, self.a_response = a_request, a_response
        self.txn = None

    def start(self):
        self.txn = self.stage.server(self.method) if self.is_server else self.stage.client(self.method)

    def give(self, name):
        """Any input by its name. RFC 4320 leaves 100 as the only provisional of a non-INVITE server."""
        stage, txn = self.stage, self.txn
        if name == "start":
            self.start()
        elif name in ("INVITE", "request"):
            stage.receive(self.a_request(self.method))
        elif name == "ACK":
            stage.receive(self.a_request("ACK"))
        elif name == "transport error":
            stage.layer.transport_failed(txn, stage.now)
        elif name == "abandoned by TU":
            stage.layer.abandon(txn)
        elif name.endswith(" from TU"):
            if not txn.step(name, self.answer(name), stage.now):
                raise LocalError(name)
        elif name in STATUS:
            stage.receive(self.a_response(STATUS[name], self.method))
        else:
            txn.fire(name, stage.now)

    def answer(self, name):
        status = 100 if name == "1xx from TU" and self.method == "BYE" else STATUS[name.removesuffix(" from TU")]
        return f"SIP/2.0 {status} Ours\r\n\r\n".encode()

    def bring(self, kind, state):
        self.start()
        for name in WAY[kind, state]:
            self.give(name)
        assert state == self.txn.state
        self.stage.taken()


def walk(stage, kind, state, name, a_request, a_response):
    driver = Driver(stage, kind, a_request, a_response)
    if state != "-":
        driver.bring(kind, state)
    driver.give(name)
    return driver


def row_id(value):
    return value.replace(" ", "_") if isinstance(value, str) else None


@pytest.mark.parametrize(("kind", "state", "name", "after", "done"), ROWS, ids=row_id)
def test_row(stage, a_request, a_response, kind, state, name, after, done):
    """Every arrow of the figures: the next state, and what is sent, told and set, in this order."""
    driver = walk(stage, kind, state, name, a_request, a_response)
    assert (after, done) == (driver.txn.state, ", ".join(stage.taken()))


@pytest.mark.parametrize(("kind", "state", "name", "after", "done"), RELIABLE_ROWS, ids=row_id)
def test_row_over_a_reliable_transport(reliable_stage, a_request, a_response, kind, state, name, after, done):
    """Where the transport changes what is done."""
    driver = walk(reliable_stage, kind, state, name, a_request, a_response)
    assert (after, done) == (driver.txn.state, ", ".join(reliable_stage.taken()))


@pytest.mark.parametrize("kind", TABLES)
def test_the_tables_hold_these_rows_and_no_others(kind):
    """What the list above does not name does not exist."""
    table, rows = TABLES[kind]
    built = {
        (state.value, str(name), row.next.value) for state, row_of in table.items() for name, row in row_of.items()
    }
    assert {(state, name, after) for state, name, after, _ in rows if state != "-"} == built


NETWORK = {
    "INVITE client": ["1xx", "2xx", "300-699", "transport error"],
    "non-INVITE client": ["1xx", "200-699", "transport error"],
    "INVITE server": ["INVITE", "ACK", "transport error"],
    "non-INVITE server": ["request", "transport error"],
}
LETTERS = [name.value for name in Input if len(name.value) == 1] + ["100"]
UNLISTED = [
    (kind, state, name)
    for kind, state in WAY
    for name in NETWORK[kind] + LETTERS
    if name not in TABLES[kind][0][State(state)]
]


@pytest.mark.parametrize(("kind", "state", "name"), UNLISTED, ids=row_id)
def test_what_has_no_row_is_absorbed(stage, a_request, a_response, kind, state, name):
    """Nothing is sent, told or set, and the state stays. What came from outside is counted."""
    driver = Driver(stage, kind, a_request, a_response)
    driver.bring(kind, state)
    before = stage.layer.absorbed
    driver.give(name)
    counted = 1 if name in NETWORK[kind] else 0
    assert (state, [], counted) == (driver.txn.state, stage.taken(), stage.layer.absorbed - before)


TOO_LATE = [
    (kind, state, name)
    for kind, state in WAY
    if kind.endswith("server")
    for name in ("1xx from TU", *(("2xx from TU", "300-699 from TU") if kind[0] == "I" else ("200-699 from TU",)))
    if name not in TABLES[kind][0][State(state)]
]


@pytest.mark.parametrize(("kind", "state", "name"), TOO_LATE, ids=row_id)
def test_an_answer_that_has_no_row_is_our_own_mistake(stage, a_request, a_response, kind, state, name):
    """The user is told so; nothing leaves."""
    driver = Driver(stage, kind, a_request, a_response)
    driver.bring(kind, state)
    with pytest.raises(LocalError):
        driver.give(name)
    assert (state, []) == (driver.txn.state, stage.taken())


def test_every_state_of_every_table_can_be_left():
    """No state but Terminated is a dead end, and none names a state its table has not."""
    for table, _ in TABLES.values():
        assert {row.next for rows in table.values() for row in rows.values()} <= set(table)
        assert [state for state, rows in table.items() if not rows] == [State.TERMINATED]
