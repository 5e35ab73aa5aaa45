# SPDX-License-Identifier: BSD-3-Clause
"""Shadowsocks 2022 once more, in Python, for the tests alone.

Written from the specification and not from ptah's code: what the two agree
on is more than that ptah agrees with itself.  AES and ChaCha20 are those of
the cryptography package, BLAKE3 and what makes XChaCha20 of ChaCha20 are here.
"""
import base64
import os
import struct
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import (AESGCM,
                                                         ChaCha20Poly1305)
from cryptography.hazmat.primitives.hashes import SHA1  # noqa: F401
from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: F401

MASK = 0xffffffff
START = (0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
FIRST, LAST, ROOT, CONTEXT, MATERIAL = 1, 2, 8, 32, 64


def right(x, n):
    return (x >> n | x << (32 - n)) & MASK


def quarter(v, a, b, c, d, x, y):
    for add, by_d, by_b in ((x, 16, 12), (y, 8, 7)):
        v[a] = (v[a] + v[b] + add) & MASK
        v[d] = right(v[d] ^ v[a], by_d)
        v[c] = (v[c] + v[d]) & MASK
        v[b] = right(v[b] ^ v[c], by_b)


def blake3(data, key=START, flags=0):
    """The hash of one chunk: at most 1024 bytes."""
    chain = list(key)
    blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    for i, block in enumerate(blocks):
        f = flags | (FIRST if i == 0 else 0)
        if i == len(blocks) - 1:
            f |= LAST | ROOT
        words = struct.unpack("<16I", block.ljust(64, b"\0"))
        v = chain + list(START[:4]) + [0, 0, len(block), f]
        for _ in range(7):
            for k, at in enumerate(COLUMNS + DIAGONALS):
                quarter(v, *at, words[2 * k], words[2 * k + 1])
            words = [words[n] for n in ORDER]
        chain = [v[n] ^ v[n + 8] for n in range(8)]
    return struct.pack("<8I", *chain)


def derive(context, material, n):
    key = struct.unpack("<8I", blake3(context.encode(), START, CONTEXT))
    return blake3(material, key, MATERIAL)[:n]


def hchacha(key, nonce):
    """The key that XChaCha20 makes of its own and the first 16 bytes of a nonce."""
    v = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for a, b, c, d in COLUMNS + DIAGONALS:
            for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8),
                                (c, d, b, 7)):
                v[x] = (v[x] + v[y]) & MASK
                v[z] = right(v[z] ^ v[x], 32 - by)
    return struct.pack("<8I", *v[:4], *v[12:])


class XChaCha20Poly1305:
    def __init__(self, key):
        self.key = key

    def at(self, nonce):
        assert len(nonce) == 24
        return ChaCha20Poly1305(hchacha(self.key, nonce[:16])), \
            bytes(4) + nonce[16:]

    def encrypt(self, nonce, plain, more):
        aead, short = self.at(nonce)
        return aead.encrypt(short, plain, more)

    def decrypt(self, nonce, sealed, more):
        aead, short = self.at(nonce)
        return aead.decrypt(short, sealed, more)


CHACHA = "2022-blake3-chacha20-poly1305"


def aead_of(method):
    return ChaCha20Poly1305 if method == CHACHA else AESGCM


class Way:
    """One direction: a salt, and the boxes that follow it."""

    def __init__(self, psk, salt, method=""):
        self.salt = salt
        self.aead = aead_of(method)(derive("shadowsocks 2022 session subkey",
                                           psk + salt, len(psk)))
        self.n = 0

    def nonce(self):
        self.n += 1
        return (self.n - 1).to_bytes(12, "little")

    def seal(self, plain):
        return self.aead.encrypt(self.nonce(), plain, None)

    def open(self, sealed):
        return self.aead.decrypt(self.nonce(), sealed, None)

    def chunk(self, plain):
        return self.seal(struct.pack(">H", len(plain))) + self.seal(plain)


def chunks(way, sock, read):
    """The payloads that come, until EOF."""
    while True:
        head = read(sock, 18)
        if head is None:
            return
        n, = struct.unpack(">H", way.open(head))
        yield way.open(read(sock, n + 16))


def read(sock, n):
    """Exactly n bytes; None at a clean EOF."""
    got = b""
    while len(got) < n:
        more = sock.recv(n - len(got))
        if not more:
            assert not got, "EOF within %d bytes" % n
            return None
        got += more
    return got


ADDRESS = b"\3\x0bexample.com\x01\xbb"


def now(skew=0):
    """The time to say, so many seconds wrong.

    What is a second too far ahead would be right when the next one begins: so
    it is not said just before.
    """
    while skew > 0 and time.time() % 1 > 0.3:
        time.sleep(0.01)
    return int(time.time()) + skew


class Client:
    def __init__(self, psk, sock=None, method=""):
        self.psk, self.method = base64.b64decode(psk), method
        self.sock = sock
        self.out = Way(self.psk, os.urandom(len(self.psk)), method)
        self.into = None

    def request(self, payload=b"", padding=b"", kind=0, skew=0,
                address=ADDRESS):
        rest = address + struct.pack(">H", len(padding)) + padding + payload
        head = struct.pack(">BQH", kind, now(skew), len(rest))
        return self.out.salt + self.out.seal(head) + self.out.seal(rest)

    def send(self, data):
        self.sock.sendall(self.out.chunk(data))

    def payloads(self):
        """All that the server says."""
        n = len(self.psk)
        salt = read(self.sock, n)
        if salt is None:
            return
        self.into = Way(self.psk, salt, self.method)
        kind, when = struct.unpack(">BQ", (head := self.into.open(
            read(self.sock, 11 + n + 16)))[:9])
        assert kind == 1 and abs(when - time.time()) < 30
        assert head[9:9 + n] == self.out.salt
        yield self.into.open(read(
            self.sock, struct.unpack(">H", head[9 + n:])[0] + 16))
        yield from chunks(self.into, self.sock, read)

    def hear(self, n):
        """So many bytes of what the server says."""
        got = b""
        for payload in self.payloads():
            got += payload
            if len(got) >= n:
                break
        return got


