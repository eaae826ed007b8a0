"""What an operator may write about the network: `PolicyDocument`, frozen models. (`StaticConfig` is in `static`.)

Pure; imports pydantic and this room. Shapes, ranges and lengths are judged here, references between sections in
`references`. Each field's description is the operator's reference: `docs/parameters.md` is generated from it.
"""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from edge.config.accounts import MAX_SHADOW_REFUSALS, ShadowLimit
from edge.config.accounts import AccountEntry as AccountEntry
from edge.config.accounts import GroupEntry as GroupEntry
from edge.config.boundary import Boundary, HeaderRulesEntry
from edge.config.credentials import CredentialEntry, Digest
from edge.config.destinations import BarringEntry, DestinationEntry, GuardEntry
from edge.config.dialling import MAX_REWRITES, MAX_TECH_PREFIXES, RewriteEntry
from edge.config.fields import (
    MAX_LIST,
    MAX_SECTION,
    SWITCH_NAME,
    BasisText,
    CalledPrefix,
    Cause,
    ClassName,
    CliRange,
    Count,
    Currency,
    E164Prefix,
    HeaderName,
    Identifier,
    MethodName,
    Phrase,
    RulesetName,
    Seconds,
    Section,
    ShortNumber,
    Source,
    Status,
    TechPrefix,
    TlsName,
    TrunkUri,
)
from edge.config.login import LoginEntry, RegistrationEntry
from edge.config.quality import Billing, Penalties, Quality
from edge.config.refusals import RETRY_SPREAD_S, Reason
from edge.config.restraint import GuardTrunkEntry, ThrottleEntry
from edge.config.static import StaticConfig as StaticConfig
from edge.config.strangers import KNOWN_PACKETS_PER_S, KNOWN_REQUESTS_PER_S, Priority, Rate
from edge.config.strangers import Strangers as Strangers
from edge.config.telemarketing import PingCalls, Telemarketing


