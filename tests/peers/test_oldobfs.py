# SPDX-License-Identifier: BSD-3-Clause
"""obfs3 and obfs2 between ptah and obfs4proxy, in both roles."""

import bisect
import hmac
import math
import secrets
import socket
import socketserver
import threading

import pytest

from conftest import need
from curling import download, ten_by_ten, upload
from household import wait_for
from pair import Client, Server, program_path
from servers import HttpServer, Target, digest, payload, receive

TRANSPORTS = ["obfs3", "obfs2"]
PAIRS = [("ptah", "obfs4proxy"), ("obfs4proxy", "ptah"), ("ptah", "ptah")]
SIZES = [0, 1, 20000, 3 * 1024 * 1024 + 17]


class Pair:
    def __init__(self, house, transport, client, server, target,
            name=""):
        need("curl", client, server)
        self.house = house
        self.server = Server(house, program_path(server), transport,
            "127.0.0.1:%d" % target, name="server" + name)
        self.client = Client(house, program_path(client), transport,
            name="client" + name)

    def how(self):
        return ["--socks5", "%s:%d" % (self.client.host, self.client.port)]

    def connect(self, args=b""):
        """A connection through both, by SOCKS 5; 'args' are of this one."""
        s = socket.create_connection((self.client.host, self.client.port), 20)
        s.sendall(b"\5\1\2" if args else b"\5\1\0")
        assert s.recv(2, socket.MSG_WAITALL) == \
            (b"\5\2" if args else b"\5\0")
        if args:
            s.sendall(b"\1" + bytes([len(args)]) + args + b"\1\0")
            assert s.recv(2, socket.MSG_WAITALL) == b"\1\0"
        s.sendall(b"\5\1\0\1" + socket.inet_aton(self.server.host)
            + self.server.port.to_bytes(2, "big"))
        assert s.recv(10, socket.MSG_WAITALL)[:2] == b"\5\0"
        return s


