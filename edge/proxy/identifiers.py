"""Names the edge gives: call uid, branch, tag, and the signed token it leaves in Record-Route.

Implements the branch construction of RFC 3261 §16.6 item 8 with the loop part of RFC 5393 §4.2.1, and the one of
§16.11 for what is forwarded without a transaction. Pure: randomness is an injected source, so that a test can name
every identifier.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import Final
from zlib import crc32

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from edge.sip.message import Request

MAGIC_COOKIE: Final = b"z9hG4bK"
UID_LENGTH: Final = 32
"""Characters of a call uid: 128 bits in hexadecimal."""
_SIGNATURE_LENGTH: Final = 16
MAX_FLOW_TEXT: Final = 80
"""Bytes of what a token carries besides: a flow, a mark of the trunks."""
_ROUTED_BY: Final = (b"route", b"proxy-authorization")
_ROUTING: Final = frozenset(_ROUTED_BY)
_HIDES: Final = b"\0hides\0"
"""Makes a signature of another kind; a Call-ID holds no NUL."""
_BRANCH_BYTES: Final = 10
_BLOCK_BYTES: Final = 4_096
_TOKEN_LENGTH: Final = 16
_DIGESTS_MAX: Final = 4_096
_NUMBER_BYTES: Final = 16

SEALED: Final = b"hidden-"
"""Before a word that `Identifiers.seal` made."""
_MAX_SEALED: Final = 8_192
_SEAL_KEY_BYTES: Final = 32
_SEAL: Final = b"trunkgate seal"
_DOOR: Final = b"trunkgate door"
_NONCE: Final = b"trunkgate nonce"
_DOOR_BYTES: Final = 6
_DOOR_UID: Final = 20


class FreshTokens:
    """Unpredictable 16-character hex tokens, 64 bits each, cut from blocks of the system's randomness."""

    __slots__ = ("_block", "_position", "_random")

    def __init__(self, random: Callable[[int], bytes]) -> None:
        """`random`: so many unpredictable bytes, as `os.urandom` gives them."""
        self._random = random
        self._block = b""
        self._position = 0

    def __call__(self) -> bytes:
        """The next token."""
        start = self._position
        if start >= len(self._block):
            self._block = self._random(_BLOCK_BYTES).hex().encode()
            start = 0
        self._position = start + _TOKEN_LENGTH
        return self._block[start : start + _TOKEN_LENGTH]