class IngressEntry(Section):
    """A configured neighbour that brings calls."""

    id: Identifier = Field(description="Name of the trunk.", examples=["acme-pbx"])
    sources: tuple[Source, ...] = Field(
        default=(),
        max_length=MAX_LIST,
        description="Addresses and networks it sends from. The longest match over all trunks wins. May be left out "
        "beside `tls_names`.",
        examples=[["192.0.2.0/24", "2001:db8::7"]],
    )
    tls_names: tuple[TlsName, ...] = Field(
        default=(),
        max_length=32,
        description="Names of which its TLS certificate must prove one, letter for letter: a `sip:` URI or DNS name of "
        "its subjectAltName (RFC 5922). Such a trunk is never known by its address alone; with `sources`, both must "
        "fit.",
        examples=[["pbx.acme.example"]],
    )
    nat: Literal["auto", "always", "off"] = Field(
        default="auto",
        description="Do requests inside its dialogs go back to the address its calls came from, and not to its "
        "Contact? `auto`: where it stands right behind a connection, or both its Via and its Contact name an address "
        "other than the one it sends from. `always`: also its responses go there, asked or not (RFC 3581).",
        examples=["always"],
    )
    listener: Annotated[str, StringConstraints(max_length=300)] = Field(
        default="",
        description="Only for what arrives on this listener, named as in `listen` (without `/advertise`). Empty: any.",
        examples=["udp:192.0.2.1:5060"],
    )
    account: Identifier | None = Field(
        default=None, description="Account of its calls, where no header names one.", examples=["acme"]
    )
    ingress_class: ClassName = Field(
        default="national",
        alias="class",
        description="Where its calls come from; CLI rules and routes ask for it. The built-in rules know "
        "`international`.",
        examples=["international"],
    )
    trusted: StrictBool = Field(
        default=False,
        description="Does it belong to our trust domain (RFC 3325)? Then its P-Asserted-Identity is believed, and it "
        "may name the account.",
        examples=[True],
    )
    account_header: HeaderName | None = Field(
        default=None,
        description="Header in which it names the account; taken off before the request goes on. Only with "
        "`trusted = true`.",
        examples=["X-Account"],
    )
    automated: StrictBool = Field(
        default=False,
        description="Are all its calls placed by an automated system (dialler, robot), whatever the account's `kind`?",
        examples=[True],
    )
    automated_header: HeaderName | None = Field(
        default=None,
        description="Header in which it marks a call as automated: any value but `no`, `false` and `0`; taken off "
        "before the request goes on. Only with `trusted = true`.",
        examples=["X-Automated"],
    )
    purpose_header: HeaderName | None = Field(
        default=None,
        description="Header in which it names the purpose of a call, instead of the account's; taken off before the "
        "request goes on. Only with `trusted = true`.",
        examples=["X-Purpose"],
    )
    tech_prefixes: dict[TechPrefix, Identifier] = Field(
        default_factory=dict,
        max_length=MAX_TECH_PREFIXES,
        description="For a trunk that several accounts share: digits before the called number and the account each of "
        "them means. They are taken off before anything is judged. A number without one is `account`'s, or nobody's.",
        examples=[{"9901": "acme"}],
    )
    digest: StrictBool = Field(
        default=False,
        description="Must its callers give user name and password (`credentials`)? The user name then says whose calls "
        "they are. Emergency calls pass without.",
        examples=[True],
    )
    refusal_profile: Identifier = Field(
        default="carrier",
        description="Which answers refusals become, where the account has no profile of its own or is not known.",
        examples=["pbx"],
    )
    boundary: Boundary = Field(
        default=Boundary.unwritten(), description="What crosses between the edge and it.", examples=[]
    )
    priority: Priority = Field(
        default="normal",
        description="Whose new calls are refused last while the edge is overloaded: `high`, then `normal`, then `low`; "
        "the account's own word goes before. Emergency calls and what belongs to running calls always pass.",
        examples=["high"],
    )
    packets_per_s: Rate = Field(
        default=KNOWN_PACKETS_PER_S,
        description="Datagrams a second from each of its addresses; what is over it is dropped. Never a reason for a "
        "ban, since the sender of a datagram may be forged. With `digest`, an address counts as a stranger's until it "
        "has given a right password.",
        examples=[2_000],
    )
    requests_per_s: Rate = Field(
        default=KNOWN_REQUESTS_PER_S,
        description="New calls a second from each of its addresses; over it 503 `overloaded` with Retry-After, without "
        "asking policy or limits. Emergency calls and what belongs to running calls pass.",
        examples=[200],
    )


