"""What is remembered of a dialog."""

from edge.proxy.dialogs import Dialog


def test_the_answer_sets_the_target_anew():
    """§13.2.2.4: the Contact of the 2xx, whatever an UPDATE in the early dialog said; the caller's stays."""
    dialog = Dialog(7)
    dialog.target_egress = dialog.target_ingress = b"sip:early@h"
    dialog.confirm(b"answer", 3, 12.0)
    assert (True, b"answer", 3, 12.0) == (dialog.is_confirmed, dialog.answer, dialog.outbound, dialog.confirmed_at)
    assert (None, b"sip:early@h", 7) == (dialog.target_egress, dialog.target_ingress, dialog.cseq_ingress)
