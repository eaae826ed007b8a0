"""The slot of a key in a Redis Cluster: CRC16 (XMODEM) of its hash tag, modulo 16,384. Pure."""

import binascii

SLOTS = 16_384


def slot_of(key: str) -> int:
    """Of a key; what stands between the first `{` and the next `}` decides, if there is anything."""
    start = key.find("{")
    if start >= 0:
        end = key.find("}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return binascii.crc_hqx(key.encode(), 0) % SLOTS
