# SPDX-License-Identifier: BSD-3-Clause
"""obfs3 and obfs2 between ptah and obfs4proxy, in both roles."""

import socket
import threading

import pytest

from conftest import need
from curling import download, upload
from household import wait_for
from pair import Client, Server, program_path
from servers import HttpServer, digest, payload

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

    def connect(self):
        """A connection through both, by SOCKS 5 without a login."""
        s = socket.create_connection((self.client.host, self.client.port), 20)
        s.sendall(b"\5\1\0")
        assert s.recv(2, socket.MSG_WAITALL) == b"\5\0"
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
    failed = []

    def some(n):
        try:
            for i in range(10):
                download(pair.how(), pair.server.host, pair.server.port,
                    20000 + n * 1000 + i, 10 * n + i)
        except AssertionError as e:
            failed.append(e)

    threads = [threading.Thread(target=some, args=(n,)) for n in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed[0]
    assert web.n_accepted == 100


def receive(s, size):
    s.settimeout(30)
    got = bytearray()
    while len(got) < size:
        part = s.recv(min(size - len(got), 65536))
        assert part, "ended after %d of %d bytes" % (len(got), size)
        got += part
    return bytes(got)


class Target:
    """Takes one connection; reads to its end, or sends and closes."""

    def __init__(self, send=b""):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.send, self.got = send, b""
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            s, _ = self.listener.accept()
        except OSError:
            return
        with s:
            s.settimeout(30)
            s.sendall(self.send)
            if self.send:
                s.shutdown(socket.SHUT_WR)
            while True:
                part = s.recv(65536)
                if not part:
                    break
                self.got += part

    def close(self):
        self.listener.close()


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
