# SPDX-License-Identifier: BSD-3-Clause
"""The other side of a connection goes without a word, or says all and stays away."""

import contextlib
import select
import socket
import time

import pytest

import harness
import lines
from harness import Ptah
from socks import Client
from test_links import (Sender, chain, client_start, far, kernel_holds, receive, server_start, steps)

CLIENT, SERVER = "10.98.0.1", "10.98.0.2"


@contextlib.contextmanager
def two_hosts():
    """Namespaces with a wire between them."""
    with lines.namespace() as a, lines.namespace() as b:
        if a is None or b is None:
            pytest.skip("needs root and ip netns")
        a.ip("link", "add", "w0", "type", "veth", "peer", "name", "w0", "netns", b.name)
        for ns, address in ((a, CLIENT), (b, SERVER)):
            ns.ip("addr", "add", address + "/24", "dev", "w0")
            ns.ip("link", "set", "w0", "up")
        yield a, b


@contextlib.contextmanager
def link_between(a, b, *more):
    """An application on one host, its target on the other, and one link."""
    with b.inside():
        far = lines.listen()
        s = Ptah(server_start(lines.address(far), SERVER).plus(*more))
    with far, s:
        where = s.address("dummy")
        with a.inside():
            c = Ptah(client_start(where).plus("-mode", "transparent-TCP", *more))
        with c:
            with a.inside():
                app = harness.connect(c.address("dummy"))
            with app, far.accept()[0] as there:
                there.settimeout(10)
                app.sendall(b"ping")
                assert harness.recv_exact(there, 4) == b"ping"
                yield app, there


def ends(sock, seconds):
    sock.settimeout(seconds)
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True
    except socket.timeout:
        return False


def test_idle_link_ends_when_the_wire_is_cut():
    """Both ends of it are told, and neither sent anything."""
    with two_hosts() as (a, b), link_between(a, b, "-peerTimeout", "2") as (app, there):
        assert not ends(app, 3) # the peer answers: idle it may be
        b.ip("link", "del", "w0")
        assert ends(app, 20)
        assert ends(there, 20)


def test_idle_link_is_kept_when_nobody_asks():
    with two_hosts() as (a, b), link_between(a, b, "-peerTimeout", "0") as (app, there):
        b.ip("link", "del", "w0")
        assert not ends(app, 3)
        assert not ends(there, 1)


def test_half_closed_link_ends_when_the_wire_is_cut():
    """The server's wire end has said all, so nobody reads it, and yet its end is seen."""
    with two_hosts() as (a, b), link_between(a, b, "-peerTimeout", "2") as (app, there):
        app.shutdown(socket.SHUT_WR)
        assert there.recv(1) == b""
        assert not ends(app, 3)
        b.ip("link", "del", "w0")
        assert ends(app, 20)
        harness.poll(lambda: is_broken(there), what="the server's end of it")


def is_broken(sock):
    """Looked at from outside, for to write would be news for the kernel."""
    look = select.poll()
    look.register(sock, 0)
    return bool(look.poll(0))


# Half-closed, and a reader that does not read

def seconds(of):
    """The limit of a client and of a server."""
    return [("-peerTimeout", str(limit)) for limit in of]


@contextlib.contextmanager
def half_closed(far, limits, options):
    """An application that has said all, and a target that says more than can be on the way."""
    ours, theirs = seconds(limits)
    start = server_start(lines.address(far)).plus(*theirs).change(options=harness.options(**options))
    with Ptah(start) as s, Ptah(client_start(s.address("dummy"), *ours, **options)) as c, \
            Client(c.address("dummy"), rcvbuf=65536) as app:
        app.open()
        with lines.accept(far) as f:
            app.sock.shutdown(socket.SHUT_WR)
            assert f.recv(1) == b""
            sender = Sender(f, kernel_holds(3) + (40 << 20))
            yield app.sock, sender


# Either end is to see it by itself: which of two is first, a busy machine draws.
@pytest.mark.parametrize("limits", [(2, 0), (0, 2)], ids=["client", "server"])
@steps
def test_half_closed_and_nobody_reads(far, options, limits):
    """It ends although both sides are there and nobody is short of memory."""
    with half_closed(far, limits, options) as (app, sender):
        sender.join(20 * harness.SLOW)
        assert isinstance(sender.error, ConnectionError)
        # A transport may have no word for it, and who hears a FIN of a server cannot know more.
        with pytest.raises(ConnectionError) if limits[0] or not options else contextlib.nullcontext():
            while app.recv(1 << 20):
                pass


@steps
def test_half_closed_and_a_slow_reader(far, options):
    """Who takes a little now and then is left alone, far beyond the limit; takes 9 s, for no stop of the machine is that limit."""
    with half_closed(far, (4, 4), options) as (app, sender):
        end = time.monotonic() + 9
        got = 0
        while time.monotonic() < end:
            got += len(app.recv(65536))
            time.sleep(0.02)
        assert got > 0 and sender.error is None and sender.is_alive()


def test_open_and_nobody_reads(far):
    """Who has not said all may rest as long as he likes."""
    with chain(far, "-peerTimeout", "1") as (c, _), Client(c.where, rcvbuf=65536) as app:
        app.open()
        with lines.accept(far) as f:
            sender = Sender(f, kernel_holds(3) + (16 << 20))
            sender.stalled_at()
            time.sleep(4)
            assert sender.error is None and sender.is_alive()
            receive(app.sock)
            sender.join(lines.PATIENCE)
            assert sender.error is None


def test_half_closed_and_silent(far):
    """Nothing waits: an answer may take long."""
    with chain(far, "-peerTimeout", "1") as (c, _), Client(c.where) as app:
        app.open()
        with lines.accept(far) as f:
            app.sock.shutdown(socket.SHUT_WR)
            assert f.recv(1) == b""
            time.sleep(4)
            f.sendall(b"late")
            f.close()
            assert harness.recv_all(app.sock) == b"late"
