"""What a transaction does on the way from one state to the next: small functions, named for what they do.

RFC 3261 §17, RFC 6026, RFC 4320. Pure; imports `edge.sip` only. Each takes the transaction (already in its next
state), what came with the input, and the instant. Timers are set first: whatever the user does, the end will come.
"""

from edge.sip import compose
from edge.sip.message import Response
from edge.sip.transaction.machine import Ack, Argument, Input, Transaction


def absorb(txn: Transaction, argument: Argument, now: float) -> None:
    """The RFC says "-": a repeat that the transaction exists to swallow. Counted."""
    txn.layer.absorbed += 1


def end(txn: Transaction, argument: Argument, now: float) -> None:
    """Nothing is left to do; the machine removes the transaction."""


# -- both clients ------------------------------------------------------------------------------------------------------


def pass_up(txn: Transaction, argument: Argument, now: float) -> None:
    """The response goes to the user."""
    assert isinstance(argument, Response)
    txn.status = argument.status
    txn.layer.user.on_response(txn, argument, now)


def time_out(txn: Transaction, argument: Argument, now: float) -> None:
    """Timer B, F or H: the user hears that nothing came."""
    txn.layer.user.on_timeout(txn, now)


def report_transport_error(txn: Transaction, argument: Argument, now: float) -> None:
    """§17.1.4, §17.2.4: the user hears of it."""
    txn.layer.user.on_transport_error(txn, now)


# -- INVITE client -----------------------------------------------------------------------------------------------------


def send_invite(txn: Transaction, argument: Argument, now: float) -> None:
    """Send; A = T1 where the transport is unreliable; B = `deadline`."""
    resend(txn, None, now)
    if txn.reliable:
        txn.set_timer(Input.TIMER_B, txn.deadline - now, now)
    else:
        txn.set_retransmission(Input.TIMER_A, txn.layer.durations.t1, Input.TIMER_B, now)


def resend_reset_a(txn: Transaction, argument: Argument, now: float) -> None:
    """Send again; A doubles, without a cap."""
    resend(txn, None, now)
    txn.set_retransmission(Input.TIMER_A, 2 * txn.interval, Input.TIMER_B, now)


def pass_up_set_m(txn: Transaction, argument: Argument, now: float) -> None:
    """RFC 6026: stay for the repeats of this 2xx and for those of other forks, which make dialogs of their own."""
    txn.set_timer(Input.TIMER_M, txn.layer.timer_m, now)
    txn.last = None
    txn.request = txn.request.dialog_remains()
    pass_up(txn, argument, now)


def ack_pass_up_set_d(txn: Transaction, argument: Argument, now: float) -> None:
    """§17.1.1.3: acknowledge hop by hop, to where the INVITE went, whatever the transport."""
    assert isinstance(argument, Response)
    txn.set_timer(Input.TIMER_D, 0.0 if txn.reliable else txn.layer.durations.timer_d, now)
    # Composed before the user has it, who may edit the response.
    txn.last = compose.ack(txn.request, argument)
    resend(txn, None, now)
    pass_up(txn, argument, now)
    txn.drop_request()


# -- non-INVITE client -------------------------------------------------------------------------------------------------


def send_request(txn: Transaction, argument: Argument, now: float) -> None:
    """Send; E = T1 where the transport is unreliable; F = `deadline`."""
    resend(txn, None, now)
    if txn.reliable:
        txn.set_timer(Input.TIMER_F, txn.deadline - now, now)
    else:
        txn.set_retransmission(Input.TIMER_E, txn.layer.durations.t1, Input.TIMER_F, now)


def resend_reset_e(txn: Transaction, argument: Argument, now: float) -> None:
    """Send again; E doubles up to T2."""
    resend(txn, None, now)
    txn.set_retransmission(Input.TIMER_E, min(2 * txn.interval, txn.layer.durations.t2), Input.TIMER_F, now)


def resend_set_e_to_t2(txn: Transaction, argument: Argument, now: float) -> None:
    """Send again; after a provisional response E is T2."""
    resend(txn, None, now)
    txn.set_retransmission(Input.TIMER_E, txn.layer.durations.t2, Input.TIMER_F, now)