class EgressEntry(Section):
    """A configured neighbour that takes calls."""

    id: Identifier = Field(description="Name of the trunk.", examples=["carrier-a"])
    uri: TrunkUri = Field(description="Where it is.", examples=["sip:198.51.100.10:5060;transport=udp"])
    tls_names: tuple[TlsName, ...] = Field(
        default=(),
        max_length=32,
        description="Names of which its TLS certificate must prove one, letter for letter. Empty: the host of `uri`.",
        examples=[["sip.carrier.example"]],
    )
    listener: Annotated[str, StringConstraints(max_length=300)] = Field(
        default="",
        description="Where its calls leave from: a listener named as in `listen` (without `/advertise`), or another "
        "one of the same host where the transport asks for it. Empty: the listener by which the call came, if it can.",
        examples=["udp:198.51.100.9:5060"],
    )
    large_requests: Literal["udp", "tcp"] = Field(
        default="udp",
        description="How requests over 1,300 bytes go to a trunk that takes UDP: by UDP all the same, or by TCP to the "
        "same port, and by UDP where that is refused (RFC 3261 §18.1.1).",
        examples=["tcp"],
    )
    request_uri: Literal["trunk", "keep"] = Field(
        default="trunk",
        description="`trunk`: the Request-URI gets this trunk's host and port. `keep`: it stays, and the trunk is the "
        "next hop only.",
        examples=["keep"],
    )
    account: Identifier | None = Field(
        default=None,
        description="Account whose trunk it is: the calls it takes are calls that account receives, where these are "
        "counted (`small_system`). Left out: the number called tells.",
        examples=["acme"],
    )
    called: tuple[RewriteEntry, ...] = Field(
        default=(),
        max_length=MAX_REWRITES,
        description="How it wants called numbers written: what begins with `prefix` gets `replace` instead. Empty, and "
        "what no line is about: as the caller wrote it.",
        examples=[[{"prefix": "+33", "replace": "0"}, {"prefix": "+", "replace": "00"}]],
    )
    login: LoginEntry | None = Field(
        default=None, description="Who we are, where it asks for user name and password.", examples=[]
    )
    registration: RegistrationEntry | None = Field(
        default=None, description="What is registered there, where it wants that.", examples=[]
    )
    rate_deck: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="CSV file beside this document with what calls to it cost us, of the form of the document's own; "
        'for routes with `order = "cost"` or `no_loss`.',
        examples=["carrier-a.csv"],
    )
    guard: GuardTrunkEntry | None = Field(
        default=None, description="The least ASR it must have to be tried like the others.", examples=[]
    )
    throttle: ThrottleEntry | None = Field(
        default=None, description="How attempts slow down where it answers 503; left out: they do not.", examples=[]
    )
    silence_s: Seconds = Field(
        default=4.0, description="Seconds without any response after which the next trunk is tried.", examples=[3]
    )
    setup_s: Seconds = Field(
        default=185.0,
        description="Timer C of this trunk: seconds of ringing at most. RFC 3261 §16.6 item 11 asks for more than 180; "
        "less is accepted and ends long ringing early.",
        examples=[185],
    )
    failover_on: tuple[Status, ...] = Field(
        default=(503, 408),
        max_length=32,
        description="Responses that try the next trunk. 408 stands for our own silence timer too. A transport failure "
        "always does.",
        examples=[[408, 500, 503]],
    )
    session_timer: StrictBool = Field(
        default=True,
        description="Are session timers asked of its calls (`session_expires_s`)? For a neighbour that stumbles over "
        "the header.",
        examples=[False],
    )
    down_after: Annotated[int, Field(strict=True, ge=1, le=1_000)] = Field(
        default=5,
        description="So many failures in a row (silence, no connection, 503, a probe without an answer) and other "
        "trunks are preferred for `retry_s`.",
        examples=[3],
    )
    retry_s: Seconds = Field(
        default=10.0,
        description="Seconds a trunk that is down is spared; twice as long after each failed trial, 16 times at most.",
        examples=[30],
    )
    up_after: Annotated[int, Field(strict=True, ge=1, le=1_000)] = Field(
        default=5,
        description="So many answers in a row and a trunk on trial is up again; until then single calls try it.",
        examples=[10],
    )
    probe_s: Annotated[float, Field(ge=0, le=3_600)] = Field(
        default=0.0, description="An OPTIONS is sent to it so often; 0: never.", examples=[30]
    )
    maintenance: StrictBool = Field(
        default=False,
        description="Takes no new calls as long as another trunk of the route can; running ones go on.",
        examples=[True],
    )
    weight: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=1, description="Share of the calls on a `weighted` route, of trunks of one `priority`.", examples=[3]
    )
    priority: Annotated[int, Field(strict=True, ge=0, le=65_535)] = Field(
        default=0,
        description="On a `weighted` route: the lowest number first, as in a DNS SRV record (RFC 2782). Trunks with "
        "one number share the calls by `weight`; those with a higher one are tried only when none of the lower takes "
        "the call: down, full, or failed.",
        examples=[10],
    )
    calls: Count | None = Field(
        default=None, description="Concurrent calls it takes, over all nodes; left out: no ceiling.", examples=[120]
    )
    caps: Count | None = Field(
        default=None,
        description="Call attempts per second it takes, over all nodes; left out: no ceiling.",
        examples=[20],
    )
    conceal: tuple[Status, ...] = Field(
        default=(),
        max_length=32,
        description="Responses of this trunk that are our affair and not the caller's, such as a challenge or 402: the "
        "caller is told `trunks_failed`, in the words of its own refusal profile.",
        examples=[[401, 402, 407]],
    )
    trusted: StrictBool = Field(
        default=False,
        description="Does it belong to our trust domain (RFC 3325)? The P-Asserted-Identity of a caller who is hidden "
        "goes to no other trunk.",
        examples=[True],
    )
    overload_control: Literal["off", "loss", "rate"] = Field(
        default="off",
        description="Overload control by RFC 7339: announced to this trunk and obeyed. `rate` names the scheme of RFC "
        "7415 first. While the trunk asks for less, new calls go to the next one, or get 503; emergency calls and what "
        "belongs to running calls always go.",
        examples=["loss"],
    )
    pacing_ms: Annotated[int, Field(strict=True, ge=0, le=4_000)] = Field(
        default=0,
        description="Milliseconds an attempt over the trunk's CAPS waits for its turn before the next trunk is tried. "
        "0: none.",
        examples=[500],
    )
    shadow: tuple[ShadowLimit, ...] = Field(
        default=(),
        max_length=16,
        description="Ceilings of the trunk that are judged and counted, but let the call pass.",
        examples=[["caps"]],
    )
    boundary: Boundary = Field(
        default=Boundary.unwritten(), description="What crosses between the edge and it.", examples=[]
    )


