"""edge.policy.spelling"""

import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.config.plan import CACHE_LIMIT, MALFORMED, NUMBER, UNAVAILABLE, UNREADABLE, WITHHELD, NumberPlan, Reading
from edge.config.rulesets import built_in_ruleset, plan_of
from edge.policy.spelling import MAX_CACHED_LENGTH, read_anew, read_user, without_portability

FRANCE = plan_of(built_in_ruleset("fr-arcep"))
NATIONAL_OVERSEAS = FRANCE.roots


@pytest.mark.parametrize(
    "user",
    [
        "+33199001234",
        "0033199001234",
        "33199001234",
        "0199001234",
        "01133199001234",
        "+330199001234",
        "00330199001234",
        "330199001234",
        "+0033199001234",
        "+0199001234",
        "033199001234",
        "000199001234",
        "00033199001234",
        "%2B33199001234",
        "%2b33%3199001234",
        "+33 1 99 00 12 34",
        "+33%201%2099%2000%2012%2034",
        "+33(0)199001234",
        "+33 (0) 1 99 00 12 34",
        "(0)199001234",
        "(01) 99-00-12-34",
        "01.99.00.12.34",
        "01/99001234",
        " 0199001234 ",
        "0199001234;phone-context=+33",
        "199001234;phone-context=+33",
        "99001234;phone-context=+331",
        "0199001234;phone-context=example.com",
        "0199001234;phone-context=",
        "+33199001234;phone-context=+49",
        "0199001234;Phone-Context=%2B33",
        "199001234;Phone-Context=+33",
        "+33199001234;npdi",
        "+33199001234;rn=+33612;npdi",
        "+33199001234;tgrp=tg1;trunk-context=example.com",
        "+33199001234;isub=12;ext=7",
        "tel:+33199001234",
        "199001234",
        "199-00-12-34",
        "99001234;phone-context=+33-1",
        '99001234;phone-context="+33(1)"',
        "99001234;phone-context=%2B331",
        "\u0660\u0661\u0669\u0669\u0660\u0660\u0661\u0662\u0663\u0664",
        "\uff10\uff11\uff19\uff19\uff10\uff10\uff11\uff12\uff13\uff14",
        "\uff0b33\u2460\u2079\u2079001234",
        "01\u00a099\u00a000\u200912\u202f34",
        "%EF%BC%90199001234",
        "%2530199001234",
        "%252530199001234",
    ],
)
def test_one_french_number_in_every_spelling(user: str) -> None:
    """However it is written, it is +33199001234."""
    reading = read_user(user.encode(), FRANCE)
    assert (reading.e164, reading.state) == ("+33199001234", NUMBER)


