# SPDX-License-Identifier: BSD-3-Clause
"""A module that says where to dial, and hears how its link ended.

The transport is tests/modules/finder.
"""

import contextlib
import signal
import socket
import time

import pytest

import harness
import lines
from harness import F3C, F3S, Ptah
from socks import Client, reply, request

NOWHERE = bytes.fromhex("05010001") + bytes(6)


@pytest.fixture
def far():
    with lines.listen() as s:
        yield s


@contextlib.contextmanager
def finder(**options):
    """A client without a serverAddress."""
    start = F3C(1, transport="finder", options=harness.options(**options))
    with Ptah(start.plus("-ipcLogLevel", "INFO")) as p:
        p.wait_done()
        yield p


def ask(p):
    client = Client(p.address("finder"))
    client.send(b"\x05\x01\x00")
    client.expect(b"\x05\x00")
    client.send(NOWHERE)
    return client


def closed():
    return "127.0.0.1:%d" % harness.free_port()


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_places_are_tried_in_turn(far, wrong):
    """The first place that answers has the link, and knows which attempt it is."""
    places = [closed() for _ in range(wrong)] + [lines.address(far)]
    with finder(places=places) as p:
        with ask(p) as app:
            app.expect(reply(0))
            with lines.accept(far) as f:
                lines.echo_works(app.sock, f)
        p.wait_line("attempt %d ended with 0" % wrong)


@pytest.mark.parametrize("how,why", [("hangs up", -104), ("is silent", -110), ("lies", -74)])
def test_another_place_after_a_handshake_failed(far, how, why):
    """The link begins anew there, with all that the application said meanwhile."""
    with lines.listen() as bad, finder(places=[lines.address(bad), lines.address(far)], hear=True) as p:
        with ask(p) as app:
            app.send(b"early")
            with lines.accept(bad) as b:
                if how == "hangs up":
                    b.shutdown(socket.SHUT_WR)
                elif how == "lies":
                    b.sendall(b"-")
                with lines.accept(far) as f:
                    assert b.recv(1) == b"" # not a byte of the application
                    f.sendall(b"+")
                    app.expect(reply(0))
                    lines.expect(f, b"early")
                    lines.echo_works(app.sock, f)
        p.wait_line("attempt 0 ended with %d" % why)
        p.wait_line("attempt 1 ended with 0")
        p.signal(signal.SIGUSR1)
        line = p.wait_line("LOG INFO counters")
        assert " links_opened=1 " in line and " handshakes_failed=1 " in line


def test_no_place_shakes_hands(far):
    """The application hears of the last one, once there is no other."""
    with lines.listen() as bad, finder(places=[lines.address(bad)] * 3, hear=True) as p, ask(p) as app:
        for _ in range(3):
            lines.accept(bad).close()
        app.expect(reply(5))
        p.wait_line("attempt 2 ended with -104")


def test_no_place_answers():
    """The application hears why the last place failed."""
    with finder(places=[closed(), closed()]) as p, ask(p) as app:
        app.expect(reply(5))


def test_places_without_end():
    """A module that always knows another place keeps nobody for ever."""
    with finder(places=[closed()] * 100) as p:
        with ask(p) as app:
            app.expect(reply(5))
        p.signal(signal.SIGUSR1)
        assert " dials_failed=64 " in p.wait_line("LOG INFO counters")


def test_no_place_at_all():
    """Without a place there is nothing to dial."""
    with finder() as p, ask(p) as app:
        app.expect(reply(1))


def test_place_of_a_connection(far):
    """Places are options of the link, so a connection may name its own."""
    with finder(places=[closed()]) as p:
        with Client(p.address("finder")) as app:
            app.send(b"\x05\x01\x09")
            app.expect(b"\x05\x09")
            block = harness.options(places=[lines.address(far)]).encode()
            app.send(len(block).to_bytes(4, "big") + block + NOWHERE)
            app.expect(reply(0))
            with lines.accept(far) as f:
                lines.echo_works(app.sock, f)


def test_handshake_has_the_limit_of_its_module(far):
    """A client's handshake counts from connect, and ends at handshake_ms."""
    with finder(places=[lines.address(far)], wait=True) as p:
        start = time.monotonic()
        with ask(p) as app:
            app.expect(reply(6))
            assert 2.9 <= time.monotonic() - start <= 3 + 4 * harness.SLOW
        p.wait_line("attempt 0 ended with -110")


def test_server_ends_a_handshake_unseen(far):
    """A peer that never says who it is is not told when its time is over."""
    start = F3S(1, transport="finder", target=lines.address(far),
                options=harness.options(wait=True))
    with Ptah(start.plus("-ipcLogLevel", "INFO")) as p:
        p.wait_done()
        with lines.connect(*p.address("finder")) as peer:
            p.wait_line("attempt 0 ended with -110")
            lines.expect_silence(peer)
        lines.expect_nobody(far, 0.1)
