# SPDX-License-Identifier: BSD-3-Clause
"""Carriers, driven whole: a client that dials or pumps, a server that listens.

The transports are tests/modules/: tunnel (streams over TCP or through a child
of its own), letterbox (streams that begin with a head) and veil (a codec, for
stacks).
"""

import contextlib
import select
import signal
import socket

import pytest

import harness
import lines
from harness import F3C, F3S, Ptah, free_port
from socks import Client, reply, request

BLOCK = lines.pattern(300007)


@pytest.fixture
def far():
    """Where links are expected to end."""
    with lines.listen() as s:
        yield s


@contextlib.contextmanager
def pair(name, target, server=None, client=None, at=None):
    """A ptah server before 'target', and a client of it.

    'at' says where the server's wire is when its method line does not.
    """
    start = F3S(1, transport=name, target=target,
                options=harness.options(**(server or {})))
    with Ptah(start) as s:
        s.wait_done()
        host, port = at or s.address(name)
        more = dict(client or {}, serverAddress=f"{host}:{port}")
        with Ptah(F3C(1, transport=name, options=harness.options(**more),
                      ipcLogLevel="INFO")) as c:
            c.wait_done()
            c.where = c.address(name)
            yield c, s


def open_link(c):
    """Greet and ask; the destination is not what decides."""
    client = Client(c.where)
    client.send(b"\x05\x01\x00")
    client.expect(b"\x05\x00")
    client.send(request("127.0.0.1", 9))
    return client


def carries(c, far, greeting=b""):
    """One link, both ways, to the last byte and both EOFs."""
    with open_link(c) as app:
        app.expect(reply(0))
        app.expect(greeting)
        app.send(b"to the far end")
        with lines.accept(far) as there:
            lines.expect(there, b"to the far end")
            there.sendall(BLOCK)
            app.expect(BLOCK)
            app.send(BLOCK)
            lines.expect(there, BLOCK)
            app.sock.shutdown(socket.SHUT_WR)
            lines.expect_eof(there)
            there.sendall(b"last words")
            there.shutdown(socket.SHUT_WR)
            app.expect(b"last words")
            lines.expect_eof(app.sock)


@pytest.mark.parametrize("name, server, client", [
    ("tunnel", {}, {}),
    ("tunnel", {}, {"pump": True}),
    ("veil", {"key": 7, "over": "tunnel"}, {"key": 7, "over": "tunnel"}),
    ("veil", {"key": 7, "over": "letterbox"}, {"key": 7, "over": "letterbox"}),
], ids=["dialled", "pumped", "under a codec", "with a head under it"])
def test_a_carrier_dials_and_listens(far, name, server, client):
    with pair(name, lines.address(far), server, client) as (c, _):
        for _ in range(3):
            carries(c, far)


def test_a_carrier_goes_through_a_child_of_its_own(far):
    port = free_port()
    child = {"key": 3}
    server = {"via": "veil", "via-options": child, "at": f"127.0.0.1:{port}"}
    start = F3S(1, transport="tunnel", target=lines.address(far),
                bindport=free_port(), options=harness.options(**server))
    with Ptah(start) as s:
        s.wait_done()
        where = {"serverAddress": f"127.0.0.1:{port}", "via": "veil",
                 "via-options": child}
        with Ptah(F3C(1, transport="tunnel",
                      options=harness.options(**where))) as c:
            c.wait_done()
            c.where = c.address("tunnel")
            for _ in range(3):
                carries(c, far)


both_ways = pytest.mark.parametrize(
    "server", [{"whole": True, "greeting": "hello"}, {"greeting": "hello"}],
    ids=["handed over whole", "carried to a pipe"])


@both_ways
def test_what_a_carrier_read_too_much_is_not_lost(far, server):
    with pair("letterbox", lines.address(far), server) as (c, s):
        for _ in range(3):
            carries(c, far, b"hello")
        with lines.connect(*s.address("letterbox")) as wire:
            lines.send(wire, b"LBcame with the head")
            with lines.accept(far) as there:
                lines.expect(there, b"came with the head")
                lines.expect(wire, b"OKhello")


def test_a_carrier_hears_that_its_plain_end_failed():
    with pair("letterbox", f"127.0.0.1:{free_port()}") as (c, s):
        with lines.connect(*s.address("letterbox")) as wire:
            lines.send(wire, b"LBx")
            lines.expect(wire, b"NO")
            lines.expect_eof(wire)
        with open_link(c) as app:
            app.expect(reply(4))
        c.wait_line("the letterbox stays shut")


def test_who_does_not_knock_gets_no_link(far):
    with pair("letterbox", lines.address(far)) as (_, s):
        with lines.connect(*s.address("letterbox")) as wire:
            lines.send(wire, b"GET / HTTP/1.1")
            lines.expect_closed(wire)
        lines.expect_nobody(far)


def reaches(c, far):
    """Does a new link come to the far end?  If not, it ends."""
    with open_link(c) as late:
        with contextlib.suppress(OSError): # it may have ended
            late.send(b"late")
        while True:
            ready, _, _ = select.select([far, late.sock], [], [], lines.PATIENCE)
            assert ready, "it neither comes there nor ends"
            if far in ready:
                far.accept()[0].close()
                return True
            try:
                if not late.sock.recv(100):
                    return False
            except ConnectionResetError:
                return False


def test_drained_server_takes_no_stream(far):
    """SIGINT: what a carrier brings from then on is closed; what is there goes on to its end."""
    with pair("tunnel", lines.address(far)) as (c, s), open_link(c) as app:
        app.expect(reply(0))
        with lines.accept(far) as there:
            assert reaches(c, far)
            s.signal(signal.SIGINT)
            harness.poll(lambda: not reaches(c, far), what="the server to take nothing new")
            app.send(BLOCK)
            lines.expect(there, BLOCK)
            assert s.alive()
        app.sock.close()
        assert s.exit() == 0