def pass_up_set_k(txn: Transaction, argument: Argument, now: float) -> None:
    """Stay for the repeats of the response."""
    txn.set_timer(Input.TIMER_K, 0.0 if txn.reliable else txn.layer.timer_k, now)
    pass_up(txn, argument, now)
    txn.last = None
    txn.drop_request()


# -- both servers ------------------------------------------------------------------------------------------------------


def send(txn: Transaction, argument: Argument, now: float) -> None:
    """The user's response goes out and is kept."""
    assert isinstance(argument, bytes)
    txn.last = argument
    txn.layer.sends.append((argument, txn.reply_to, txn))


def pass_on(txn: Transaction, argument: Argument, now: float) -> None:
    """The user's 2xx goes out; nobody will ask for it again here."""
    assert isinstance(argument, bytes)
    txn.layer.sends.append((argument, txn.reply_to, txn))


def resend(txn: Transaction, argument: Argument, now: float) -> None:
    """What was sent last goes out once more, if anything was."""
    if txn.last is not None:
        txn.layer.sends.append((txn.last, txn.reply_to, txn))


def send_100(txn: Transaction, argument: Argument, now: float) -> None:
    """100 Trying, if nothing has been sent yet; without a tag in To (§17.2.1, §8.2.6.2)."""
    if txn.last is None:
        txn.status = 100
        send(txn, compose.response(txn.request, 100, b"Trying"), now)


# -- INVITE server -----------------------------------------------------------------------------------------------------


def send_set_g_h(txn: Transaction, argument: Argument, now: float) -> None:
    """The failure goes out until its ACK comes: G = T1 where the transport is unreliable, H = 64*T1 for all."""
    send(txn, argument, now)
    txn.request = txn.request.remains()
    durations = txn.layer.durations
    txn.deadline = now + durations.timer_h
    if txn.reliable:
        txn.set_timer(Input.TIMER_H, durations.timer_h, now)
    else:
        txn.set_retransmission(Input.TIMER_G, durations.t1, Input.TIMER_H, now)


def resend_reset_g(txn: Transaction, argument: Argument, now: float) -> None:
    """Send again; G doubles up to T2."""
    resend(txn, None, now)
    txn.set_retransmission(Input.TIMER_G, min(2 * txn.interval, txn.layer.durations.t2), Input.TIMER_H, now)


def set_i(txn: Transaction, argument: Argument, now: float) -> None:
    """The ACK has come: stay for its repeats."""
    txn.set_timer(Input.TIMER_I, 0.0 if txn.reliable else txn.layer.durations.timer_i, now)
    if txn.legacy_key is None:  # else the tag of the failure still tells whose an ACK is (§17.2.3)
        txn.last = None


def send_set_l(txn: Transaction, argument: Argument, now: float) -> None:
    """RFC 6026: the 2xx goes out once, its repeats are the user's; stay for the repeats of the INVITE."""
    pass_on(txn, argument, now)
    txn.last = None
    txn.request = txn.request.remains()
    txn.set_timer(Input.TIMER_L, txn.layer.timer_l, now)


def pass_up_ack(txn: Transaction, argument: Argument, now: float) -> None:
    """RFC 6026 §6: the ACK to a 2xx is the user's, also where it carries the branch of its INVITE."""
    assert isinstance(argument, Ack)
    txn.layer.user.on_ack(argument.request, argument.flow, now)


# -- non-INVITE server -------------------------------------------------------------------------------------------------


def send_100_set_n(txn: Transaction, argument: Argument, now: float) -> None:
    """RFC 4320 §4.1: 100 once Timer E of the client has reached T2; N ends what is never answered."""
    txn.set_timer(Input.TIMER_N, txn.deadline - now, now)
    send_100(txn, None, now)


def send_set_j(txn: Transaction, argument: Argument, now: float) -> None:
    """The final response goes out; stay for the repeats of the request."""
    send(txn, argument, now)
    txn.drop_request()
    txn.set_timer(Input.TIMER_J, 0.0 if txn.reliable else txn.layer.timer_j, now)
