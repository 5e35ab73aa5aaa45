# SPDX-License-Identifier: BSD-3-Clause
"""orport.py: an Extended ORPort that does what the test tells it to.

Each step of the exchange is a method, so that a test can stop anywhere, lie
anywhere, and look at what came.  talk() walks the whole way.
"""

import hmac
import os
import struct

import lines

DONE = 0x0000
USERADDR = 0x0001
TRANSPORT = 0x0002
OKAY = 0x1000
DENY = 0x1001
CONTROL = 0x1002

MAGIC = b"! Extended ORPort Auth Cookie !\n"
TO_CLIENT = b"ExtORPort authentication server-to-client hash"
TO_SERVER = b"ExtORPort authentication client-to-server hash"


def cookie_file(path, cookie=None, whole=None):
    """Write a cookie file; 'whole' replaces all of its bytes."""
    cookie = os.urandom(32) if cookie is None else cookie
    path.write_bytes(MAGIC + cookie if whole is None else whole)
    return cookie


def frame(command, body=b""):
    """One command."""
    return struct.pack(">HH", command, len(body)) + body


def hash_of(which, cookie, client_nonce, server_nonce):
    """The formula of the handshake."""
    return hmac.new(cookie, which + client_nonce + server_nonce,
                    "sha256").digest()


class Port:
    """The listener."""

    def __init__(self, host="127.0.0.1"):
        self.listener = lines.listen(host)
        self.address = lines.address(self.listener)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        """The next connection that ptah makes."""
        return Exchange(lines.accept(self.listener))

    def flags(self, cookie_path):
        """What to add to a server's argv."""
        return ("-extorport", self.address, "-authcookie", str(cookie_path))


class Exchange:
    """One connection from ptah, step by step."""

    def __init__(self, sock):
        self.sock = sock
        self.client_nonce = None
        self.server_nonce = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def offer(self, types=b"\x01\x00"):
        """Send the list of authentication types."""
        self.sock.sendall(types)

    def read_nonce(self):
        """Hear the choice and the client's nonce."""
        lines.expect(self.sock, b"\x01")
        self.client_nonce = lines.read(self.sock, 32)

    def prove(self, cookie, right=True):
        """Send ServerHash and ServerNonce."""
        self.server_nonce = os.urandom(32)
        proof = hash_of(TO_CLIENT, cookie, self.client_nonce,
                        self.server_nonce)
        if not right:
            proof = proof[:31] + bytes([proof[31] ^ 1])
        self.sock.sendall(proof + self.server_nonce)

    def check(self, cookie):
        """Read ClientHash; it must be the one."""
        lines.expect(self.sock, hash_of(TO_SERVER, cookie, self.client_nonce,
                                        self.server_nonce))

    def status(self, status=1):
        """Say how the authentication went."""
        self.sock.sendall(bytes([status]))

    def authenticate(self, cookie):
        """All of it, in order."""
        self.offer()
        self.read_nonce()
        self.prove(cookie)
        self.check(cookie)
        self.status()

    def read_frame(self):
        """One command from ptah."""
        command, n = struct.unpack(">HH", lines.read(self.sock, 4))
        return command, lines.read(self.sock, n)

    def read_commands(self):
        """Every command up to DONE, which is the last of the list."""
        seen = []
        while not seen or seen[-1][0] != DONE:
            seen.append(self.read_frame())
            assert len(seen) <= 8, f"no DONE among {seen}"
        return seen

    def answer(self, command=OKAY, body=b""):
        """Send one command."""
        self.sock.sendall(frame(command, body))

    def talk(self, cookie):
        """Everything up to OKAY; gives the commands that came."""
        self.authenticate(cookie)
        seen = self.read_commands()
        self.answer()
        return seen