@pytest.mark.parametrize("client,server", PAIRS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_obfs_018_019_sizes_both_ways(house, transport, client, server):
    web = house.add(HttpServer())
    pair = Pair(house, transport, client, server, web.port)
    for size in SIZES:
        download(pair.how(), pair.server.host, pair.server.port, size, size)
        upload(pair.how(), pair.server.host, pair.server.port, size, size,
            house.folder)


@pytest.mark.parametrize("client,server", PAIRS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_hundred_connections_ten_at_once(house, transport, client, server):
    """A hundred draws of each padding."""
    web = house.add(HttpServer())
    pair = Pair(house, transport, client, server, web.port)
    ten_by_ten(lambda n, i: download(pair.how(), pair.server.host,
        pair.server.port, 20000 + n * 1000 + i, 10 * n + i))
    assert web.n_accepted == 100


CLOSES = (1, 4097, 20000, 300001, 2000003)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_no_byte_is_lost_when_an_application_closes(house, transport):
    """It sends, and is gone at once."""
    for n, size in enumerate(CLOSES):
        target = house.add(Target())
        pair = Pair(house, transport, "ptah", "ptah", target.port, str(n))
        with pair.connect() as s:
            s.sendall(payload(size, n))
        wait_for("all has come", 30, lambda: len(target.got) >= size)
        assert digest(target.got) == digest(payload(size, n))


@pytest.mark.parametrize("client", ["ptah", "obfs4proxy"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_no_byte_is_lost_when_a_target_closes(house, transport, client):
    for n, size in enumerate(CLOSES):
        target = house.add(Target(payload(size, n)))
        pair = Pair(house, transport, client, "ptah", target.port, str(n))
        with pair.connect() as s:
            got = receive(s, size)
        assert digest(got) == digest(payload(size, n))


@pytest.mark.parametrize("server", ["ptah", "obfs4proxy"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_half_close_is_held(house, transport, server):
    """The application has said all and waits for the answer."""
    web = house.add(HttpServer())
    pair = Pair(house, transport, "ptah", server, web.port)
    with pair.connect() as s:
        s.sendall(b"GET /500000/7 HTTP/1.0\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        got = b""
        while b"\r\n\r\n" not in got:
            got += receive(s, 1)
        got += receive(s, 500000)
    assert digest(got.split(b"\r\n\r\n", 1)[1]) == digest(payload(500000, 7))


def test_obfs_121_obfs4proxy_has_no_shared_secret(house):
    """So that it can be tried between two ptahs only."""
    need("ptah", "obfs4proxy")
    web = house.add(HttpServer())
    pair = Pair(house, "obfs2", "obfs4proxy", "ptah", web.port)
    with socket.create_connection((pair.client.host, pair.client.port), 20) \
            as s:
        s.sendall(b"\5\1\2")
        assert s.recv(2, socket.MSG_WAITALL) == b"\5\2"
        args = b"shared-secret=hunter2"
        s.sendall(b"\1" + bytes([len(args)]) + args + b"\1\0")
        assert s.recv(2, socket.MSG_WAITALL) == b"\1\0"
        s.sendall(b"\5\1\0\1" + socket.inet_aton(pair.server.host)
            + pair.server.port.to_bytes(2, "big"))
        assert s.recv(10, socket.MSG_WAITALL)[:2] == b"\5\1"


# --- the end of a link --------------------------------------------------------

QUICK = 10  # seconds; a held EOF would take 60


def read_to_end(s, seconds=QUICK):
    s.settimeout(seconds)
    got = bytearray()
    while True:
        part = s.recv(65536)
        if not part:
            return bytes(got)
        got += part


@pytest.mark.parametrize("client", ["ptah", "obfs4proxy"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_application_hears_at_once_that_the_target_is_done(house,
        transport, client):
    """As of an answer without a length; no byte of it is lost, as some are
    where obfs4proxy is the server."""
    for n, size in enumerate(CLOSES):
        target = house.add(Target(payload(size, n)))
        pair = Pair(house, transport, client, "ptah", target.port, str(n))
        with pair.connect() as s:
            got = read_to_end(s)
        assert digest(got) == digest(payload(size, n))


@pytest.mark.parametrize("client", ["ptah", "obfs4proxy"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_both_done_ends_the_link_at_once(house, transport, client):
    """A question, an answer, the target's end, the application's end."""

    def answer(target, s):
        target.got = receive(s, 20000)
        s.sendall(payload(30000, 2))
        s.shutdown(socket.SHUT_WR)
        target.read_on(s)
    target = house.add(Target(act=answer))
    pair = Pair(house, transport, client, "ptah", target.port)
    with pair.connect() as s:
        s.sendall(payload(20000, 1))
        assert digest(read_to_end(s)) == digest(payload(30000, 2))
    assert target.ended.wait(QUICK)
    assert digest(target.got) == digest(payload(20000, 1))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_comes_after_the_targets_end_arrives(house, transport):
    """Between two ptahs the target's EOF ends one direction and no more."""

    def first(target, s):
        s.sendall(payload(30000, 2))
        s.shutdown(socket.SHUT_WR)
        target.read_on(s)
    target = house.add(Target(act=first))
    pair = Pair(house, transport, "ptah", "ptah", target.port)
    with pair.connect() as s:
        assert digest(read_to_end(s)) == digest(payload(30000, 2))
        s.sendall(payload(2000003, 1))
    assert target.ended.wait(QUICK)
    assert digest(target.got) == digest(payload(2000003, 1))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_half_close_send_says_an_eof_at_once(house, transport):
    """For those who know that there is a ptah at the other end."""

    def echo(target, s):
        target.read_on(s)
        s.sendall(target.got)
    target = house.add(Target(act=echo))
    pair = Pair(house, transport, "ptah", "ptah", target.port)
    with pair.connect(b"half-close=send") as s:
        s.sendall(payload(300001, 1))
        s.shutdown(socket.SHUT_WR)
        assert digest(read_to_end(s)) == digest(payload(300001, 1))
    assert target.ended.wait(QUICK)


# --- the lengths of paddings, beside those of the real program -----------------

N_DRAWS = 280
MOST_PAD = {"obfs3": 4097, "obfs2": 8192}
LEAST_HELLO = {"obfs3": 192, "obfs2": 24}
# Kolmogorov and Smirnov: one sample in four hundred million exceeds it.
KS_MOST = 3.2


def cumulated(values, x):
    return bisect.bisect_right(values, x) / len(values)


def assert_uniform(values, most):
    """... in 0 .. most."""
    values = sorted(values)
    assert values[0] >= 0 and values[-1] <= most
    gap = max(abs(cumulated(values, x) - (x + 1) / (most + 1))
        for x in range(most + 1))
    assert gap * math.sqrt(len(values)) < KS_MOST, values


def assert_alike(one, other):
    one, other = sorted(one), sorted(other)
    gap = max(abs(cumulated(one, x) - cumulated(other, x))
        for x in one + other)
    assert gap * math.sqrt(len(one) * len(other) / (len(one) + len(other))) \
        < KS_MOST, (one, other)


def hello_lengths_of_server(house, program, transport):
    """Who says nothing and goes hears a hello and no more."""
    server = Server(house, program_path(program), transport, "127.0.0.1:9",
        name="server-" + program)
    lengths = []
    for _ in range(N_DRAWS):
        with socket.create_connection((server.host, server.port), 20) as s:
            s.shutdown(socket.SHUT_WR)
            lengths.append(len(read_to_end(s)) - LEAST_HELLO[transport])
    return lengths


def hello_lengths_of_client(house, program, transport):
    client = Client(house, program_path(program), transport,
        name="client-" + program)
    lengths = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        for _ in range(N_DRAWS):
            with socket.create_connection((client.host, client.port), 20) as s:
                s.sendall(b"\5\1\0")
                assert s.recv(2, socket.MSG_WAITALL) == b"\5\0"
                s.sendall(b"\5\1\0\1" + socket.inet_aton("127.0.0.1")
                    + listener.getsockname()[1].to_bytes(2, "big"))
                peer, _ = listener.accept()
                with peer:
                    peer.shutdown(socket.SHUT_WR)
                    lengths.append(len(read_to_end(peer))
                        - LEAST_HELLO[transport])
    return lengths


@pytest.mark.parametrize("lengths_of", [hello_lengths_of_server,
    hello_lengths_of_client], ids=["server", "client"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_first_paddings_are_as_long_as_those_of_obfs4proxy(house, transport,
        lengths_of):
    need("ptah", "obfs4proxy")
    ours = lengths_of(house, "ptah", transport)
    theirs = lengths_of(house, "obfs4proxy", transport)
    assert_uniform(ours, MOST_PAD[transport])
    assert_uniform(theirs, MOST_PAD[transport])
    assert_alike(ours, theirs)


P = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF", 16)


def both_paddings_of_server(house, program):
    """Do the handshake of obfs3; the target speaks first."""
    target = house.add(Greeter())
    server = Server(house, program_path(program), "obfs3",
        "127.0.0.1:%d" % target.port, name="greeted-" + program)
    lengths = []
    for _ in range(N_DRAWS):
        with socket.create_connection((server.host, server.port), 20) as s:
            x = secrets.randbits(256) & ~1
            s.sendall(pow(2, x, P).to_bytes(192, "big"))
            key = int.from_bytes(receive(s, 192), "big")
            magic = hmac.new(pow(key, x, P).to_bytes(192, "big"),
                b"Responder magic", "sha256").digest()
            said = b""
            while magic not in said:
                part = s.recv(65536)
                assert part, "it ended before its magic"
                said += part
            lengths.append(said.index(magic))
    return lengths


class Greeter(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    class Hello(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(b"hello")
            try:
                self.request.recv(1)
            except OSError:
                pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Hello)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


def test_both_paddings_of_obfs3_are_as_long_as_those_of_obfs4proxy(house):
    """Where the magic begins: the sum of two uniform lengths."""
    need("ptah", "obfs4proxy")
    ours = both_paddings_of_server(house, "ptah")
    theirs = both_paddings_of_server(house, "obfs4proxy")
    assert max(ours) <= 2 * MOST_PAD["obfs3"]
    # as likely in each half, and more often in the middle than at the ends
    outer = sum(abs(n - MOST_PAD["obfs3"]) > MOST_PAD["obfs3"] // 2
        for n in ours)
    # a quarter of them, seven deviations at most from that; uniform sums would have half
    assert 20 < outer < 121
    assert_alike(ours, theirs)
