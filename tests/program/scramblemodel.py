# SPDX-License-Identifier: BSD-3-Clause
"""A client of ScrambleSuit as far as a bridge's answer, in Python.

Written from the specification and not from ptah's code.  It knows what both
sides agree on, so a test can look for that; it says nothing behind its hello.
"""
import base64
import hashlib
import hmac
import os
import secrets
import time

from obfs4model import stay_in_the_hour

P = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
        "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
        "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
        "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
        "9ED529077096966D670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF",
        16)
PUBLIC_LEN = 192
MAC_LEN = 16
SHAKE_MOST = 1532


def mac128(key, *parts):
    return hmac.new(key, b"".join(parts), "sha256").digest()[:MAC_LEN]


def hour(skew=0):
    """Of a clock that is off it is not one that ends before this is read."""
    if skew:
        stay_in_the_hour()
    return b"%d" % (int(time.time()) // 3600 + skew)


def expand(master, n=144):
    """HKDF with SHA-256, its second half alone."""
    out = last = b""
    i = 0
    while len(out) < n:
        i += 1
        last = hmac.new(master, last + bytes([i]), "sha256").digest()
        out += last
    return out[:n]


class Hello:
    """What a client says first to who has this password."""

    def __init__(self, password, pad=100, skew=0):
        self.secret = base64.b32decode(password)
        self.epoch = hour(skew)
        self.x = secrets.randbits(1536) & ~1
        public = pow(2, self.x, P).to_bytes(PUBLIC_LEN, "big")
        padding = os.urandom(pad)
        mark = mac128(self.secret, public)
        self.bytes = public + padding + mark + mac128(
            self.secret, public, padding, mark, self.epoch)

    def read_answer(self, sock):
        """True, and self.shared, master and keys, if it is a good one."""
        got = b""
        while True:
            if len(got) >= PUBLIC_LEN:
                at = got.find(mac128(self.secret, got[:PUBLIC_LEN]),
                              PUBLIC_LEN)
                if at >= 0 and len(got) >= at + 2 * MAC_LEN:
                    break
            part = sock.recv(65536)
            assert part and len(got) < SHAKE_MOST
            got += part
        end = at + MAC_LEN
        assert got[end:end + MAC_LEN] == mac128(
            self.secret, got[:end], self.epoch)
        theirs = int.from_bytes(got[:PUBLIC_LEN], "big")
        self.shared = pow(theirs, self.x, P).to_bytes(PUBLIC_LEN, "big")
        self.master = hashlib.sha256(self.shared).digest()
        self.keys = expand(self.master)