class RouteEntry(Section):
    """Which trunks may take a called number."""

    id: Identifier = Field(description="Name of the route.", examples=["france"])
    prefixes: tuple[CalledPrefix, ...] = Field(
        min_length=1,
        max_length=MAX_LIST,
        description="Beginnings of the called number, in E.164 with its plus, or as dialled for short codes. The "
        'longest match wins; `""` matches all.',
        examples=[["+33", "3"]],
    )
    accounts: tuple[Identifier, ...] = Field(
        default=(), max_length=MAX_LIST, description="Only for these accounts. Empty: all.", examples=[["acme"]]
    )
    classes: tuple[ClassName, ...] = Field(
        default=(), max_length=32, description="Only for these ingress classes. Empty: all.", examples=[["national"]]
    )
    emergency: StrictBool = Field(
        default=False,
        description="For emergency calls alone: its trunks are tried first, then those of the ordinary route.",
        examples=[True],
    )
    mode: Literal["ordered", "weighted", "barred", "shadow-barred"] = Field(
        default="ordered",
        description="Order of the trunks: as written, drawn by their weights, or none: these numbers are barred. "
        "`shadow-barred`: it is noted that they would be, and the next route is asked.",
        examples=["weighted"],
    )
    order: Literal["priority", "cost", "quality"] = Field(
        default="priority",
        description="Of an `ordered` route: as written, the cheapest first (`rate_deck` of the trunks), or the one "
        "with the best ASR, then PDD, on this node lately; equal ones as written.",
        examples=["cost"],
    )
    no_loss: StrictBool = Field(
        default=False,
        description="Is a trunk left out that would cost more than the call brings (`rate_deck` of both)?",
        examples=[True],
    )
    trunks: tuple[Identifier, ...] = Field(
        default=(), max_length=16, description="Egress trunks, in order of preference.", examples=[["carrier-a"]]
    )


class CliCondition(Section):
    """When a CLI rule applies: all the conditions given must hold."""

    ingress_class: tuple[ClassName, ...] = Field(
        default=(), max_length=32, description="Ingress classes. Empty: any.", examples=[["international"]]
    )
    account_kind: tuple[Literal["human", "automated"], ...] = Field(
        default=(), max_length=2, description="Kinds of account. Empty: any.", examples=[["automated"]]
    )
    which: Literal["presented", "network", "either"] = Field(
        default="either",
        description="The number judged: `presented` (From, else a trusted P-Asserted-Identity), `network` (any "
        "P-Asserted-Identity, trusted or not), or `either` of them and From.",
        examples=["presented"],
    )
    categories: tuple[ClassName, ...] = Field(
        default=(),
        max_length=64,
        description="Number categories of the ruleset, its states `withheld`, `unavailable`, `malformed`, `unreadable` "
        "among them, or of this document. Empty: any.",
        examples=[["mobile"]],
    )
    prefixes: tuple[E164Prefix, ...] = Field(
        default=(), max_length=MAX_LIST, description="E.164 beginnings. Empty: any.", examples=[["+3319900"]]
    )
    except_prefixes: tuple[E164Prefix, ...] = Field(
        default=(), max_length=MAX_LIST, description="E.164 beginnings that never match.", examples=[["+331990012"]]
    )


