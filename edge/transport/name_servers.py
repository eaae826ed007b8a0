"""One question to real name servers (I/O): dnspython on the event loop. Loaded when the first name is asked for."""

from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.NAPTR import NAPTR as NaptrData
from dns.rdtypes.IN.SRV import SRV as SrvData

from edge.config.addresses import parse_name_server
from edge.sip.locating import Naptr, Question, Records, Srv

QUERY_S = 1.0
"""One name server has so long before the next one is asked."""
LIFETIME_S = 2.0
"""All of them together have so long for one question."""
NEGATIVE_S = 60.0
"""A name that is not there is asked again after this long at most (RFC 2308 §5 allows hours)."""


class NameServers:
    """Those of the settings, or the system's."""

    __slots__ = ("_stub",)

    def __init__(self, servers: Sequence[str]) -> None:
        """`servers`: `HOST[:PORT]`; none: the system's."""
        self._stub = _stub(servers)

    async def ask(self, question: Question) -> tuple[Records, float | None] | None:
        """The records, and for how long they are good; none there are is an answer too. Seconds None: the name cannot
        be asked for. None: nobody answered."""
        try:
            name = dns.name.from_text(question.name)
            answer = await self._stub.resolve(name, question.kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            return (), _negative_s(list((error.kwargs or {}).get("responses", {}).values()))
        except (dns.exception.Timeout, dns.resolver.NoNameservers, OSError):
            return None
        except (dns.exception.DNSException, UnicodeError, ValueError):
            return (), None
        if answer.rrset is None:
            return (), _negative_s([answer.response])
        return tuple([_record(rdata) for rdata in answer.rrset]), float(max(answer.rrset.ttl, 1))


def _record(rdata: dns.rdata.Rdata) -> Naptr | Srv | str:
    if isinstance(rdata, NaptrData):
        return Naptr(
            rdata.order,
            rdata.preference,
            rdata.flags.decode("latin-1"),
            rdata.service.decode("latin-1"),
            _host(rdata.replacement),
        )
    if isinstance(rdata, SrvData):
        return Srv(rdata.priority, rdata.weight, rdata.port, _host(rdata.target))
    return rdata.to_text()


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _negative_s(responses: Sequence[object]) -> float:
    """RFC 2308 §5: the smaller of the SOA's TTL and its minimum, and our own bound."""
    for response in responses:
        for rrset in getattr(response, "authority", ()):
            if rrset.rdtype == dns.rdatatype.SOA:
                return float(max(1.0, min(NEGATIVE_S, rrset.ttl, rrset[0].minimum)))
    return NEGATIVE_S


def _stub(servers: Sequence[str]) -> dns.asyncresolver.Resolver:
    try:
        stub = dns.asyncresolver.Resolver(configure=not servers)
    except dns.resolver.NoResolverConfiguration:
        stub = dns.asyncresolver.Resolver(configure=False)
    if servers:
        stub.nameservers = [dns.nameserver.Do53Nameserver(*parse_name_server(server)) for server in servers]
    stub.timeout = QUERY_S
    stub.lifetime = LIFETIME_S
    stub.cache = None
    return stub