class Identifiers:
    """Makes every identifier that leaves this node."""

    __slots__ = ("_brancher", "_digests", "_fresh", "_numberer", "_sealing", "_secret", "_signer", "door")

    def __init__(self, *, secret: bytes, fresh: Callable[[], bytes], contacts: bytes = b"") -> None:
        """`secret`: key of the Record-Route signature, the same on every node that shares the traffic, 16 to 64 bytes.
        `fresh`: a new unpredictable token of token characters at each call (RFC 3261 §19.3 asks 32 random bits).
        `contacts`: key of the digests of called numbers, the same on every node of a store."""
        self._secret = secret
        self._fresh = fresh
        self._numberer = hmac.new(contacts or secret, digestmod="sha256")
        self._digests: dict[str, str] = {}
        """Of the numbers seen last: an account's own come again and again."""
        self._signer = blake2b(digest_size=_SIGNATURE_LENGTH // 2, key=secret)
        self._brancher = blake2b(digest_size=_BRANCH_BYTES, key=secret)
        """To be copied: the key is in them."""
        self._sealing: AESSIV | None = None
        self.door = blake2b(_DOOR, key=secret, digest_size=_DOOR_BYTES).hexdigest().encode()
        """How every To tag of `door_tag` begins, on any node that shares the secret: their ACKs are known by it."""

    def call_uid(self, request: Request, call_id: bytes, from_tag: bytes, cseq: int) -> str:
        """The uid of the attempt this INVITE makes: the same for the same INVITE on any node and after any restart, so
        that an INVITE sent again spends one CAPS token in all (ruling R6)."""
        via = request.via()
        key = b"\0".join((call_id, from_tag, b"%d" % cseq, via.branch or b"", via.host, b"%d" % (via.port or 0)))
        return blake2b(key, digest_size=UID_LENGTH // 2).hexdigest()

    def number_digest(self, number: str) -> str:
        """The word a number is counted and recorded under: nobody without the key can tell which number it is."""
        digest = self._digests.get(number)
        if digest is None:
            keyed = self._numberer.copy()
            keyed.update(number.encode())
            digest = keyed.digest()[:_NUMBER_BYTES].hex()
            if len(self._digests) >= _DIGESTS_MAX:
                self._digests.clear()
            self._digests[number] = digest
        return digest

    def door_tag(self, uid: str) -> bytes:
        """The To tag of what is refused without a transaction: the same for each repeat of the same INVITE, on any node
        and after a restart (RFC 3261 §8.2.7), and no other INVITE has it (§19.3)."""
        return self.door + uid[:_DOOR_UID].encode()

    def nonce_key(self) -> bytes:
        """What the workers of one edge sign their digest challenges with."""
        return blake2b(_NONCE, key=self._secret, digest_size=32).digest()

    def tag(self) -> bytes:
        """A To tag of our own (RFC 3261 §19.3)."""
        return self._fresh()

    def branch(self, loop_part: bytes) -> bytes:
        """A branch: globally unique first part, loop detection in the second (RFC 5393 §4.2.1)."""
        return MAGIC_COOKIE + self._fresh() + b"." + loop_part

    def stateless_branch(self, request: Request, loop_part: bytes) -> bytes:
        """A branch for what leaves without a transaction (the ACK to a 2xx): the same for every copy of it (§16.11)."""
        branch = request.via().branch
        if branch is None or not branch.startswith(MAGIC_COOKIE):
            # The sender's own rules do not make it unique: §16.11 names the fields that do.
            fields = (request.via().raw, *request.values(b"to"), *request.values(b"from"), request.call_id())
            branch = b"\0".join((*fields, b"%d" % request.cseq().number, request.uri))
        digest = self._brancher.copy()
        digest.update(branch)
        return MAGIC_COOKIE + digest.hexdigest().encode() + b"." + loop_part

    def token(self, uid: str, call_id: bytes, *, hides: bool = False, flow: bytes = b"") -> bytes:
        """What our Record-Route carries as its user: the uid, signed together with the Call-ID. Any node that knows the
        secret can route a request that carries it, and nobody else can make one. `hides`: the caller of this call is
        masked; a node that does not know the call learns it from the token (`hides_caller`). `flow`: where the caller
        really is (`observed`), letters and digits."""
        name = uid.encode() + b"-" + flow if flow else uid.encode()
        return name + b"-" + self._sign(name, call_id, hides)

    def hides_caller(self, token: bytes, call_id: bytes) -> bool:
        """Is this a token of ours, of a call whose caller is masked?"""
        name, _, signature = token.rpartition(b"-")
        return hmac.compare_digest(signature, self._sign(name, call_id, True))

    def read_token(self, token: bytes, call_id: bytes) -> str | None:
        """The uid in a token that is ours, or None."""
        name, _, signature = token.rpartition(b"-")
        if len(signature) != _SIGNATURE_LENGTH or len(name) > UID_LENGTH + 1 + MAX_FLOW_TEXT:
            return None
        if len(name) != UID_LENGTH and (len(name) < UID_LENGTH or name[UID_LENGTH] != 0x2D):
            return None
        is_ours = hmac.compare_digest(signature, self._sign(name, call_id, False))
        if not is_ours and not self.hides_caller(token, call_id):
            return None
        return name[:UID_LENGTH].decode("latin-1")

    @staticmethod
    def flow_of(token: bytes) -> bytes:
        """The flow that a token of ours carries; empty: none."""
        return token[UID_LENGTH + 1 :].rpartition(b"-")[0]

    def seal(self, text: bytes, about: bytes = b"") -> bytes:
        """This text as letters, digits, `-` and `_` that only a node with the secret can read (AES-SIV, RFC 5297: the
        same text gives the same word, so that a Contact stays one). `about`: what it belongs to; a word of another
        call does not open."""
        sealed = self._aes().encrypt(text, [about])
        return urlsafe_b64encode(sealed).rstrip(b"=")

    def unseal(self, word: bytes, about: bytes = b"") -> bytes | None:
        """The text; None where the word is none of ours, or was changed."""
        if len(word) > _MAX_SEALED:
            return None
        try:
            return self._aes().decrypt(urlsafe_b64decode(word + b"=" * (-len(word) % 4)), [about])
        except (InvalidTag, ValueError):
            return None

    def _aes(self) -> AESSIV:
        if self._sealing is None:  # few edges hide anybody
            self._sealing = AESSIV(blake2b(_SEAL, key=self._secret, digest_size=_SEAL_KEY_BYTES).digest())
        return self._sealing

    def _sign(self, name: bytes, call_id: bytes, hides: bool) -> bytes:
        signed = name + (_HIDES if hides else b"\0") + call_id
        signer = self._signer.copy()
        signer.update(signed)
        return signer.hexdigest().encode()


def number_digest(key: bytes, number: str) -> str:
    """A keyed digest of a number in E.164 (HMAC-SHA-256, 128 bits of it in hexadecimal)."""
    return hmac.digest(key, number.encode(), "sha256")[:_NUMBER_BYTES].hex()


def loop_part(request: Request, source: str, names: tuple[bytes, ...] = ()) -> bytes:
    """Checksum of everything that decides where a request goes (RFC 5393 §4.2.1, by which 32 bits do): Request-URI and
    routes as received, credentials, the neighbour it came from, and the header fields in which a neighbour names the
    account (`names`).

    A request that comes back from another neighbour is routed by another trunk's rules: that is a spiral. It does not
    vary with the method, so CANCEL and ACK agree with their INVITE. The Call-ID keeps two requests apart that collide
    (§4.2.4). To be made before route preprocessing."""
    key = b"%b\0%b\0%b" % (request.uri, source.encode(), request.call_id())
    if request.has_any(_ROUTING):
        names = _ROUTED_BY + names
    for name in names:
        for value in request.values(name):
            key += b"\0" + value
    return b"%d" % crc32(key)


def loop_part_of(branch: bytes) -> bytes:
    """The second part of a branch of ours."""
    return branch.rpartition(b".")[2]