class Server:
    """What a server makes of one connection."""

    def __init__(self, psk, sock, method=""):
        self.psk, self.sock = base64.b64decode(psk), sock
        first = sock.recv(65536)
        n = len(self.psk)
        assert len(first) >= n + 27, "the headers come in one write"
        self.into = Way(self.psk, first[:n], method)
        kind, when, length = struct.unpack(
            ">BQH", self.into.open(first[n:n + 27]))
        assert kind == 0 and abs(when - time.time()) < 30
        rest = first[n + 27:]
        # with the second header whole, unless it is longer than a segment,
        # which is at most half of the window that the peer opened with
        assert len(rest) >= min(length + 16, 16384)
        if len(rest) < length + 16:
            rest += read(sock, length + 16 - len(rest))
        plain = self.into.open(rest[:length + 16])
        self.early = rest[length + 16:]
        at = {1: 7, 3: 4 + plain[1], 4: 19}[plain[0]]
        self.address = plain[:at]
        self.padding, = struct.unpack(">H", plain[at:at + 2])
        assert 0 <= self.padding <= 900
        self.payload = plain[at + 2 + self.padding:]
        assert self.padding or self.payload
        self.out = Way(self.psk, os.urandom(n), method)

    def respond(self, payload, salt=None, skew=0, kind=1):
        head = struct.pack(">BQ", kind, now(skew)) + \
            (salt or self.into.salt) + struct.pack(">H", len(payload))
        return self.out.salt + self.out.seal(head) + self.out.seal(payload)


# --- datagrams ---------------------------------------------------------------

def block(key, plain, back=False):
    """AES of one block."""
    cipher = Cipher(algorithms.AES(key), modes.ECB())
    run = cipher.decryptor() if back else cipher.encryptor()
    return run.update(plain) + run.finalize()


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def body_aead(key, session):
    return AESGCM(derive("shadowsocks 2022 session subkey", key + session,
                         len(key)))


def split(plain):
    """Padding, address and body of what stands behind the times."""
    n, = struct.unpack(">H", plain[:2])
    assert n <= 900 and plain[2:2 + n] == bytes(n)
    rest = plain[2 + n:]
    at = {1: 7, 3: 4 + rest[1], 4: 19}[rest[0]]
    return n, rest[:at], rest[at:]


class Packets:
    """One session's datagrams, of either end; 'psk' may be several with colons."""

    def __init__(self, psk, kind):
        self.keys = [base64.b64decode(k) for k in psk.split(":")]
        self.kind = kind
        self.session = os.urandom(8)
        self.number = 0

    def seal(self, body, address=ADDRESS, padding=0, skew=0, number=None,
             client=b"", kind=None):
        """'client': its session, in what a server sends."""
        if number is None:
            number, self.number = self.number, self.number + 1
        main = struct.pack(">BQ", self.kind if kind is None else kind,
                           now(skew)) + client
        main += struct.pack(">H", padding) + bytes(padding) + address + body
        return self.seal_main(self.session + number.to_bytes(8, "big"), main)

    def open(self, packet):
        """What the other end has sent: its session, number, client's session, padding, address, body."""
        plain, main = self.open_main(packet)
        kind, when = struct.unpack(">BQ", main[:9])
        assert kind == 1 - self.kind and abs(when - time.time()) < 30
        client = b"" if self.kind == 1 else main[9:17]
        return (plain[:8], int.from_bytes(plain[8:], "big"), client) + \
            split(main[9 + len(client):])

    def seal_main(self, plain, main):
        """'plain': session and number, in a block of their own before 'main'."""
        request = self.kind == 0
        head = block(self.keys[0 if request else -1], plain)
        for one, after in zip(self.keys, self.keys[1:] if request else []):
            head += block(one, xor(blake3(after)[:16], plain))
        return head + body_aead(self.keys[-1], self.session).encrypt(
            plain[4:], main, None)

    def open_main(self, packet):
        request = self.kind == 1
        plain = block(self.keys[0 if request else -1], packet[:16], True)
        at = 16
        for one, after in zip(self.keys, self.keys[1:] if request else []):
            assert packet[at:at + 16] == \
                block(one, xor(blake3(after)[:16], plain))
            at += 16
        return plain, body_aead(self.keys[-1], plain[:8]).decrypt(
            plain[4:], packet[at:], None)


class NoncePackets(Packets):
    """Those of the method with ChaCha20: a random nonce, and all else is sealed."""

    def seal_main(self, plain, main):
        key, = self.keys
        nonce = os.urandom(24)
        return nonce + XChaCha20Poly1305(key).encrypt(nonce, plain + main, None)

    def open_main(self, packet):
        key, = self.keys
        main = XChaCha20Poly1305(key).decrypt(packet[:24], packet[24:], None)
        return main[:16], main[16:]


def packets(method, psk, kind):
    return (NoncePackets if method == CHACHA else Packets)(psk, kind)
