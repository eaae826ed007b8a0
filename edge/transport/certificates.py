"""Certificates (I/O): what the edge shows, whom it believes, what a neighbour's certificate proves.

RFC 3261 §26.2, RFC 5922. Contexts are built whole and then exchanged, so that new certificates come into force for the
next connection, and unreadable ones change nothing.
"""

import calendar
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

MAX_NAMES = 32
"""Names of one certificate that are looked at."""


class TlsError(Exception):
    """The certificates cannot be used; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificates are, and how strict to be."""

    certificates: tuple[str, ...]
    """`CHAIN.pem` with its key, or `CHAIN.pem:KEY.pem`; the first is shown where no name asks for another."""
    ca: str = ""
    """PEM file of the authorities that neighbours' certificates must come from; empty: the system's, for those we
    call, and no certificate is asked of those who call us."""
    clients: str = "optional"
    """`required`, `optional` or `off`: is a certificate asked of those who connect to us? Only with `ca`."""
    minimum: str = "1.2"


class Certificates:
    """The contexts in force."""

    __slots__ = ("_by_name", "_files", "client", "not_after", "server")

    client: ssl.SSLContext
    """For connections that we open."""
    server: ssl.SSLContext
    """For connections that neighbours open."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises TlsError."""
        self._files = files
        self.not_after: dict[str, int] = {}
        """Chain file -> UTC seconds at which its certificate ends."""
        self._by_name: dict[str, ssl.SSLContext] = {}
        self.reload()

    def reload(self) -> None:
        """Read every file anew. Raises TlsError; then the ones before stay in force."""
        files = self._files
        servers = [_server_context(entry, files) for entry in files.certificates]
        client = _client_context(files)
        by_name: dict[str, ssl.SSLContext] = {}
        ends = {}
        for entry, context in zip(files.certificates, servers, strict=True):
            chain = entry.partition(":")[0]
            names, ends[chain] = _own(chain)
            for name in names:
                by_name.setdefault(name, context)
        if servers:
            servers[0].sni_callback = self._choose
            self.server = servers[0]
        self.client, self._by_name, self.not_after = client, by_name, ends

    def _choose(self, socket: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """SNI (RFC 6066 §3): the certificate of the name that is asked for, else the first."""
        found = None if name is None else self._by_name.get(name.lower())
        if found is not None:
            socket.context = found


def proven_names(certificate: Mapping[str, object] | None) -> tuple[str, ...]:
    """The SIP identities of a verified certificate (RFC 5922 §7.1), in lower case: hosts of its `sip:` URIs that have
    no user part; only where it has no such URI, its DNS names. The subject's common name proves nothing."""
    names = certificate.get("subjectAltName", ()) if certificate else ()
    assert isinstance(names, tuple)
    uris: list[str] = []
    hosts: list[str] = []
    for kind, value in names[:MAX_NAMES]:
        if kind == "URI" and value[:4].lower() == "sip:" and "@" not in value:
            uris.append(value[4:].partition(";")[0].lower())
        elif kind == "DNS":
            hosts.append(value.lower())
        elif kind == "IP Address":
            hosts.append(str(ip_address(value.strip())))  # OpenSSL spells IPv6 out: 2001:DB8:0:0:0:0:0:1
    return tuple(dict.fromkeys(uris or hosts))


def _server_context(entry: str, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context, files)
    _load(context, entry)
    if files.ca and files.clients != "off":
        _trust(context, files.ca)
        context.verify_mode = ssl.CERT_REQUIRED if files.clients == "required" else ssl.CERT_OPTIONAL
    return context


def _client_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context, files)
    # The chain is verified by the library, the name by us: RFC 5922 §7.2 knows URIs, and no wildcards.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if files.ca:
        _trust(context, files.ca)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if files.certificates:
        _load(context, files.certificates[0])  # mutual TLS: a carrier may know us by it
    return context


def _harden(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if files.minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION


def _load(context: ssl.SSLContext, entry: str) -> None:
    chain, _, key = entry.partition(":")
    try:
        context.load_cert_chain(chain, key or None, password=_no_password)
    except ssl.SSLError as error:
        said = (error.reason or str(error)).replace("_", " ").lower()
        raise TlsError(f"tls_certificates: {entry}: expected a PEM chain and its unencrypted key: {said}") from error
    except OSError as error:
        raise TlsError(f"tls_certificates: cannot read {entry}: {error.strerror}") from error
    except ValueError as error:
        raise TlsError(f"tls_certificates: {entry}: {error}") from error


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise TlsError(f"tls_ca: {ca}: expected PEM certificates") from error
    except OSError as error:
        raise TlsError(f"tls_ca: cannot read {ca}: {error.strerror}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted: expected one that needs no password")


def _own(chain: str) -> tuple[Sequence[str], int]:
    """The DNS names of one of our certificates, for SNI, and the UTC second at which it ends."""
    from cryptography import x509  # not needed by an edge that speaks no TLS

    with open(chain, "rb") as file:
        certificate = x509.load_pem_x509_certificates(file.read())[0]
    end = calendar.timegm(certificate.not_valid_after_utc.utctimetuple())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), end
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)], end
