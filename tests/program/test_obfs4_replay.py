# SPDX-License-Identifier: BSD-3-Clause
"""OBFS-102 and OBFS-103: a handshake that was recorded is good once."""
import json
import os
import select
import signal
import socket
import stat

import pytest

import obfs4model as model
from harness import (E1C, E1S, MODULES, Ptah, Server, connect, recv_exact)
from lines import expect_closed
from test_obfs4 import Bridge, dial

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "obfs4.so")),
    reason="built without obfs4")

IDENTITY = ("node-id=%s", "83" * 20), ("private-key=%s", "0f" * 32), (
    "drbg-seed=%s", "c5" * 24)


def identity(*names):
    """The same bridge under each of these names."""
    return ";".join("%s:%s" % (name, how % value)
                    for name in names for how, value in IDENTITY)


class Tap(Server):
    """Passes on what a client says to a bridge, and keeps it."""

    def __init__(self, bridge):
        self.bridge = bridge
        self.heard = b""
        super().__init__()

    def serve(self, conn):
        with socket.create_connection(self.bridge) as far:
            while True:
                ready, _, _ = select.select([conn.sock, far], [], [])
                for sock in ready:
                    got = sock.recv(65536)
                    if not got:
                        return
                    if sock is far:
                        conn.sock.sendall(got)
                    else:
                        self.heard += got
                        far.sendall(got)


def record(tmp_path, bridge):
    """What a ptah client says first; nothing more until it is answered."""
    with Tap(bridge.where) as tap, \
            Ptah(E1C(tmp_path / "client", TOR_PT_CLIENT_TRANSPORTS="obfs4")) as p:
        p.wait_done()
        sock, code, _ = dial(p, (tap.host, tap.port), cert=bridge.cert)
        assert code == 0
        hello = tap.heard  # the SOCKS reply comes after the bridge's answer
        sock.sendall(b"ping")
        assert recv_exact(sock, 4) == b"ping"
        return hello


def say(where, data, n=1):
    socks = [connect(where) for _ in range(n)]
    for sock in socks:
        sock.sendall(data)
    return socks


def are_refused(where, hello, n):
    """As random bytes of that length are: not a byte, no end; and the end when the peer says it has no more."""
    socks = say(where, hello, n) + say(where, os.urandom(len(hello)))
    assert not select.select(socks, [], [], 0.3)[0]
    for sock in socks[-2:]:
        sock.sendall(os.urandom(9000))
    assert not select.select(socks, [], [], 0.1)[0]
    for sock in socks[-2:]:
        sock.shutdown(socket.SHUT_WR)
    for sock in socks[-2:]:
        expect_closed(sock)
    for sock in socks:
        sock.close()


def test_obfs_102_103_a_recorded_handshake_a_thousand_times(tmp_path, echo):
    with Bridge(tmp_path / "bridge", echo.port) as bridge:
        hello = record(tmp_path, bridge)
        for _ in range(4):
            are_refused(bridge.where, hello, 250)
        bridge.echoes()


class Remembering(Bridge):
    def __init__(self, state, target, *flags, **changes):
        Ptah.__init__(self, E1S(
            state, target, TOR_PT_SERVER_TRANSPORTS="obfs4",
            TOR_PT_SERVER_BINDADDR="obfs4-127.0.0.1:0", **changes
        ).plus("-replayState", *flags))
        self.state = state


def test_obfs_103_across_a_restart(tmp_path, echo):
    """With -replayState; without it one process does not know another's."""
    state = tmp_path / "bridge"
    with Remembering(state, echo.port) as bridge:
        hello = record(tmp_path, bridge)
        assert bridge.finish() == 0
    path = state / "ptah_replay"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(os.listdir(state)) == [
        "obfs4_bridgeline.txt", "obfs4_state.json", "ptah_replay"]
    with Bridge(state, echo.port) as bridge:
        assert len(say(bridge.where, hello)[0].recv(1)) == 1
        assert bridge.finish() == 0
    for _ in range(2):
        with Remembering(state, echo.port) as bridge:
            are_refused(bridge.where, hello, 250)
            bridge.echoes()
            assert bridge.finish() == 0
            assert bridge.err_protocol() == []
    assert hello[:32] not in path.read_bytes()


def test_obfs_103_at_the_second_listener(tmp_path, echo, module_dir):
    """Two listeners of one process, one identity: the first that hears it."""
    with open(os.path.join(module_dir, "second.json"), "w") as f:
        json.dump({"module": "obfs4"}, f)
    os.chmod(os.path.join(module_dir, "second.json"), 0o644)
    with Ptah(E1S(tmp_path / "two", echo.port,
                  TOR_PT_SERVER_TRANSPORTS="obfs4,second",
                  TOR_PT_SERVER_BINDADDR="obfs4-127.0.0.1:0,"
                  "second-127.0.0.1:0",
                  TOR_PT_SERVER_TRANSPORT_OPTIONS=identity("obfs4", "second")
                  ).plus("-moduleDir", module_dir)) as p:
        p.wait_done()
        methods = p.methods()
        certs = {rest.split("cert=")[1].split(",")[0]
                 for _, _, rest in methods.values()}
        assert len(methods) == 2 and len(certs) == 1
        cert = certs.pop()
        for first, second in [("obfs4", "second"), ("second", "obfs4")]:
            hello = model.Hello(cert)
            link = model.Link(connect(methods[first][1]), hello)
            link.send(b"ping")
            assert link.read(4) == b"ping"
            are_refused(methods[second][1], hello.bytes, 100)
            are_refused(methods[first][1], hello.bytes, 100)


def test_a_file_that_is_damaged_or_taken(tmp_path, echo):
    """It is said, and the bridge works all the same."""
    state = tmp_path / "bridge"
    state.mkdir()
    path = state / "ptah_replay"
    for text in (b"", b"ptahrpl1" + bytes(100), os.urandom(5000)):
        path.write_bytes(text)
        with Remembering(state, echo.port) as bridge:
            bridge.wait_line("ptah_replay is damaged", "err")
            hello = record(tmp_path, bridge)
            assert bridge.finish() == 0
        with Remembering(state, echo.port) as bridge:
            are_refused(bridge.where, hello, 3)
            with Ptah(E1S(state, echo.port).plus("-replayState")) as other:
                other.wait_done()
                other.wait_line("another ptah writes ptah_replay", "err")
                assert other.finish() == 0
            assert bridge.finish() == 0
            assert not [l for l in bridge.err_lines if "ptah_replay" in l]


def test_a_killed_process_leaves_the_file(tmp_path, echo):
    """The file of the last time it was written stays, whole."""
    state = tmp_path / "bridge"
    with Remembering(state, echo.port) as bridge:
        hello = record(tmp_path, bridge)
        assert bridge.finish() == 0
    with Remembering(state, echo.port) as bridge:
        bridge.echoes()
        bridge.signal(signal.SIGKILL)
        bridge.exit()
    with Remembering(state, echo.port) as bridge:
        are_refused(bridge.where, hello, 3)
        assert not [l for l in bridge.err_lines if "damaged" in l]
