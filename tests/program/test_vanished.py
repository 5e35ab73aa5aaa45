# SPDX-License-Identifier: BSD-3-Clause
"""The other side of a connection goes without a word,."""

import contextlib
import socket

import pytest

import harness
import lines
from harness import Ptah
from test_links import client_start, server_start

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
        assert ends(app, 8)
        assert ends(there, 8)


def test_idle_link_is_kept_when_nobody_asks():
    with two_hosts() as (a, b), link_between(a, b, "-peerTimeout", "0") as (app, there):
        b.ip("link", "del", "w0")
        assert not ends(app, 3)
        assert not ends(there, 1)