class CliRuleEntry(Section):
    """One line of screening; the first that matches decides."""

    id: Identifier = Field(description="Name of the rule, in the CDR of every call it judged.", examples=["no-premium"])
    when: CliCondition = Field(default=CliCondition.unwritten(), description="The conditions.", examples=[])
    action: Literal["allow", "refuse", "shadow-refuse"] = Field(
        description="`allow` and stop, `refuse`, or `shadow-refuse`: note what would have been refused and go on.",
        examples=["refuse"],
    )
    reason: Literal["cli_refused", "cli_withheld", "cli_invalid"] = Field(
        default="cli_refused", description="Token of the refusal.", examples=["cli_invalid"]
    )
    basis: BasisText = Field(
        default="house",
        description="What the rule rests on: `law`, `contract` or `house`, and after a colon where that is written. "
        "`edge explain` says it of each refusal.",
        examples=["contract: article 9.2.3"],
    )


class CategoryEntry(Section):
    """A number category of the document's own, or more prefixes for a built-in one."""

    id: ClassName = Field(description="Name of the category.", examples=["premium"])
    prefixes: tuple[E164Prefix, ...] = Field(
        min_length=1,
        max_length=MAX_LIST,
        description="E.164 beginnings; the longest over all categories wins.",
        examples=[["+3389"]],
    )


CliAction = Literal["allow", "tag", "allow_if_listed", "substitute", "mask", "deny"]


class Numbers(Section):
    """How numbers are read."""

    ruleset: RulesetName = Field(
        default="fr-arcep",
        description="The law in force: the built-in `fr-arcep` ([rulesets.md](rulesets.md)), or a TOML file of the "
        "same form beside this document. It says how numbers are written too.",
        examples=["fr-arcep"],
    )
    normalise: StrictBool = Field(
        default=True,
        description="Put numbers into E.164. Off: taken as they come, and no CLI rule is asked.",
        examples=[False],
    )
    rules: Literal["enforce", "shadow", "off"] = Field(
        default="enforce",
        description="The ruleset's rules, asked after those of the document: `enforce` them, note in the CDR what they "
        "would have done (`shadow`), or `off`. Lists of numbers kept for accounts hold in any case.",
        examples=["shadow"],
    )
    switches: dict[Annotated[str, StringConstraints(pattern=SWITCH_NAME)], CliAction] = Field(
        default_factory=dict,
        max_length=64,
        description="Choices the ruleset leaves to the operator, by their names.",
        examples=[],
    )
    do_not_originate: tuple[CliRange, ...] = Field(
        default=(),
        max_length=MAX_LIST,
        description="Numbers from which no call ever begins, whoever presents them: refused `cli_do_not_originate`.",
        examples=[["+33199001200..+33199001209"]],
    )
    cli_file: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="CSV file beside this document with the numbers accounts may present, one range a line: "
        "`account,first[,last]` in E.164 with its plus. Read again with the document.",
        examples=["numbers.csv"],
    )
    bare_international: StrictBool = Field(
        default=False,
        description="Read 10 to 15 digits that are no French number as E.164 without its plus.",
        examples=[True],
    )
    emergency: tuple[ShortNumber, ...] | None = Field(
        default=None,
        max_length=64,
        description="Emergency numbers as dialled: they pass every rule and every ceiling. Left out: the ruleset's.",
        examples=[["15", "17", "18", "112"]],
    )
    emergency_prefixes: tuple[CalledPrefix, ...] = Field(
        default=(),
        max_length=MAX_LIST,
        description="Beginnings of the long numbers behind which emergency centres sit, in E.164.",
        examples=[["+33199009112"]],
    )


