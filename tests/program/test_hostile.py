# SPDX-License-Identifier: BSD-3-Clause
"""Modules that misbehave: they lose their own links and nothing else."""
import pytest

from harness import (F3C, F3S, Ptah, connect, echoes, options, poll,
                     recv_all, socks5)
from rows import DONE, SDONE, comes_up

# (module, what its options add, is the link opened before it goes wrong?)
HOSTILE = [
    ("failopen", {}, False),
    ("stuck", {}, True),
    ("nonsense", {"kind": "eaten"}, True),
    ("nonsense", {"kind": "made"}, True),
    ("nonsense", {"kind": "answer"}, True),
    ("nonsense", {"kind": "twice"}, True),
]


def feed(sock, name):
    """Enough for it to go wrong.  One that takes nothing at all may be
    waiting for more, until it has been offered all that the host keeps."""
    try:
        sock.sendall(b"some bytes" * (1 if name != "stuck" else 1 << 20))
    except (ConnectionResetError, BrokenPipeError):
        pass


@pytest.mark.parametrize("name,more,opens", HOSTILE)
def test_hostile_client_module(echo, name, more, opens):
    """Its links end, with a reason in the log; others go on."""
    start = F3C(echo.port, transport=None, transports="dummy," + name,
                options=options(serverAddress="127.0.0.1:%d" % echo.port,
                                **more)).plus("-ipcLogLevel", "DEBUG")
    with Ptah(start) as p:
        p.wait_done()
        good, rep = socks5(p.address("dummy"), ("127.0.0.1", 1))
        assert rep == 0 and echoes(good)
        for _ in range(3):
            before = len(p.out_lines)
            bad, rep = socks5(p.address(name), ("127.0.0.1", 1))
            assert rep == (0 if opens else 1)
            if opens:
                feed(bad, name)
            assert recv_all(bad) == b""
            bad.close()
            p.wait_line(r"^LOG .*" + name, since=before)
        assert echoes(good, b"x" * 100000)
        good.close()
        assert p.finish() == 0
        assert p.err_protocol() == []


@pytest.mark.parametrize("name,more,opens", HOSTILE)
def test_hostile_server_module(echo, name, more, opens):
    """A peer of such a server is dropped, and the server lives on."""
    start = F3S(echo.port, transport=name).plus("-options", options(**more))
    with Ptah(start) as p:
        p.wait_done()
        for _ in range(3):
            with connect(p.address(name)) as sock:
                feed(sock, name)
                assert recv_all(sock) == b""
        assert p.alive()
    poll(lambda: all(c.closed.is_set() for c in echo.connections))
    assert all(c.data == b"" for c in echo.connections)


@pytest.mark.parametrize("name", ["wrongabi", "wrongmagic", "wrongname"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_module_that_is_refused(echo, name, role):
    """A wrong descriptor is a method error, beside a good one."""
    if role == "client":
        comes_up(F3C(echo.port, transport=None, transports=name + ",dummy"),
                 ["VERSION 3.0", "CMETHOD dummy socks5 127.0.0.1:<P>", DONE],
                 ["CMETHOD-ERROR %s <m>" % name])
    else:
        comes_up(F3S(echo.port, transport=name), ["VERSION 3.0", SDONE],
                 ["SMETHOD-ERROR %s <m>" % name])
