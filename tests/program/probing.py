# SPDX-License-Identifier: BSD-3-Clause
"""What somebody who does not know a server may send it, and what comes back.

A transport takes part by a line in KINDS.  Nothing here knows its wire: the
first bytes of a real client are taken from a ptah client that dials a port
of the test.
"""
import os
import select
import socket
import time

from harness import (E1C, E1S, MODULES, Patience, Ptah, Server, connect, poll,
                     recv_exact)

PASSWORD = b"the word that the target waits for"
ANSWER = b"what the target then says"


class Kind:
    """A transport, as the matrix sees it."""

    def __init__(self, name, says=(0, 0), server="", client="", hello=True,
                 shuts=False, label=None):
        self.name = name
        self.label = label or name
        self.says = says      # how much a server says to whoever connects
        self.server = server  # options of the server, NAME:KEY=VALUE;...
        self.client = client  # arguments of the client beside those announced
        self.hello = hello    # a client speaks without its application
        self.shuts = shuts    # who is refused hears EOF, and is read on

    def is_here(self):
        return os.path.exists(os.path.join(MODULES, self.name + ".so"))


KINDS = [
    Kind("obfs4", client="iat-mode=0"),
    Kind("scramblesuit"),
    Kind("shadow", server="shadow:password=ducks and drakes",
         client="password=ducks and drakes", hello=False),
    # Its specification has the server shut its side.
    Kind("shadow", label="shadow-2022", shuts=True, hello=False,
         server="shadow:profile=ss;shadow:cipherName="
                "2022-blake3-aes-128-gcm;"
                "shadow:password=AAECAwQFBgcICQoLDA0ODw",
         client="profile=ss;cipherName=2022-blake3-aes-128-gcm;"
                "password=AAECAwQFBgcICQoLDA0ODw;target=192.0.2.1:9"),
    # These speak first, by design; and so whoever looks can tell.
    Kind("obfs3", says=(192, 192 + 4097)),
    Kind("obfs2", says=(24, 24 + 8192)),
]


class Target(Server):
    """Answers who says the password, and nobody else."""

    def serve(self, conn):
        seen = b""
        while True:
            got = conn.sock.recv(65536)
            if not got:
                return
            seen += got
            if seen.endswith(PASSWORD):
                conn.sock.sendall(ANSWER)
                seen = b""


class Recorder(Server):
    """Keeps what is said to it, and answers nothing."""

    def serve(self, conn):
        while True:
            got = conn.sock.recv(65536)
            if not got:
                return
            conn.data += got


class Bridge(Ptah):
    def __init__(self, kind, state, target, **changes):
        self.kind = kind
        env = {"TOR_PT_SERVER_TRANSPORTS": kind.name,
               "TOR_PT_SERVER_BINDADDR": kind.name + "-127.0.0.1:0"}
        if kind.server:
            env["TOR_PT_SERVER_TRANSPORT_OPTIONS"] = kind.server
        super().__init__(E1S(state, target, **dict(env, **changes)))

    def __enter__(self):
        super().__enter__()
        self.wait_done()
        _, self.where, rest = self.methods()[self.kind.name]
        args = rest.split("ARGS:")[1].replace(",", ";") if "ARGS:" in rest \
            else ""
        self.args = ";".join(dict.fromkeys(filter(None, (
            args + ";" + self.kind.client).split(";"))))
        return self