@pytest.mark.parametrize(
    ("user", "e164"),
    [
        ("0262123456", "+262262123456"),
        ("0639123456", "+262639123456"),
        ("0639980012", "+33639980012"),
        ("0948900123", "+33948900123"),
        ("0947812345", "+262947812345"),
        ("0268812345", "+262268812345"),
        ("0590123456", "+590590123456"),
        ("0598712345", "+590598712345"),
        ("0691123456", "+590691123456"),
        ("0594123456", "+594594123456"),
        ("0696123456", "+596696123456"),
        ("0508412345", "+508508412345"),
        ("+262262123456", "+262262123456"),
        ("00262262123456", "+262262123456"),
        ("262262123456", "+262262123456"),
        ("+262(0)262123456", "+262262123456"),
        ("+508412345", "+508412345"),
        ("0262123456;phone-context=+262", "+262262123456"),
        ("262123456;phone-context=+262", "+262262123456"),
        ("0800112112", "+33800112112"),
        ("07000123456789", "+337000123456789"),
        ("+337000123456789", "+337000123456789"),
        ("0033 0 7000123456789", "+337000123456789"),
        ("09010123456789", "+339010123456789"),
        ("+4930123456", "+4930123456"),
        ("004930123456", "+4930123456"),
        ("+1 (212) 555-0100", "+12125550100"),
        ("030123456;phone-context=+49", "+4930123456"),
        ("+687123456", "+687123456"),
        ("+6834000", "+6834000"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_numbers(user: str, e164: str) -> None:
    """Overseas roots take their territory's code; foreign numbers keep their digits."""
    reading = read_user(user.encode(), FRANCE)
    assert (e164, NUMBER) == (reading.e164, reading.state)


@pytest.mark.parametrize(
    ("root", "code"),
    [
        pytest.param(root, code, id=f"section-10-national_to_cc-{root}")
        for code, roots in (
            ("262", "0262 0263 0269 0639 0692 0693 02688 02689 09478 09479"),
            ("590", "0590 0690 0691 05987 09475"),
            ("594", "0594 0694 05988 09476"),
            ("596", "0596 0696 0697 05989 09477"),
            ("508", "0508 0708"),
            ("33", "01 02 03 04 05 06 07 08 09 0261 0264 0268 0638 0591 0593 0595 0597 0598 0599 0689 0698 0509 0709"),
        )
        for root in roots.split()
    ],
)
def test_each_national_root_has_its_country_code(root: str, code: str) -> None:
    """Section 10 national_to_cc, 5.4: an overseas number never becomes +33, nor one of the mainland another's."""
    dialled = root + "1" * (10 - len(root))
    assert read_user(dialled.encode(), FRANCE).e164 == f"+{code}{dialled[1:]}"


@pytest.mark.parametrize(
    ("beginning", "digits"),
    [
        pytest.param(beginning, digits, id=f"section-10-nsn_length-{beginning}")
        for beginning, digits in (
            ("331", 9), ("262262", 9), ("590590", 9), ("594594", 9), ("596596", 9), ("508508", 9),
            ("337000", 13), ("337001", 13), ("337002", 13), ("337003", 13), ("337004", 13), ("337005", 9),
            ("339010", 13), ("339011", 13), ("339012", 13), ("339013", 13), ("339014", 13), ("339015", 9),
        )
    ],
)  # fmt: skip
def test_each_country_code_has_its_length(beginning: str, digits: int) -> None:
    """Section 10 nsn_length and extended_nsn_length, 5.5: so many digits after the code, and not one more or less."""
    code = 2 if beginning.startswith("33") else 3
    for more, state in ((-1, MALFORMED), (0, NUMBER), (1, MALFORMED)):
        written = "+" + beginning + "1" * (code + digits + more - len(beginning))
        assert read_user(written.encode(), FRANCE).state == state, written


@pytest.mark.parametrize("code", ["681", "687", "689"])
def test_codes_outside_the_plan(code: str) -> None:
    """Section 10 not_in_plan, 1.4.14: numbers of other plans, of any length."""
    for digits in ("200001", "40000001", "123456789"):
        assert read_user(f"+{code}{digits}".encode(), FRANCE).e164 == f"+{code}{digits}"


@pytest.mark.parametrize(
    ("user", "state"),
    [
        ("anonymous", WITHHELD),
        ("Anonymous", WITHHELD),
        ("restricted", WITHHELD),
        ("%61nonymous", WITHHELD),
        ("anonymous;phone-context=x", WITHHELD),
        ("", UNAVAILABLE),
        ("unavailable", UNAVAILABLE),
        ("Unknown", UNAVAILABLE),
        ("()", UNAVAILABLE),
        ("+331990012", MALFORMED),
        ("+3319900123456", MALFORMED),
        ("0033199", MALFORMED),
        ("+33112", MALFORMED),
        ("+26226212345", MALFORMED),
        ("0700012345", MALFORMED),
        ("+33700012345", MALFORMED),
        ("0901012345", MALFORMED),
        ("+330", MALFORMED),
        ("x33199001234", MALFORMED),
        ("0199001234x", MALFORMED),
        ("*31#0199001234", MALFORMED),
        ("0199001234,,5", MALFORMED),
        ("tel0199001234", MALFORMED),
        ("+331990!01_234p12", MALFORMED),
        ("+33 19900\u20131234p12", MALFORMED),
        ("+33+199001234", MALFORMED),
        ("+33l99001234", MALFORMED),
        ("+33 I 99 00 12 34", MALFORMED),
        ("+262_alice", MALFORMED),
        ("+44l99001234", UNREADABLE),
        ("alice", UNREADABLE),
        ("acc0001", UNREADABLE),
        ("15", UNREADABLE),
        ("3000", UNREADABLE),
        ("99001234", UNREADABLE),
        ("700012345", MALFORMED),
        ("user199001234", UNREADABLE),
        ("01990012", UNREADABLE),
        ("4930123456", UNREADABLE),
        ("+1234567890123456", UNREADABLE),
        ("+123456", UNREADABLE),
        ("0049", UNREADABLE),
        ("+", UNREADABLE),
        ("00", UNREADABLE),
        ("000", UNREADABLE),
        ("0", UNREADABLE),
        ("01133", UNREADABLE),
        ("0" * 20, UNREADABLE),
        ("199;phone-context=+4", UNREADABLE),
        ("\u0660\u0661\u0669\u0669\u0660\u0660\u0661\u0662\u0663\u0664x", MALFORMED),
        (";0199001234", MALFORMED),
        (";tgrp=1", UNAVAILABLE),
        ("bob-4930123456", UNREADABLE),
    ],
)
def test_no_number(user: str, state: str) -> None:
    """What is no number has no E.164 form, and says why."""
    reading = read_user(user.encode(), FRANCE)
    assert ("", state) == (reading.e164, reading.state)


@pytest.mark.parametrize(
    ("user", "text"), [("15", "15"), ("30 00", "3000"), ("%33000", "3000"), ("112;phone-context=+33", "112")]
)
def test_short_codes_keep_their_digits(user: str, text: str) -> None:
    """A short code is read without its dress."""
    assert text == read_user(user.encode(), FRANCE).text


@pytest.mark.parametrize(
    ("user", "e164"),
    [
        ("4930123456", "+4930123456"),
        ("12125550100", "+12125550100"),
        ("33199001234", "+33199001234"),
        ("12345678", ""),
        ("0123", ""),
        ("alicealice", ""),
    ],
)
def test_bare_international(user: str, e164: str) -> None:
    """Where the operator says so, 10 to 15 digits are E.164 without its plus."""
    assert e164 == read_user(user.encode(), FRANCE, bare_international=True).e164


def test_long_text_is_read_but_not_kept() -> None:
    """A user part of any length is read; only short ones are remembered."""
    user = b"x" * MAX_CACHED_LENGTH + b"0199001234"
    assert read_user(user, FRANCE).state == MALFORMED
    assert user not in FRANCE.readings


def test_cache_is_bounded() -> None:
    """Those who call cannot make the edge remember without end."""
    for number in range(CACHE_LIMIT + 10):
        read_user(b"+4470%d" % number, FRANCE)
    assert len(FRANCE.readings) <= CACHE_LIMIT


SPELLINGS = (
    "0{0}",
    "+33{0}",
    "0033{0}",
    "33{0}",
    "+33(0){0}",
    "+330{0}",
    "%2B33{0}",
    "+33 {1}",
    "0{1}",
    "0{0};npdi",
    "{0};phone-context=+33",
    "00 33 {1}",
    "+33.{1}",
)


@given(digits=st.from_regex(r"[1-689][0-9]{8}|7[3-9][0-9]{7}", fullmatch=True), spelling=st.sampled_from(SPELLINGS))
def test_agrees_with_an_independent_reader(digits: str, spelling: str) -> None:
    """Every spelling of a ten-digit mainland number is what libphonenumber makes of its plain national form."""
    national = "0" + digits
    if national.startswith((*NATIONAL_OVERSEAS, *(f"0901{digit}" for digit in range(5)))):
        return
    expected = phonenumbers.format_number(phonenumbers.parse(national, "FR"), phonenumbers.PhoneNumberFormat.E164)
    grouped = digits[0] + " " + " ".join(digits[i : i + 2] for i in range(1, 9, 2))
    assert expected == read_user(spelling.format(digits, grouped).encode(), FRANCE).e164


@pytest.mark.parametrize(
    ("region", "code"), [("RE", "262"), ("YT", "262"), ("GP", "590"), ("GF", "594"), ("MQ", "596")]
)
@pytest.mark.parametrize("kind", [phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE])
def test_overseas_agrees_with_an_independent_reader(region: str, code: str, kind: int) -> None:
    """A territory's example number, in national form, gets the territory's own code."""
    number = phonenumbers.example_number_for_type(region, kind)
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    national = f"0{number.national_number}"
    assert expected == read_user(national.encode(), FRANCE).e164
    assert expected.startswith("+" + code)


@given(st.sampled_from(["DE", "GB", "US", "BE", "ES", "MA", "SN", "CN", "BR", "NC", "PF"]))
def test_foreign_numbers_agree_with_an_independent_reader(region: str) -> None:
    """A foreign number in international form keeps its digits, whatever stands between them."""
    number = phonenumbers.example_number(region)
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    pretty = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert expected == read_user(pretty.encode(), FRANCE).e164
    assert expected == read_user(("00" + expected[1:]).encode(), FRANCE).e164


@given(st.binary(max_size=200) | st.text(alphabet="+0123456789 ()-.;%=phone-context", max_size=60).map(str.encode))
@example(b"%")
@example(b"%zz0199001234")
@example(b";;;;")
@example(b"+;phone-context=+33")
def test_invariants(user: bytes) -> None:
    """Whatever comes: a number is a plus and 7 to 15 digits, and nothing else has one; one reading, always the same."""
    reading = read_user(user, FRANCE)
    assert (reading.state == NUMBER) == bool(reading.e164)
    assert reading.state in (NUMBER, WITHHELD, UNAVAILABLE, MALFORMED, UNREADABLE)
    if reading.e164:
        assert reading.e164[0] == "+"
        assert reading.e164[1:].isdigit()
        assert 7 <= len(reading.e164) - 1 <= 15
        assert read_user(reading.e164.encode(), FRANCE)[:2] == reading[:2]
    assert reading == read_anew(user, FRANCE)


def test_reading_is_a_value() -> None:
    """Two spellings of nothing are equal."""
    assert Reading("", UNAVAILABLE, "") == read_user(b"", FRANCE)


@pytest.mark.parametrize(
    ("digits", "e164"),
    [
        ("+3310200199001234", "+33199001234"),
        ("+26210200262123456", "+262262123456"),
        ("+33199001234", ""),
        ("+3310200099001234", ""),
        ("3310200199001234", ""),
        ("+4410200199001234", ""),
        ("+33102001990012x4", ""),
        ("+", ""),
    ],
)
def test_portability_prefix(digits: str, e164: str) -> None:
    """Five digits between country code and number say who serves it."""
    assert e164 == without_portability(digits, FRANCE)


def test_a_closed_plan() -> None:
    """Where numbers have no trunk prefix, the digits of the right length are one."""
    denmark = NumberPlan(nsn_digits={"999": (8,)}, international_prefixes=("00",))
    for user, e164 in (("12345678", "+99912345678"), ("0099912345678", "+99912345678"), ("01234567", "+99901234567")):
        assert read_user(user.encode(), denmark).e164 == e164
    assert read_user(b"1234567", denmark).e164 == ""
    assert read_user(b"99912345678", denmark).e164 == "+99912345678"


WITHOUT_SHORT_ROAD = plan_of(built_in_ruleset("fr-arcep"))
WITHOUT_SHORT_ROAD.usual = re.compile(rb"(?!)")


@given(
    st.from_regex(
        rb"(\\+|0|00|)(33|262|590|594|596|508|681|)(0|)(1|2|39|6|7|70[0-9]|90[0-9]|2[0-9]{2}|63[0-9]{2}|50841)[0-9]{3,14}",
        fullmatch=True,
    )
    | st.text("+0123456789 ", max_size=18).map(str.encode)
)
@example(b"0639980001")
@example(b"0639000001")
@example(b"0700000001")
@example(b"+50841000")
@example(b"+508410001")
@example(b"+337000000000001")
@example(b"+330199001234")
def test_the_short_road_says_what_the_long_one_says(user: bytes) -> None:
    """One comparison for what nearly every trunk sends, and never another reading."""
    assert read_anew(user, FRANCE) == read_anew(user, WITHOUT_SHORT_ROAD)


@pytest.mark.parametrize("user", [b"+33199001234", b"0199001234", b"0261910000", b"+262692000001", b"0639980001"])
def test_the_short_road_is_taken(user: bytes) -> None:
    """What it is for."""
    assert FRANCE.usual.fullmatch(user) is not None
