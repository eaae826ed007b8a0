"""Traced messages as a capture file that every analyser reads. Pure.

libpcap's classic format with microseconds, raw IP packets (link type 101). Each message is one UDP datagram between the
addresses it went by. Those of TCP and TLS connections are written so as well: a reader needs neither reassembly nor
keys, and the message's own Via says what carried it.
"""

import struct
from ipaddress import ip_address

from edge.control.questions import TracedMessage

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
"""What the file begins with."""
_UDP = 17
_HOPS = 64
_MAX_IPV4 = 65_535 - 28
_MAX_IPV6 = 65_535 - 8
"""Bytes of a message that a datagram has room for; the rest is cut, and the file says how long it was."""


def packet(message: TracedMessage) -> bytes:
    """One record of the file. An address that is none (a name that was advertised) is written as 0.0.0.0 or ::."""
    is_in = message.way == "<"
    (source, source_port), (target, target_port) = (
        (message.remote, message.local) if is_in else (message.local, message.remote)
    )
    is_ipv6 = ":" in message.remote[0]
    whole = message.data
    data = whole[: _MAX_IPV6 if is_ipv6 else _MAX_IPV4]
    ends = _address(source, is_ipv6) + _address(target, is_ipv6)
    length = 8 + len(data)
    udp = struct.pack("!HHHH", source_port, target_port, length, 0) + data
    pseudo = ends + (struct.pack("!IHBB", length, 0, 0, _UDP) if is_ipv6 else struct.pack("!BBH", 0, _UDP, length))
    udp = udp[:6] + struct.pack("!H", _checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    if is_ipv6:
        ip = struct.pack("!IHBB", 6 << 28, length, _UDP, _HOPS) + ends
    else:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, _HOPS, _UDP, 0) + ends
        ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
    found = ip + udp
    seconds, micros = divmod(message.at_us, 1_000_000)
    return struct.pack("<IIII", seconds, micros, len(found), len(found) + len(whole) - len(data)) + found


def _address(host: str, is_ipv6: bool) -> bytes:
    try:
        packed = ip_address(host.partition("%")[0]).packed
    except ValueError:
        packed = b""
    size = 16 if is_ipv6 else 4
    return packed if len(packed) == size else bytes(size)


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
