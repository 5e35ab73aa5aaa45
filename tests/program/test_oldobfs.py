# SPDX-License-Identifier: BSD-3-Clause
"""obfs3 and obfs2 as a whole: what the host says of them and does with them."""
import os
import socket
import subprocess

import pytest

from harness import (E1S, F3C, F3S, MODULES, SLOW, Ptah, Server, environment,
                     poll, program, recv_all, recv_exact)
from lines import reset
from probing import KINDS, Bridge, Kind, Probers

ANSWERS = "answers whoever connects"
OLD = ["obfs3", "obfs2"]


@pytest.fixture(params=OLD)
def name(request):
    if not os.path.exists(os.path.join(MODULES, request.param + ".so")):
        pytest.skip("built without " + request.param)
    return request.param


def log_of(p, text):
    return [line for line in p.out_lines + p.err_lines if text in line]


def test_info_says_that_a_probe_finds_it(name):
    def info(of):
        return subprocess.run(
            [program()[0], "info", of], text=True, check=True,
            env=environment({"PTAH_MODULE_PATH": MODULES}),
            stdout=subprocess.PIPE).stdout
    said = info(name)
    assert "\nprobes      a server " + ANSWERS in said
    assert '\nasked for   by name only; "*" leaves it out\n' in said
    assert ANSWERS not in info("dummy")


def test_a_server_warns_once(name, echo):
    with Ptah(F3S(echo.port, transport=name)) as p:
        p.wait_done()
        poll(lambda: log_of(p, ANSWERS), what="the warning")
        assert p.finish() == 0
        said, = log_of(p, ANSWERS)
        assert name in said


def test_tor_hears_the_warning(name, echo, state):
    """At WARN, and so without being asked for more."""
    start = E1S(state, echo.port, TOR_PT_SERVER_TRANSPORTS=name,
                TOR_PT_SERVER_BINDADDR=name + "-127.0.0.1:0")
    with Ptah(start) as p:
        p.wait_done()
        assert len(poll(lambda: log_of(p, ANSWERS), what="the warning")) == 1


def test_a_client_has_nothing_to_warn_of(name):
    with Ptah(F3C(9, transport=name)) as p:
        p.wait_done()
        assert p.finish() == 0
        assert not log_of(p, ANSWERS)


def test_a_server_that_knows_its_peers_has_neither(echo):
    with Ptah(F3S(echo.port)) as p:
        p.wait_done()
        assert p.finish() == 0
        assert not log_of(p, ANSWERS)


def test_ipc_061_a_star_starts_neither_role(echo):
    where = ",".join(one + "-127.0.0.1:0" for one in OLD + ["dummy"])
    for start in (F3S(echo.port, transport=None, transports="*",
                      bindhost=None, bindport=None, bindaddr=where),
                  F3C(9, transport=None, transports="*")):
        with Ptah(start) as p:
            p.wait_done()
            assert p.finish() == 0
            asked = {line.split(" ")[1] for line in p.out_lines + p.err_lines
                     if line.split(" ")[0].startswith(("SMETHOD", "CMETHOD"))}
            assert "dummy" in asked
            assert not asked & set(OLD)


# --- links between two ptahs ------------------------------------------------------

def kind_of(name, **more):
    return next(Kind(k.name, k.says, **more) for k in KINDS if k.name == name)


def test_obfs_121_a_shared_secret_must_be_shared(tmp_path):
    if "obfs2.so" not in os.listdir(MODULES):
        pytest.skip("built without obfs2")
    kind = kind_of("obfs2", server="obfs2:shared-secret=hunter2",
                   client="shared-secret=hunter2")
    with Probers(kind, tmp_path) as p:
        p.gets_in()
        for wrong in ("shared-secret=hunter3", ""):
            p.bridge.args = wrong
            assert recv_exact(p.dial(p.bridge.where), 10)[1] == 1
        p.bridge.args = kind.client
        p.gets_in()


class OneWord(Server):
    """Says when it has heard a word, ends its direction, and reads on."""

    def serve(self, conn):
        while not conn.data.endswith(b"?"):
            got = conn.sock.recv(65536)
            if not got:
                conn.eof = True
                return
            conn.data += got
        conn.sock.sendall(b"x" * 100000)
        conn.sock.shutdown(socket.SHUT_WR)
        while True:
            got = conn.sock.recv(65536)
            if not got:
                break
            conn.data += got
        conn.eof = True


@pytest.fixture
def talk(name, tmp_path):
    """A connection of an application to a target, and that target."""
    with OneWord() as target, Probers(kind_of(name), tmp_path) as p, \
            Bridge(p.kind, tmp_path / "other", target.port) as bridge:
        sock = p.dial(bridge.where)
        assert recv_exact(sock, 10)[:2] == b"\5\0"
        yield sock, target


def test_the_targets_end_is_heard_at_once_and_is_no_end_of_ours(talk):
    sock, target = talk
    sock.sendall(b"well?")
    assert recv_all(sock) == b"x" * 100000
    sock.sendall(b"y" * 300000)
    sock.close()
    conn = target.connections[0]
    assert conn.closed.wait(10 * SLOW)
    assert conn.eof and conn.data == b"well?" + b"y" * 300000


def test_the_applications_end_is_held_until_it_is_answered(talk):
    """obfs4proxy would drop the answer."""
    sock, target = talk
    sock.sendall(b"well")
    sock.shutdown(socket.SHUT_WR)
    conn = target.wait_connections(1)[0]
    assert not conn.closed.wait(0.5)
    assert not conn.eof


def test_an_answered_end_ends_the_link_at_once(talk):
    sock, target = talk
    sock.sendall(b"well?")
    sock.shutdown(socket.SHUT_WR)
    assert recv_all(sock) == b"x" * 100000
    conn = target.connections[0]
    assert conn.closed.wait(10 * SLOW)
    assert conn.eof and conn.data == b"well?"


def test_an_application_that_is_gone_is_not_waited_for(talk):
    """It has said all, which is held; a reset says that it wants no answer."""
    sock, target = talk
    sock.sendall(b"well")
    sock.shutdown(socket.SHUT_WR)
    conn = target.wait_connections(1)[0]
    poll(lambda: conn.data, what="what it said")
    reset(sock)
    assert conn.closed.wait(10 * SLOW)  # a held EOF would take 60 s
    assert conn.eof and conn.data == b"well"
