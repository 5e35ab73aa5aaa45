# SPDX-License-Identifier: BSD-3-Clause
"""ScrambleSuit, whole: a bridge, and who has recorded or changed what a client says."""
import json
import os
import select
import socket
import stat

import pytest

import scramblemodel as model
from harness import (E1C, E1S, MODULES, Ptah, Server, connect, poll,
                     recv_exact)
from probing import probes

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "scramblesuit.so")),
    reason="built without scramblesuit")


class Bridge(Ptah):
    def __init__(self, state, target, *flags):
        super().__init__(E1S(
            state, target, TOR_PT_SERVER_TRANSPORTS="scramblesuit",
            TOR_PT_SERVER_BINDADDR="scramblesuit-127.0.0.1:0").plus(*flags))

    def __enter__(self):
        super().__enter__()
        self.wait_done()
        _, self.where, rest = self.methods()["scramblesuit"]
        self.password = rest.split("ARGS:password=")[1]
        return self

    def says(self, text):
        return [line for line in self.err_lines if text in line]

    def answers(self, hello):
        sock = connect(self.where)
        sock.settimeout(10)
        sock.sendall(hello.bytes)
        hello.read_answer(sock)
        return sock


@pytest.fixture
def bridge(tmp_path, echo):
    with Bridge(tmp_path / "bridge", echo.port) as b:
        yield b


def silent(socks, seconds):
    """Nobody was sent a byte, and nobody was hung up on."""
    ready, _, _ = select.select(socks, [], [], seconds)
    assert not ready, "%d of %d were answered or closed" % (
        len(ready), len(socks))


def say(where, data):
    sock = connect(where)
    sock.sendall(data)
    return sock


# --- clocks

@pytest.mark.parametrize("skew", [-1, 0, 1])
def test_an_hour_of_skew_is_answered_in_the_clients_hour(bridge, skew):
    bridge.answers(model.Hello(bridge.password, skew=skew)).close()
    assert not bridge.says("clock is")


@pytest.mark.parametrize("skew", [-2, 2, 23])
def test_a_clock_that_is_wrong_is_said_once(bridge, skew):
    """Only to the bridge's operator: the client hears nothing."""
    socks = [say(bridge.where, model.Hello(bridge.password, skew=skew).bytes)
             for _ in range(3)]
    poll(lambda: bridge.says("clock is"), what="the log to say it")
    silent(socks, 0.3)
    line, = bridge.says("clock is")
    assert "%d hours %s ours" % (
        abs(skew), "ahead of" if skew > 0 else "behind") in line
    assert "NTP" in line
    bridge.answers(model.Hello(bridge.password)).close()


def test_a_wrong_mac_is_no_clock(bridge):
    changed = bytearray(model.Hello(bridge.password).bytes)
    changed[-1] ^= 1
    silent([say(bridge.where, bytes(changed))], 0.3)
    assert not bridge.says("clock is")


# --- what was recorded, or changed on the way

class Tap(Server):
    """Passes on what a client says to a bridge, and keeps it; or only keeps it."""

    def __init__(self, bridge):
        self.bridge, self.passes = bridge, True
        self.flights = []
        super().__init__()

    def serve(self, conn):
        flight = bytearray()
        self.flights.append(flight)
        if not self.passes:
            while True:
                got = conn.sock.recv(65536)
                if not got:
                    return
                flight += got
        with socket.create_connection(self.bridge) as far:
            while True:
                ready, _, _ = select.select([conn.sock, far], [], [])
                for sock in ready:
                    got = sock.recv(65536)
                    if not got:
                        return
                    if sock is conn.sock:
                        flight += got
                    (far if sock is conn.sock else conn.sock).sendall(got)


class Recorded:
    """A ptah client before a bridge, and what it said there."""

    def __init__(self, folder, bridge):
        self.folder, self.bridge = folder, bridge
        self.tap = Tap(bridge.where)
        self.client = Ptah(E1C(folder,
                               TOR_PT_CLIENT_TRANSPORTS="scramblesuit"))

    def __enter__(self):
        self.client.__enter__()
        self.client.wait_done()
        return self

    def __exit__(self, *why):
        self.client.__exit__(*why)
        self.tap.close()

    def tickets(self):
        try:
            with open(self.folder / "scramblesuit_tickets.json") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def dial(self):
        sock = connect(self.client.address("scramblesuit"), 10)
        text = b"password=" + self.bridge.password.encode()
        sock.sendall(b"\5\1\2" + b"\1" + bytes([len(text)]) + text + b"\1\0")
        assert recv_exact(sock, 4) == b"\5\2\1\0"
        sock.sendall(b"\5\1\0\1" + socket.inet_aton(self.tap.host) +
                     self.tap.port.to_bytes(2, "big"))
        return sock

    def link(self):
        """The handshake of one that works, with what came behind it."""
        sock = self.dial()
        assert recv_exact(sock, 10)[1] == 0
        flight = bytes(self.tap.flights[-1])
        sock.sendall(b"ping")
        assert recv_exact(sock, 4) == b"ping"
        sock.close()
        poll(self.tickets, what="the next ticket")
        return flight

    def unheard(self):
        """The handshake of one that never came to the bridge."""
        self.tap.passes = False
        n = len(self.tap.flights)
        sock = self.dial()
        poll(lambda: len(self.tap.flights) > n and len(self.tap.flights[n]) >
             model.MAC_LEN, what="a flight")
        while True:
            length = len(self.tap.flights[n])
            if not select.select([sock], [], [], 0.2)[0] or \
                    length == len(self.tap.flights[n]):
                break
        sock.close()
        return bytes(self.tap.flights[n])


def test_tickets_that_another_has_are_not_missed(tmp_path, bridge):
    """Of two clients with one state folder the second keeps its own in memory."""
    folder = tmp_path / "client"
    with Recorded(folder, bridge) as first:
        first.link()
        with Recorded(folder, bridge) as second:
            for _ in range(3):
                second.link()
            first.link()
        assert first.tickets()


def test_obfs_126_a_recorded_handshake_across_a_restart(tmp_path, echo):
    """Of both kinds; with -replayState, for one process does not know another's."""
    state = tmp_path / "bridge"
    with Bridge(state, echo.port, "-replayState") as bridge, \
            Recorded(tmp_path / "client", bridge) as recorded:
        flights = [recorded.link()]
        poll(recorded.tickets, what="a ticket")
        recorded.link()
        flights.append(bytes(recorded.tap.flights[-1]))
        assert bridge.finish() == 0
    assert stat.S_IMODE((state / "ptah_replay").stat().st_mode) == 0o600
    with Bridge(state, echo.port) as bridge:
        for flight in flights:
            assert len(say(bridge.where, flight).recv(1)) == 1
        assert bridge.finish() == 0
    for _ in range(2):
        with Bridge(state, echo.port, "-replayState") as bridge:
            silent([say(bridge.where, flight) for flight in flights
                    for _ in range(20)], 0.3)
            bridge.answers(model.Hello(bridge.password)).close()
            assert bridge.finish() == 0


def test_obfs_126_a_ticket_that_was_changed(tmp_path, bridge):
    """Wherever: no byte for it, and no end.  As it was it is good, and once."""
    with Recorded(tmp_path / "client", bridge) as recorded:
        recorded.link()
        flight = recorded.unheard()
    socks = [say(bridge.where, data) for _, data in probes(flight)
             if not data.startswith(flight)]
    silent(socks, 0.7)
    first = say(bridge.where, flight)
    assert len(first.recv(1)) == 1
    again = [say(bridge.where, flight) for _ in range(20)]
    silent(socks + again, 0.5)
