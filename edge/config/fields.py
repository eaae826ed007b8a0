"""The kinds of value an operator may write, with their limits: shared by `static` and `schema`.

Pure; imports pydantic and this room.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from edge.config.addresses import parse_source, parse_trunk_uri
from edge.config.basis import parse_basis

MAX_ACCOUNTS = 200_000
"""Accounts a document may define, ranges counted out."""
MAX_SECTION = 10_000
"""Entries of one section."""
MAX_LIST = 1_000
"""Values of one list."""


class Section(BaseModel):
    """Frozen; a key nobody knows is an error, since it is most often a known one mistyped.

    What checks a section is made when one is first read: a process pays for those that it reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def unwritten(cls) -> Self:
        """As it is where nothing is written of it: its defaults, which nobody has to check."""
        return cls.model_construct()


PROTECTED_HEADERS = frozenset(
    {
        "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "route", "record-route",
        "max-forwards", "content-length", "l", "content-type", "c", "require", "proxy-require", "supported", "k",
        "authorization", "proxy-authorization", "rack", "rseq",
    }
)  # fmt: skip
"""Headers no policy may take away or read an account from (RFC 3261 §16.6)."""


def _source(text: str) -> str:
    parse_source(text)
    return text


def _trunk_uri(text: str) -> str:
    parse_trunk_uri(text)
    return text


def _basis(text: str) -> str:
    parse_basis(text)
    return text


def _header(text: str) -> str:
    if text.lower() in PROTECTED_HEADERS:
        raise ValueError("expected a header that is not one of the protocol's own")
    return text


_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
IDENTIFIER = f"^{_NAME}$"
ACCOUNT_RANGE = rf"^{_NAME}(\.\.{_NAME})?$"
CLASS_NAME = "^[a-z][a-z0-9_-]{0,31}$"
NODE_NAME = "^[A-Za-z0-9._-]{0,64}$"
E164_PREFIX = r"^\+[0-9]{1,15}$"
E164_NUMBER = r"^\+[1-9][0-9]{6,14}$"
CLI_RANGE = (
    r"^(\+[1-9][0-9]{6,14}(\.\.\+[1-9][0-9]{6,14})?|\+[1-9][0-9]{0,13}\*|[1-9][0-9]{1,5}(\.\.[1-9][0-9]{1,5})?)$"
)
SWITCH_NAME = "^[a-z][a-z0-9_]{0,31}$"
RULESET = r"^(fr-arcep|[^/\x00][^\x00]{0,250}\.toml)$"
CALLED_PREFIX = r"^(\+?[0-9*#]{0,20}|[A-Za-z0-9._-]{1,20})$"
TECH_PREFIX = "^[0-9*#]{1,16}$"
REPLACEMENT = r"^\+?[0-9*#]{0,20}$"
SHORT_NUMBER = "^[0-9]{2,6}$"
HEADER_NAME = "^[A-Za-z0-9.!%*_+`'~-]{1,64}$"
TLS_NAME = r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
METHOD_NAME = "^[A-Z]{1,32}$"
PHRASE = "^[ -~]{1,64}$"
CURRENCY = "^[A-Z]{3}$"
SQL_NAME = "^[a-z_][a-z0-9_]{0,47}$"
VARIABLE = "^[A-Za-z_][A-Za-z0-9_]{0,63}$"

WORDS = {
    IDENTIFIER: "a name of at most 64 letters, digits, '.', '_', '-', beginning with a letter or digit",
    ACCOUNT_RANGE: "a name of at most 64 letters, digits, '.', '_', '-', or a range of two such names: acc00..acc99",
    CLASS_NAME: "a word of at most 32 lower-case letters, digits, '_', '-', beginning with a letter",
    NODE_NAME: "a name of at most 64 letters, digits, '.', '_', '-'",
    E164_PREFIX: "a plus and 1 to 15 digits",
    E164_NUMBER: "a plus and 7 to 15 digits",
    CLI_RANGE: "+33199001234, +33199001200..+33199001299, +3319900*, or a short number",
    SWITCH_NAME: "a word of at most 32 lower-case letters, digits, '_', beginning with a letter",
    RULESET: "fr-arcep, or the name of a .toml file beside the document",
    CALLED_PREFIX: "the beginning of a called number: a plus and digits, digits as dialled, or a word; at most 20",
    TECH_PREFIX: "1 to 16 of the characters of a telephone: 0 to 9, *, #",
    REPLACEMENT: "at most 20 of the characters of a telephone, a plus before them or not",
    SHORT_NUMBER: "2 to 6 digits",
    HEADER_NAME: "a header name",
    TLS_NAME: "a name as a certificate has it, such as sip.carrier.example",
    METHOD_NAME: "a method name in capitals",
    CURRENCY: "three capital letters of ISO 4217",
    SQL_NAME: "a name of at most 48 lower-case letters, digits, '_'",
    VARIABLE: "the name of an environment variable",
    PHRASE: "1 to 64 printable ASCII characters",
}
"""What a pattern asks for, in the words of an error message."""

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
AccountRange = Annotated[str, StringConstraints(pattern=ACCOUNT_RANGE)]
ClassName = Annotated[str, StringConstraints(pattern=CLASS_NAME)]
E164Prefix = Annotated[str, StringConstraints(pattern=E164_PREFIX)]
E164Number = Annotated[str, StringConstraints(pattern=E164_NUMBER)]
CliRange = Annotated[str, StringConstraints(pattern=CLI_RANGE)]
RulesetName = Annotated[str, StringConstraints(pattern=RULESET)]
CalledPrefix = Annotated[str, StringConstraints(pattern=CALLED_PREFIX)]
TechPrefix = Annotated[str, StringConstraints(pattern=TECH_PREFIX)]
Replacement = Annotated[str, StringConstraints(pattern=REPLACEMENT)]
ShortNumber = Annotated[str, StringConstraints(pattern=SHORT_NUMBER)]
HeaderName = Annotated[str, StringConstraints(pattern=HEADER_NAME), AfterValidator(_header)]
TlsName = Annotated[str, StringConstraints(pattern=TLS_NAME)]
MethodName = Annotated[str, StringConstraints(pattern=METHOD_NAME)]
Source = Annotated[str, AfterValidator(_source)]
TrunkUri = Annotated[str, StringConstraints(max_length=300), AfterValidator(_trunk_uri)]
Currency = Annotated[str, StringConstraints(pattern=CURRENCY)]
BasisText = Annotated[str, StringConstraints(max_length=120), AfterValidator(_basis)]
Phrase = Annotated[str, StringConstraints(pattern=PHRASE)]
SilentToken = Literal[
    "all", "unknown_source", "options", "method_not_allowed", "method_forbidden", "bad_request", "too_many_hops",
    "loop", "bad_extension", "unsupported_scheme",
]  # fmt: skip
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Lot = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400)]
Status = Annotated[int, Field(strict=True, ge=400, le=699)]
Cause = Annotated[int, Field(strict=True, ge=1, le=127)]