class Probers:
    """A bridge before a target, and a client that knows it."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder

    def __enter__(self):
        self.target = Target()
        self.bridge = Bridge(self.kind, self.folder / "bridge",
                             self.target.port)
        self.client = Ptah(E1C(self.folder / "client",
                               TOR_PT_CLIENT_TRANSPORTS=self.kind.name))
        self.bridge.__enter__()
        self.client.__enter__()
        self.client.wait_done()
        self.socks = []
        return self

    def __exit__(self, *why):
        for sock in self.socks:
            sock.close()
        try:
            self.client.__exit__(*why)
        finally:
            self.bridge.__exit__(*why)
            self.target.close()

    # --- who knows it

    def dial(self, where):
        """Ask the client for 'where', with the arguments of the bridge."""
        sock = connect(self.client.address(self.kind.name), 70)
        text = self.bridge.args.encode()
        if text:
            user, word = text[:255], text[255:] or b"\0"
            sock.sendall(b"\5\1\2" + b"\1" + bytes([len(user)]) + user +
                         bytes([len(word)]) + word)
            assert recv_exact(sock, 4) == b"\5\2\1\0"
        else:
            sock.sendall(b"\5\1\0")
            assert recv_exact(sock, 2) == b"\5\0"
        sock.sendall(b"\5\1\0\1" + socket.inet_aton(where[0]) +
                     where[1].to_bytes(2, "big"))
        self.socks.append(sock)
        return sock

    def gets_in(self):
        """Who knows the bridge reaches the target; the open connection."""
        sock = self.dial(self.bridge.where)
        assert recv_exact(sock, 10)[:2] == b"\5\0"
        self.talks(sock)
        return sock

    @staticmethod
    def talks(sock):
        sock.sendall(PASSWORD)
        assert recv_exact(sock, len(ANSWER)) == ANSWER

    def flight(self):
        """All that a client says as long as nobody answers."""
        with Recorder() as recorder:
            sock = self.dial((recorder.host, recorder.port))
            conn = recorder.wait_connections(1)[0]
            if not self.kind.hello:
                sock.sendall(PASSWORD)
            poll(lambda: conn.data, what="the client's first bytes")
            n, quiet = 0, Patience(0.5)
            while not quiet.is_over():
                if n != len(conn.data):
                    n, quiet = len(conn.data), Patience(0.5)
                time.sleep(0.01)
            sock.close()
            return conn.data

    # --- who does not

    def probe(self, data):
        """Connect and say it."""
        sock = connect(self.bridge.where)
        sock.sendall(data)
        self.socks.append(sock)
        return sock

    def first_words(self, socks):
        """Take what this transport says to everybody, and nothing more."""
        least, most = self.kind.says
        heard = {sock: 0 for sock in socks}

        def all_heard():
            ready, _, _ = select.select(socks, [], [], 0)
            for sock in ready:
                got = sock.recv(65536)
                assert got, "hung up after %d bytes" % heard[sock]
                heard[sock] += len(got)
            return min(heard.values()) >= least
        if most:
            poll(all_heard, what="the server's first words")
            while select.select(socks, [], [], 0.5)[0]:
                all_heard()
        assert max(heard.values()) <= most
        return list(heard.values())

    def spoken_to(self, socks, seconds):
        """Who is sent a byte meanwhile; nobody may be hung up on."""
        until = time.monotonic() + seconds
        watched, found = list(socks), []
        while watched:
            left = until - time.monotonic()
            ready, _, _ = select.select(watched, [], [], max(left, 0))
            for sock in ready:
                watched.remove(sock)
                if sock.recv(1, socket.MSG_PEEK):
                    found.append(sock)
                else:
                    assert self.kind.shuts, "hung up"
            if not ready:
                break
        return found

    def is_silent(self, socks, seconds):
        """Nobody is sent a byte meanwhile, and nobody is hung up on."""
        n = len(self.spoken_to(socks, seconds))
        assert n == 0, "%d of %d were answered" % (n, len(socks))


LENGTHS = [0, 1, 31, 32, 63, 64, 95, 96, 140, 141, 142, 191, 192, 193, 1447,
           1448, 1449, 4096, 8160, 8191, 8192, 8193, 16384, 65536]
TLS = bytes.fromhex("16030100a5010000a10303") + bytes(range(32)) + bytes(119)
CHANGED_MOST = 200


def probes(flight):
    """What to send, by name; 'flight' is what a real client says."""
    for n in LENGTHS:
        yield "random %d" % n, os.urandom(n)
        yield "zeros %d" % n, bytes(n)
    yield "ones", b"\xff" * 9000
    yield "http", b"GET / HTTP/1.1\r\nHost: example.invalid\r\n\r\n"
    yield "tls", TLS
    yield "ssh", b"SSH-2.0-OpenSSH_9.2\r\n"
    yield "cut short", flight[:-1]
    yield "half of it", flight[:len(flight) // 2]
    yield "one byte more", flight + b"x"
    n = len(flight)
    head, tail = CHANGED_MOST * 3 // 4, CHANGED_MOST // 4
    for at in range(n) if n <= CHANGED_MOST else \
            list(range(head)) + list(range(n - tail, n)):
        changed = bytearray(flight)
        changed[at] ^= 1 << at % 8
        yield "byte %d changed" % at, bytes(changed)
