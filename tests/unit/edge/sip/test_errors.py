"""edge.sip.errors: what the three errors say."""

from edge.sip.errors import FieldError, LocalError, ParseError


def test_a_parse_error_says_what_where_and_what_may_be_answered() -> None:
    """Reason for a counter, offset for a log line, hint for an answer; nothing to answer with by default."""
    error = ParseError("no CSeq header", offset=17)

    assert (error.reason, error.offset, error.status_hint, error.salvage) == ("no CSeq header", 17, 0, None)
    assert str(error) == "no CSeq header (at byte 17)"


def test_a_field_error_names_its_field() -> None:
    """Field first, as a log line wants it."""
    error = FieldError("Via", "port over 65535")

    assert (error.field, error.reason, str(error)) == ("Via", "port over 65535", "Via: port over 65535")


def test_our_own_misuse_is_no_error_of_a_peer() -> None:
    """Nothing that handles peers' errors may swallow ours."""
    assert not issubclass(LocalError, ParseError | FieldError)