class RefusalEntry(Section):
    """One answer of a profile; what is left out stays as in its base."""

    status: Status | None = Field(default=None, description="SIP status.", examples=[480])
    phrase: Phrase | None = Field(default=None, description="Reason phrase.", examples=["Busy Line"])
    q850: Cause | None = Field(default=None, description="Q.850 cause.", examples=[34])
    retry_after: StrictBool | None = Field(default=None, description="Is Retry-After sent?", examples=[True])
    retry_after_s: Annotated[int, Field(strict=True, ge=1, le=3600)] | None = Field(
        default=None,
        description="Retry-After is at least so many seconds; else it is what the bucket says, and at least 1.",
        examples=[30],
    )


class RefusalProfileEntry(Section):
    """Answers for one kind of neighbour."""

    base: Literal["carrier", "pbx"] = Field(
        default="carrier", description="Built-in profile the answers not given here come from.", examples=["pbx"]
    )
    retry_spread_s: Annotated[int, Field(strict=True, ge=1, le=3600)] = Field(
        default=RETRY_SPREAD_S,
        description="Retry-After is spread over so many seconds, so that those refused together do not come back "
        "together. 1: not spread.",
        examples=[10],
    )
    answers: dict[Reason, RefusalEntry] = Field(
        default_factory=dict, description="Answers by refusal token.", examples=[]
    )


class Methods(Section):
    """Answers to other methods outside a dialog than those the edge knows (INVITE, ACK, CANCEL, BYE, OPTIONS)."""

    default: Literal["method_not_allowed", "method_forbidden"] = Field(
        default="method_not_allowed",
        description="Answer to any other method: 405 or 403.",
        examples=["method_forbidden"],
    )
    forbidden: tuple[MethodName, ...] = Field(
        default=(), max_length=32, description="Methods answered 403 whatever the default.", examples=[["REGISTER"]]
    )


class PolicyDocument(Section):
    """The network: who calls, by which rules, to where."""

    currency: Currency = Field(default="EUR", description="Currency of every amount (ISO 4217).", examples=["EUR"])
    rate_deck: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="CSV file with the rates, beside this document; empty: calls have no price and no credit is asked.",
        examples=["rates.csv"],
    )
    shadow_refusals: tuple[Reason, ...] = Field(
        default=(),
        max_length=MAX_SHADOW_REFUSALS,
        description="Refusals of policy that are judged and counted, but let the call pass, for every account.",
        examples=[["cli_invalid"]],
    )
    accounts: tuple[AccountEntry, ...] = Field(default=(), max_length=MAX_SECTION)
    digest: Digest = Digest.unwritten()
    credentials: tuple[CredentialEntry, ...] = Field(default=(), max_length=MAX_SECTION)
    groups: tuple[GroupEntry, ...] = Field(default=(), max_length=MAX_SECTION)
    ingress: tuple[IngressEntry, ...] = Field(default=(), max_length=MAX_SECTION)
    egress: tuple[EgressEntry, ...] = Field(default=(), max_length=MAX_SECTION)
    routes: tuple[RouteEntry, ...] = Field(default=(), max_length=MAX_SECTION)
    cli_rules: tuple[CliRuleEntry, ...] = Field(default=(), max_length=256)
    categories: tuple[CategoryEntry, ...] = Field(default=(), max_length=256)
    numbers: Numbers = Numbers.unwritten()
    telemarketing: Telemarketing = Telemarketing.unwritten()
    ping_calls: PingCalls = PingCalls.unwritten()
    destinations: tuple[DestinationEntry, ...] = Field(default=(), max_length=MAX_SECTION)
    barring: tuple[BarringEntry, ...] = Field(default=(), max_length=256)
    guards: tuple[GuardEntry, ...] = Field(default=(), max_length=256)
    refusal_profiles: dict[Identifier, RefusalProfileEntry] = Field(default_factory=dict, max_length=64)
    header_rules: dict[Identifier, HeaderRulesEntry] = Field(default_factory=dict, max_length=64)
    strangers: Strangers = Strangers.unwritten()
    methods: Methods = Methods.unwritten()
    quality: Quality = Quality.unwritten()
    penalties: Penalties = Penalties.unwritten()
    billing: Billing = Billing.unwritten()
