"""`CallAttempt`: what is known of one attempt so far; each stage of the pipeline fills more of it. Pure."""

from edge.config.account_policy import AccountPolicy
from edge.config.deck import Rate
from edge.config.rulebook import ALWAYS, Era
from edge.config.trunks import EgressTrunk, IngressTrunk
from edge.policy.spelling import Reading
from edge.sip.message import Request
from limits.frequency import Contact, Frequency, SpendGuard


class CallAttempt:
    """An INVITE outside a dialog on its way to a decision. The inputs are never changed by a stage."""

    __slots__ = (
        "account",
        "automated",
        "called",
        "called_original",
        "candidates",
        "cli_network",
        "cli_original",
        "cli_presented",
        "contact",
        "degraded",
        "draw",
        "emergency",
        "era",
        "exceptions",
        "frequencies",
        "guard",
        "ingress",
        "ingress_class",
        "is_cleared",
        "is_vouched",
        "listener",
        "must_own",
        "needs_store",
        "network",
        "presented",
        "purpose",
        "rate",
        "request",
        "route",
        "rule",
        "ruleset",
        "sender",
        "shadow",
        "shadowed",
        "source_host",
        "source_port",
        "substitute",
        "tags",
        "tech_prefix",
        "tls_names",
        "treatment",
        "username",
        "wall",
        "withheld",
    )

    def __init__(
        self,
        *,
        request: Request,
        source_host: str,
        source_port: int,
        listener: str,
        draw: float,
        wall: float = ALWAYS,
        tls_names: tuple[str, ...] = (),
    ) -> None:
        self.request = request
        self.source_host = source_host
        """Numeric, as the socket names it."""
        self.source_port = source_port
        self.listener = listener
        """Name of the listener it came in by."""
        self.tls_names = tls_names  # what the certificate of its connection has proved
        self.draw = draw
        """A number in [0, 1) that orders the trunks of a weighted route."""
        self.wall = wall
        """UTC seconds: which dated rules are in force. Left out: those that are in force last."""
        self.account: AccountPolicy | None = None
        """None only before stage 1, and for an emergency call of an account nobody knows."""
        self.ingress: IngressTrunk | None = None
        self.ingress_class = ""
        self.username = ""
        """Who the caller has proved to be; empty: nobody."""
        self.tech_prefix = ""  # what stood before the called number to say whose call it is; it is off the request
        self.automated = False
        self.purpose = "none"
        """Placed by an automated system? What for? The account says it, or a mark of the trunk or the call."""
        self.cli_original = ""
        self.cli_presented = ""
        """User part of From as it came; E.164, empty where no number is presented."""
        self.cli_network = ""
        """E.164 of P-Asserted-Identity, where the trunk is trusted to assert one."""
        self.called_original = ""
        self.called = ""
        """E.164, or what was dialled where that is no number of a plan: `15`, `3000`."""
        self.withheld = False
        self.emergency = False
        self.sender: Reading | None = None
        self.presented: Reading | None = None
        """From, read, and the reading behind `cli_presented`; None where numbers are not read."""
        self.network: tuple[Reading, ...] = ()
        """Every P-Asserted-Identity, read, trusted or not."""
        self.rule = ""
        self.ruleset = ""
        """The rule that decided, and the ruleset it belongs to; empty: the operator's own, or no rule decided."""
        self.era: Era | None = None
        """The law at this instant; None before stage 3, and where numbers are not read."""
        self.exceptions: frozenset[str] = frozenset()
        """Counted facts of the account that lift a rule: `small_system`."""
        self.is_cleared = False
        """A rule of the document has allowed the CLI: nothing more is asked of it."""
        self.is_vouched = False
        """What P-Asserted-Identity names is the account's own: the edge may assert it."""
        self.must_own = False
        """The CLI must be among the account's own numbers."""
        self.treatment = ""
        self.substitute = ""
        """What is done to the CLI before it leaves (`mask`, `substitute`, nothing); the E.164 put in its place."""
        self.tags: list[str] = []
        """Words for the record: what was let pass, and why it might not have been."""
        self.shadow: list[str] = []
        self.shadowed: list[str] = []
        """What would have refused, were it enforced: CLI rules; refusals, by token, and routes, by id."""
        self.route = ""
        self.candidates: list[EgressTrunk] = []
        """Egress trunks in the order to try them."""
        self.rate: Rate | None = None
        """What it costs; None: there is no deck, or it is an emergency call."""
        self.frequencies: list[Frequency] = []
        self.contact: Contact | None = None
        self.guard: SpendGuard | None = None
        self.needs_store = False
        """How often, whom, how much: what the limits are to judge (`demand`); may it pass without their word?"""
        self.degraded = False
        """Admitted without the limits' answer, since the store was away (R11)."""

    @property
    def without_prefix(self) -> str:
        """The called number as it came, less its tech prefix; empty where it had none."""
        return self.called_original[len(self.tech_prefix) :] if self.tech_prefix else ""
