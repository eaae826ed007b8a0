"""The four state machines of RFC 3261 §17 as RFC 6026 corrects them, to be read beside the figures.

Pure; imports `edge.sip` only. `table[state][input]` is the arrow: what is done, and the next state. An input that a
state does not list is absorbed and counted when it comes from the network or the wheel, and an error of ours when it
comes from the user. ABANDON is no arrow of the RFC: §9.1 asks for it in the INVITE client; in the servers it clears
away what the user failed to take.
"""

from typing import Final

from edge.sip.transaction.effects import (
    absorb,
    ack_pass_up_set_d,
    end,
    pass_on,
    pass_up,
    pass_up_ack,
    pass_up_set_k,
    pass_up_set_m,
    report_transport_error,
    resend,
    resend_reset_a,
    resend_reset_e,
    resend_reset_g,
    resend_set_e_to_t2,
    send,
    send_100,
    send_100_set_n,
    send_set_g_h,
    send_set_j,
    send_set_l,
    set_i,
    time_out,
)
from edge.sip.transaction.machine import Input, Row, State, Table

INVITE_CLIENT: Final[Table] = {
    # RFC 6026 Figure 5. Entered at Calling: send; A = T1 (unreliable), B = 64*T1 (`effects.send_invite`).
    State.CALLING: {
        Input.TIMER_A: Row(resend_reset_a, State.CALLING),
        Input.TIMER_B: Row(time_out, State.TERMINATED),
        Input.R_1XX: Row(pass_up, State.PROCEEDING),
        Input.R_2XX: Row(pass_up_set_m, State.ACCEPTED),
        Input.R_300_699: Row(ack_pass_up_set_d, State.COMPLETED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.TERMINATED),
        Input.ABANDON: Row(end, State.TERMINATED),
    },
    State.PROCEEDING: {
        Input.R_1XX: Row(pass_up, State.PROCEEDING),
        Input.R_2XX: Row(pass_up_set_m, State.ACCEPTED),
        Input.R_300_699: Row(ack_pass_up_set_d, State.COMPLETED),
        Input.ABANDON: Row(end, State.TERMINATED),
    },
    State.COMPLETED: {
        Input.R_300_699: Row(resend, State.COMPLETED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.TERMINATED),
        Input.TIMER_D: Row(end, State.TERMINATED),
    },
    State.ACCEPTED: {
        Input.R_2XX: Row(pass_up, State.ACCEPTED),
        Input.TIMER_M: Row(end, State.TERMINATED),
    },
    State.TERMINATED: {},
}

NON_INVITE_CLIENT: Final[Table] = {
    # RFC 3261 Figure 6. Entered at Trying: send; E = T1 (unreliable), F = 64*T1 (`effects.send_request`).
    State.TRYING: {
        Input.TIMER_E: Row(resend_reset_e, State.TRYING),
        Input.TIMER_F: Row(time_out, State.TERMINATED),
        Input.R_1XX: Row(pass_up, State.PROCEEDING),
        Input.R_200_699: Row(pass_up_set_k, State.COMPLETED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.TERMINATED),
    },
    State.PROCEEDING: {
        Input.TIMER_E: Row(resend_set_e_to_t2, State.PROCEEDING),
        Input.TIMER_F: Row(time_out, State.TERMINATED),
        Input.R_1XX: Row(pass_up, State.PROCEEDING),
        Input.R_200_699: Row(pass_up_set_k, State.COMPLETED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.TERMINATED),
    },
    State.COMPLETED: {
        Input.R_200_699: Row(absorb, State.COMPLETED),
        Input.TIMER_K: Row(end, State.TERMINATED),
    },
    State.TERMINATED: {},
}

INVITE_SERVER: Final[Table] = {
    # RFC 6026 Figure 7. Entered at Proceeding: pass up; 100 after 200 ms unless the user has responded.
    State.PROCEEDING: {
        Input.TIMER_100: Row(send_100, State.PROCEEDING),
        Input.INVITE: Row(resend, State.PROCEEDING),
        Input.USER_1XX: Row(send, State.PROCEEDING),
        Input.USER_2XX: Row(send_set_l, State.ACCEPTED),
        Input.USER_300_699: Row(send_set_g_h, State.COMPLETED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.PROCEEDING),
        Input.ABANDON: Row(end, State.TERMINATED),
    },
    State.COMPLETED: {
        Input.INVITE: Row(resend, State.COMPLETED),
        Input.TIMER_G: Row(resend_reset_g, State.COMPLETED),
        Input.ACK: Row(set_i, State.CONFIRMED),
        # The figure has "-" here; the text of §17.2.1, which RFC 6026 leaves as it is, wants the user told.
        Input.TIMER_H: Row(time_out, State.TERMINATED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.COMPLETED),
    },
    State.CONFIRMED: {
        Input.ACK: Row(absorb, State.CONFIRMED),
        Input.TIMER_I: Row(end, State.TERMINATED),
    },
    State.ACCEPTED: {
        Input.INVITE: Row(absorb, State.ACCEPTED),
        Input.ACK: Row(pass_up_ack, State.ACCEPTED),
        Input.USER_2XX: Row(pass_on, State.ACCEPTED),
        Input.TIMER_L: Row(end, State.TERMINATED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.ACCEPTED),
    },
    State.TERMINATED: {},
}

NON_INVITE_SERVER: Final[Table] = {
    # RFC 3261 Figure 8 with RFC 4320 (the 100-timer, Timer N). Entered at Trying: pass up.
    # Transport errors: RFC 6026 §8.8 rewrites §17.2.4 for every server transaction: tell the user, stay.
    State.TRYING: {
        Input.REQUEST: Row(absorb, State.TRYING),
        Input.TIMER_100: Row(send_100_set_n, State.PROCEEDING),
        Input.USER_1XX: Row(send, State.PROCEEDING),
        Input.USER_200_699: Row(send_set_j, State.COMPLETED),
        Input.ABANDON: Row(end, State.TERMINATED),
    },
    State.PROCEEDING: {
        Input.REQUEST: Row(resend, State.PROCEEDING),
        Input.TIMER_100: Row(send_100_set_n, State.PROCEEDING),
        Input.USER_1XX: Row(send, State.PROCEEDING),
        Input.USER_200_699: Row(send_set_j, State.COMPLETED),
        Input.TIMER_N: Row(end, State.TERMINATED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.PROCEEDING),
    },
    State.COMPLETED: {
        Input.REQUEST: Row(resend, State.COMPLETED),
        Input.USER_200_699: Row(absorb, State.COMPLETED),
        Input.TIMER_J: Row(end, State.TERMINATED),
        Input.TRANSPORT_ERROR: Row(report_transport_error, State.COMPLETED),
    },
    State.TERMINATED: {},
}
