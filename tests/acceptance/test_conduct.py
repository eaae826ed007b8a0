"""Whom, when, how often and where to: refusals of conduct on the wire, in the CDR and in the store."""

import csv
import io
import subprocess
import sys

from lab import MARKING, NO_CONSENT, OUT_OF_HOURS, RETAIL, SELLER, Lab

CONSUMER = "+33145000021"
FIELDS = ("outcome", "status", "q850", "reason", "rule", "limit")


def told(cdr: dict) -> tuple:
    return tuple(cdr[name] for name in FIELDS)


def edge(lab: Lab, *words: str) -> str:
    """What a command of the operator says."""
    command = [sys.executable, "-m", "edge", *words, "--redis", lab._store_url, "--state", str(lab.edge.state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_out_of_hours(lab: Lab):
    """D223-9, contract 9.1.12: the consumer's clock says no."""
    uac = lab.uac("uac_invite_out_of_hours__403", source=OUT_OF_HOURS, called=CONSUMER)
    uac.finish()
    assert told(lab.cdr(uac)) == ("refused", 403, 21, "calling_hours", "never-now", "")
    assert "telemarketing-b2c" in lab.cdr(uac)["tags"]
    lab.assert_no_lease_is_left()


def test_the_fifth_attempt(lab: Lab):
    """D223-9, contract 9.1.12: four calls to one consumer pass, unanswered ones too; the fifth does not, and another
    consumer is called."""
    consumer = "+33145000022"
    uas = lab.uas("uas_busy__486")
    busy = lab.uac("uac_invite_busy__486", source=SELLER, called=consumer)
    busy.finish()
    uas.finish()
    uas = lab.uas("uas_answer__200", calls=4)
    passed = lab.uac("uac_invite__200", source=SELLER, called=consumer, calls=3)
    passed.finish()
    assert {cdr["outcome"] for cdr in lab.cdrs(passed, 3)} == {"answered"}
    fifth = lab.uac("uac_invite_fifth_attempt__403", source=SELLER, called=consumer)
    fifth.finish()
    cdr = lab.cdr(fifth)
    assert told(cdr) == ("refused", 403, 21, "contact_attempts", "", "frequency:telemarketing")
    assert (cdr["ceiling"], cdr["limit_in_use"]) == (4, 4)
    other = lab.uac("uac_invite__200", source=SELLER, called="+33145000023")
    other.finish()
    uas.finish()
    assert not any(consumer[1:].encode() in key for key in lab.store.client.scan_iter(count=1000))
    assert "attempts that count: 20" in edge(lab, "contacts", "show", "seller", consumer)
    lab.wait_leases("seller", 0)


def test_consent_and_refusal(lab: Lab):
    """Opt-in, contract 9.1.13: without a record nobody is called; a consent lets the call pass at once, a refusal ends
    that."""
    refused = lab.uac("uac_invite_no_consent__403", source=NO_CONSENT, called=CONSUMER)
    refused.finish()
    assert told(lab.cdr(refused)) == ("refused", 403, 21, "consent_missing", "", "contact:consent")
    table = io.StringIO()
    rows = [["number", "what", "proof"], ["01 45 00 00 21", "consent", "web form, entry 7"]]
    csv.writer(table).writerows(rows)
    file = lab.folder / "consents.csv"
    file.write_text(table.getvalue())
    assert "recorded 1 consent" in edge(lab, "contacts", "import", "no-consent", str(file))
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_invite__200", source=NO_CONSENT, called=CONSUMER)
    uac.finish()
    uas.finish()
    assert lab.cdr(uac)["outcome"] == "answered"
    assert "refused" in edge(lab, "contacts", "refusal", "no-consent", CONSUMER)
    again = lab.uac("uac_invite_contact_refused__403", source=NO_CONSENT, called=CONSUMER)
    again.finish()
    assert told(lab.cdr(again)) == ("refused", 403, 21, "contact_refused", "", "contact:refused")
    lab.wait_leases("no-consent", 0)


def test_a_barred_destination(lab: Lab):
    """Contract 9.1.17: the account's barring list, by zone."""
    uac = lab.uac("uac_invite_barred__403", source=RETAIL, called="+33891234567")
    uac.finish()
    assert told(lab.cdr(uac)) == ("refused", 403, 21, "destination_barred", "no-premium", "")
    lab.assert_no_lease_is_left()


def test_a_marked_robot(lab: Lab):
    """Contract 9.2.3: the same call passes unmarked, and is refused where a trusted neighbour marks it as automated."""
    uas = lab.uas("uas_answer__200")
    human = lab.uac("uac_invite__200", source=MARKING, cli="+33639980001")
    human.finish()
    uas.finish()
    assert (lab.cdr(human)["outcome"], lab.cdr(human)["automated"]) == ("answered", False)
    robot = lab.uac("uac_invite_marked_robot__403", source=MARKING, cli="+33639980001")
    robot.finish()
    cdr = lab.cdr(robot)
    assert (cdr["outcome"], cdr["reason"], cdr["automated"]) == ("refused", "cli_refused", True)
    lab.assert_no_lease_is_left()


def test_a_ping_call_leaves_its_mark(lab: Lab):
    """Contract 9.2.3: given up while it had just begun to ring: a tag in the CDR, and one more in the store's count."""
    pings = "{acct:seller}:freq:ping:*"
    before = set(lab.store.client.scan_iter(match=pings, count=1000))
    uas = lab.uas("uas_rings__cancelled")
    uac = lab.uac("uac_cancel_while_ringing__487", source=SELLER, called="+33145000024", cli="+33612349999")
    uac.finish()
    uas.finish()
    assert "ping_call" in lab.cdr(uac)["tags"]
    lab.wait_leases("seller", 0)
    (key,) = set(lab.store.client.scan_iter(match=pings, count=1000)) - before
    assert lab.store.client.zcard(key) == 1
