# SPDX-License-Identifier: BSD-3-Clause
"""obfs4 written again, slowly, with whole numbers: a peer to test with.

It shares nothing with the module but the protocol, and can do wrong what a
test wants to see refused.
"""
import base64
import hashlib
import hmac
import os
import struct
import time

P = 2**255 - 19
A = 486662
PROTO = b"ntor-curve25519-sha256-1"
MASK64 = 2**64 - 1
MASK32 = 2**32 - 1


# --- Curve25519 and its representatives ------------------------------------

def inv(x):
    return pow(x, P - 2, P)


def is_square(x):
    return pow(x, (P - 1) // 2, P) in (0, 1)


def root(x):
    r = pow(x, (P + 3) // 8, P)
    if r * r % P != x % P:
        r = r * pow(2, (P - 1) // 4, P) % P
    assert r * r % P == x % P
    return r


def le(data):
    return int.from_bytes(data, "little")


def x25519(secret, public):
    k = bytearray(secret)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k, u = le(k), le(public) & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % P, c * b % P, a * a % P, b * b % P
        x3, z3 = (da + cb)**2 % P, u * (da - cb)**2 % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * inv(z2) % P).to_bytes(32, "little")


def decode(representative):
    r = le(representative) & (2**254 - 1)
    w = -A * inv(1 + 2 * r * r) % P
    e = (w**3 + A * w * w + w) % P
    u = w if is_square(e) else (-w - A) % P
    return u.to_bytes(32, "little")


def encode(public, top):
    """A representative of this key, with these two top bits, or None."""
    u = le(public)
    n = -2 * u * (u + A) % P
    if n == 0 or not is_square(n):
        return None
    r = root(inv(n)) * u % P
    if r > (P - 1) // 2:
        r = P - r
    out = bytearray(r.to_bytes(32, "little"))
    out[31] |= top << 6
    assert decode(out) == public
    return bytes(out)


def key_pair(top=None):
    """(secret, public, representative)."""
    while True:
        secret = os.urandom(32)
        public = x25519(secret, (9).to_bytes(32, "little"))
        rep = encode(public, os.urandom(1)[0] & 3 if top is None else top)
        if rep:
            return secret, public, rep


# --- frames ------------------------------------------------------------------

def rotl(x, n, bits):
    return (x << n | x >> bits - n) & ((1 << bits) - 1)


def salsa_rounds(x):
    x = list(x)
    for i in range(20):
        for j in range(4):
            a, b, c, d = ([5 * j + 4 * k & 15 for k in range(4)] if i % 2 == 0
                          else [4 * j + (j + k) % 4 for k in range(4)])
            x[b] ^= rotl(x[a] + x[d] & MASK32, 7, 32)
            x[c] ^= rotl(x[b] + x[a] & MASK32, 9, 32)
            x[d] ^= rotl(x[c] + x[b] & MASK32, 13, 32)
            x[a] ^= rotl(x[d] + x[c] & MASK32, 18, 32)
    return x


def salsa_input(key, nonce16):
    s = struct.unpack("<4I", b"expand 32-byte k")
    k = struct.unpack("<8I", key)
    n = struct.unpack("<4I", nonce16)
    return (s[0], *k[:4], s[1], *n, s[2], *k[4:], s[3])


def hsalsa(key, nonce16):
    x = salsa_rounds(salsa_input(key, nonce16))
    return struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def stream(key, nonce8, n):
    out = b""
    for block in range((n + 63) // 64):
        start = salsa_input(key, nonce8 + struct.pack("<Q", block))
        out += struct.pack("<16I", *(
            a + b & MASK32 for a, b in zip(salsa_rounds(start), start)))
    return out[:n]


def poly1305(key, data):
    r = le(key[:16]) & 0x0ffffffc0ffffffc0ffffffc0fffffff
    h = 0
    for i in range(0, len(data), 16):
        h = (h + le(data[i:i + 16] + b"\1")) * r % (2**130 - 5)
    return (h + le(key[16:]) & 2**128 - 1).to_bytes(16, "little")


def box(key, nonce, plain):
    pad = stream(hsalsa(key, nonce[:16]), nonce[16:], 32 + len(plain))
    sealed = bytes(a ^ b for a, b in zip(plain, pad[32:]))
    return poly1305(pad[:32], sealed) + sealed


def unbox(key, nonce, sealed):
    pad = stream(hsalsa(key, nonce[:16]), nonce[16:], 16 + len(sealed))
    assert poly1305(pad[:32], sealed[16:]) == sealed[:16], "not authentic"
    return bytes(a ^ b for a, b in zip(sealed[16:], pad[32:]))


class Masks:
    """The SipHash stream that hides lengths."""

    def __init__(self, seed):
        k0, k1 = struct.unpack("<2Q", seed[:16])
        self.v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
                  k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]
        self.last, self.n = le(seed[16:24]), 0

    @staticmethod
    def rounds(v, n):
        for _ in range(n):
            v[0] = v[0] + v[1] & MASK64
            v[1] = rotl(v[1], 13, 64) ^ v[0]
            v[0] = rotl(v[0], 32, 64)
            v[2] = v[2] + v[3] & MASK64
            v[3] = rotl(v[3], 16, 64) ^ v[2]
            v[0] = v[0] + v[3] & MASK64
            v[3] = rotl(v[3], 21, 64) ^ v[0]
            v[2] = v[2] + v[1] & MASK64
            v[1] = rotl(v[1], 17, 64) ^ v[2]
            v[2] = rotl(v[2], 32, 64)

    def next(self):
        self.v[3] ^= self.last
        self.rounds(self.v, 2)
        self.v[0] ^= self.last
        self.n += 8
        v, end = list(self.v), (self.n & 255) << 56
        v[3] ^= end
        self.rounds(v, 2)
        v[0] ^= end
        v[2] ^= 0xff
        self.rounds(v, 4)
        self.last = v[0] ^ v[1] ^ v[2] ^ v[3]
        return int.from_bytes(struct.pack("<Q", self.last)[:2], "big")


class Draws(Masks):
    """The same stream as numbers, from which a seed's tables are drawn."""

    def int63(self):
        self.next()
        return int.from_bytes(struct.pack("<Q", self.last), "big") & MASK64 >> 1

    def int31(self):
        return self.int63() >> 32

    def below(self, n):
        if n & n - 1 == 0:
            return self.int31() & n - 1
        most = 2**31 - 1 - 2**31 % n
        while True:
            drawn = self.int31()
            if drawn <= most:
                return drawn % n

    def fraction(self):
        while True:
            drawn = float(self.int63()) / 2.0**63
            if drawn < 1.0:
                return drawn


class Table:
    """A weighted choice of some of the numbers lo..hi."""

    def __init__(self, seed, lo, hi, biased=False):
        draws = Draws(seed)
        values = [0] * (hi - lo + 1)
        for i in range(len(values)):
            j = draws.below(i + 1)
            values[i], values[j] = values[j], i
        n = draws.below(min(len(values), 100)) + 1
        self.values = [lo + value for value in values[:n]]
        weights, taken = [], 0.0
        for _ in range(n):
            weight = draws.fraction()
            if biased:
                weight *= 1.0 - taken
                taken += weight
            weights.append(weight)
        self._alias(weights)

    def _alias(self, weights):
        n, whole = len(weights), 0.0
        for weight in weights:
            whole += weight
        scaled = [weight * n / whole for weight in weights]
        small = [i for i in range(n) if scaled[i] < 1]
        large = [i for i in range(n) if scaled[i] >= 1]
        self.prob, self.alias = [0.0] * n, [0] * n
        while small and large:
            low, high = small.pop(0), large.pop(0)
            self.prob[low], self.alias[low] = scaled[low], high
            scaled[high] = scaled[high] + scaled[low] - 1
            (small if scaled[high] < 1 else large).append(high)
        for i in large + small:
            self.prob[i] = 1.0

    def odds(self):
        """value -> how likely it is."""
        n = len(self.values)
        out = dict.fromkeys(self.values, 0.0)
        for i, prob in enumerate(self.prob):
            out[self.values[i]] += prob / n
            out[self.values[self.alias[i]]] += (1 - prob) / n
        return out


def lengths_of(seed):
    return Table(seed, 0, 1448)


def delays_of(seed):
    """In units of 100 us."""
    return Table(hashlib.sha256(seed).digest()[:24], 0, 100)


class Way:
    """One direction of a link."""

    def __init__(self, keys):
        self.key, self.prefix = keys[:32], keys[32:48]
        self.masks, self.n = Masks(keys[48:72]), 0
        self.rest, self.length = b"", None

    def nonce(self):
        self.n += 1
        return self.prefix + struct.pack(">Q", self.n)

    def seal_raw(self, packet, length=None):
        sealed = box(self.key, self.nonce(), packet)
        length = len(sealed) if length is None else length
        return struct.pack(">H", length ^ self.masks.next()) + sealed

    def seal(self, payload, kind=0, padding=0):
        return self.seal_raw(struct.pack(">BH", kind, len(payload)) + payload
                             + bytes(padding))

    def burst(self, data):
        return b"".join(self.seal(data[i:i + 1427])
                        for i in range(0, len(data), 1427))

    def open(self, data):
        """Packets (type, payload, bytes of padding) that are whole now."""
        self.rest += data
        out = []
        while True:
            if self.length is None and len(self.rest) >= 2:
                self.length = (struct.unpack(">H", self.rest[:2])[0]
                               ^ self.masks.next())
                assert 16 <= self.length <= 1446, self.length
                self.rest = self.rest[2:]
            if self.length is None or len(self.rest) < self.length:
                return out
            packet = unbox(self.key, self.nonce(), self.rest[:self.length])
            self.rest, self.length = self.rest[self.length:], None
            kind, n = struct.unpack(">BH", packet[:3])
            assert n <= len(packet) - 3
            out.append((kind, packet[3:3 + n], len(packet) - 3 - n))


# --- the handshake -----------------------------------------------------------

def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hour(skew=0):
    """Of a clock that is off it is not one that ends before this is read."""
    if skew:
        stay_in_the_hour()
    return b"%d" % (int(time.time()) // 3600 + skew)


def stay_in_the_hour():
    """Wait for the next one when this one has few seconds left."""
    left = 3600 - time.time() % 3600
    if left < 10:
        time.sleep(left + 0.1)


def agree(exp1, exp2, b_public, x_public, y_public, node):
    """(AUTH, 144 bytes of keys)."""
    suffix = b_public * 2 + x_public + y_public + PROTO + node
    secret = exp1 + exp2 + suffix
    seed = mac(PROTO + b":key_extract", secret)
    verify = mac(PROTO + b":key_verify", secret)
    auth = mac(PROTO + b":mac", verify, suffix, b"Server")
    key = mac(PROTO + b":key_extract", seed)
    keys, last = b"", b""
    for i in range(1, 6):
        last = mac(key, last, PROTO + b":key_expand", bytes([i]))
        keys += last
    return auth, keys[:144]


def read_cert(cert):
    """(node id, public key)."""
    whole = base64.b64decode(cert + "==")
    assert len(whole) == 52
    return whole[:20], whole[20:]


class Hello:
    """A client's first message, and what it makes of the answer."""

    def __init__(self, cert, pad=200, skew=0, pair=None, zero=None):
        self.node, self.b_public = read_cert(cert)
        self.key = self.b_public + self.node
        self.epoch = hour(skew)
        if zero is None:
            self.secret, self.public, rep = pair or key_pair()
        else:
            rep = bytes(31) + bytes([zero])
        head = rep + os.urandom(pad) + mac(self.key, rep)[:16]
        self.bytes = head + mac(self.key, head, self.epoch)[:16]

    def answer(self, data):
        """(way out, way in, what follows), or None if more must come."""
        if len(data) < 96:
            return None
        at = data.find(mac(self.key, data[:32])[:16], 64)
        if at < 0 or len(data) < at + 32:
            return None
        assert data[at + 16:at + 32] == mac(
            self.key, data[:at + 16], self.epoch)[:16], "MAC"
        y_public = decode(data[:32])
        auth, keys = agree(
            x25519(self.secret, y_public), x25519(self.secret, self.b_public),
            self.b_public, self.public, y_public, self.node)
        assert auth == data[32:64], "AUTH"
        return Way(keys[:72]), Way(keys[72:]), data[at + 32:]


class Link:
    """A client's connection to an obfs4 server, after its handshake."""

    def __init__(self, sock, hello, chop=None):
        self.sock = sock
        chop = chop or len(hello.bytes)
        for i in range(0, len(hello.bytes), chop):
            if i:
                time.sleep(0.003)
            sock.sendall(hello.bytes[i:i + chop])
        got = b""
        while hello.answer(got) is None:
            more = sock.recv(65536)
            assert more, "the server closed"
            got += more
        self.n_reply = len(got)
        self.out, self.into, rest = hello.answer(got)
        self.packets = self.into.open(rest)

    def send(self, data):
        self.sock.sendall(self.out.burst(data))

    def payload(self):
        return b"".join(p for kind, p, _ in self.packets if kind == 0)

    def read(self, n):
        """Wait for n bytes of payload in all."""
        while len(self.payload()) < n:
            more = self.sock.recv(65536)
            assert more, "the server closed"
            self.packets += self.into.open(more)
        return self.payload()


class Identity:
    """A bridge of the test's own."""

    def __init__(self):
        self.node, self.b_secret = os.urandom(20), os.urandom(32)
        self.b_public = x25519(self.b_secret, (9).to_bytes(32, "little"))
        self.key = self.b_public + self.node
        self.cert = base64.b64encode(
            self.node + self.b_public).decode().rstrip("=")

    def reply(self, hello, pad=300, skew=0):
        """(message, way in, way out) for a whole hello."""
        for epoch in (hour(), hour(-1), hour(1)):
            if mac(self.key, hello[:-16], epoch)[:16] == hello[-16:]:
                break
        else:
            raise AssertionError("the client's MAC is wrong")
        if skew:
            epoch = hour(skew)
        secret, y_public, rep = key_pair()
        x_public = decode(hello[:32])
        auth, keys = agree(
            x25519(secret, x_public), x25519(self.b_secret, x_public),
            self.b_public, x_public, y_public, self.node)
        head = rep + auth + os.urandom(pad) + mac(self.key, rep)[:16]
        return (head + mac(self.key, head, epoch)[:16], Way(keys[:72]),
                Way(keys[72:]))
