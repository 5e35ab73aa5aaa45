# SPDX-License-Identifier: BSD-3-Clause
"""PROXY headers from a trusted proxy: who the client is, and who may say so.

The test is the proxy, the client behind it (dummy: its bytes are the payload)
and the target.
"""
import contextlib
import signal
import socket
import struct
import time

import pytest

import harness
import lines
import orport
from orport import DONE, TRANSPORT, USERADDR
from runner import Run, server

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client, at, family=4):
    """A line: addresses are (host, port)."""
    return ("PROXY TCP%d %s %s %d %d\r\n" % (family, client[0], at[0], client[1], at[1])).encode()


def v2(client, at, fields=b""):
    """The same in bytes."""
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    body = (socket.inet_pton(family, client[0]) + socket.inet_pton(family, at[0])
            + struct.pack(">HH", client[1], at[1]) + fields)
    return SIGNATURE + bytes([0x21, 0x21 if family == socket.AF_INET6 else 0x11]) + struct.pack(">H", len(body)) + body


LOCAL = SIGNATURE + b"\x20\0\0\0"
CLIENT, AT = ("192.0.2.7", 4321), ("198.51.100.9", 443)
CLIENT6, AT6 = ("2001:db8::7", 4321), ("2001:db8::9", 443)


@contextlib.contextmanager
def serving(tmp_path, trusted=("127.0.0.1",), **more):
    """A server; gives the run, and where it listens."""
    service = {"role": "server", "transport": "dummy", "listen": "127.0.0.1:0",
               "proxyProtocolFrom": list(trusted), **more}
    with Run(tmp_path, {"bridge": service}) as run:
        run.wait_ready()
        yield run, run.where("bridge")
        run.check()


@contextlib.contextmanager
def to_target(tmp_path, **more):
    """A server, and the listener of its target."""
    with lines.listen() as target, serving(tmp_path, target=lines.address(target), **more) as (run, where):
        yield run, where, target


HEADERS = [
    (v1(CLIENT, AT), "192.0.2.7:4321"),
    (v1(CLIENT6, AT6, 6), "[2001:db8::7]:4321"),
    (v2(CLIENT, AT), "192.0.2.7:4321"),
    (v2(CLIENT6, AT6, b"\x02\0\x04name"), "[2001:db8::7]:4321"),
    (v2(("::ffff:192.0.2.7", 4321), AT6), "192.0.2.7:4321"),
]


def test_extended_orport_hears_of_the_client(tmp_path):
    """USERADDR is whom the proxy names; what came behind the header is the client's."""
    cookie = orport.cookie_file(tmp_path / "cookie")
    with orport.Port() as port, serving(tmp_path, extorport=port.address,
                                        authcookie=str(tmp_path / "cookie")) as (_, where):
        for header, shown in HEADERS:
            with lines.connect(*where) as peer:
                peer.sendall(header + b"early")
                with port.accept() as exchange:
                    commands = exchange.talk(cookie)
                    assert commands == [(USERADDR, shown.encode()), (TRANSPORT, b"dummy"), (DONE, b"")], header
                    lines.expect(exchange.sock, b"early")
                    lines.echo_works(peer, exchange.sock)


def test_target_hears_of_the_client(tmp_path):
    """The header towards the target has both addresses that the proxy told."""
    with to_target(tmp_path, proxyProtocol=1) as (_, where, target):
        for bytewise in (False, True):
            with lines.connect(*where) as peer:
                lines.send(peer, v2(CLIENT, AT, b"\xe0\0\x02hi") + b"early", bytewise)
                with lines.accept(target) as sock:
                    lines.expect(sock, v1(CLIENT, AT) + b"early")
                    lines.echo_works(peer, sock)


def test_long_header_and_much_behind_it(tmp_path):
    """The longest header that is taken, and at once more than one read can take."""
    header = v2(CLIENT, AT, b"\xe0" + struct.pack(">H", 4096 - 12 - 3) + bytes(4096 - 12 - 3))
    body = bytes(range(256)) * 1024
    with to_target(tmp_path) as (_, where, target):
        with lines.connect(*where) as peer:
            peer.sendall(header + body[:30000])
            with lines.accept(target) as sock:
                peer.sendall(body[30000:])
                lines.expect(sock, body)


@pytest.mark.parametrize("header", [LOCAL, SIGNATURE + b"\x21\0\0\x03\x04\0\0", b"PROXY UNKNOWN\r\n"])
def test_proxy_that_names_nobody_is_the_peer(tmp_path, header):
    """A health check, or a client that it cannot name: the connection's own address counts."""
    with to_target(tmp_path, proxyProtocol=1) as (_, where, target):
        with lines.connect(*where) as peer:
            peer.sendall(header + b"early")
            with lines.accept(target) as sock:
                lines.expect(sock, v1(peer.getsockname(), where) + b"early")


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 192.0.2.7\r\n", v2(CLIENT, AT)[:20],
                                  SIGNATURE + b"\x31\0\0\0", v2(CLIENT, AT, b"\x03\0\x04\0\0\0\0"),
                                  b"PROXY UNKNOWN" + b" " * 100])
def test_trusted_source_without_a_header_is_refused(tmp_path, said):
    """Nothing goes to the target, and the log says what to write into haproxy's configuration."""
    with to_target(tmp_path) as (run, where, target):
        with lines.connect(*where) as peer:
            peer.sendall(said)
            peer.shutdown(socket.SHUT_WR)
            lines.expect_closed(peer)
        lines.expect_nobody(target, 0.1)
        run.wait_line("one of proxyProtocolFrom is closed.*send-proxy", "err")
        # It goes on.
        with lines.connect(*where) as peer:
            peer.sendall(v1(CLIENT, AT) + b"x")
            with lines.accept(target) as sock:
                lines.expect(sock, b"x")


def test_silent_proxy_is_closed(tmp_path):
    """Not all of a header in 5 s: it takes as long."""
    with to_target(tmp_path) as (run, where, target):
        began = time.monotonic()
        with lines.connect(*where) as silent, lines.connect(*where) as slow:
            slow.sendall(b"PROXY TCP4")
            lines.expect_closed(silent)
            lines.expect_closed(slow)
        assert time.monotonic() - began > 4.5
        lines.expect_nobody(target, 0.1)


@pytest.mark.parametrize("header", [v1(CLIENT, AT), v2(CLIENT, AT)])
def test_from_anyone_else_it_is_garbage(tmp_path, header):
    """The transport has it as any other bytes, and who is told of is the peer."""
    with to_target(tmp_path, trusted=("127.0.0.2", "192.0.2.0/24", "::1"), proxyProtocol=1) as (_, where, target):
        with lines.connect(*where) as peer:
            peer.sendall(header)
            with lines.accept(target) as sock:
                lines.expect(sock, v1(peer.getsockname(), where) + header)
        with socket.socket() as proxy:
            proxy.settimeout(lines.PATIENCE)
            proxy.bind(("127.0.0.2", 0))
            proxy.connect(where)
            proxy.sendall(header)
            with lines.accept(target) as sock:
                lines.expect(sock, v1(CLIENT, AT))


def test_frames_of_datagrams_come_behind_it(tmp_path):
    """A server of the UDP modes reads it, too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        target.settimeout(lines.PATIENCE)
        with serving(tmp_path, mode="transparent-UDP", target="%s:%d" % target.getsockname()) as (run, where):
            with lines.connect(*where) as peer:
                peer.sendall(v2(CLIENT, AT) + b"\0\x04ping")
                got, back = target.recvfrom(100)
                assert got == b"ping"
                target.sendto(b"pong", back)
                lines.expect(peer, b"\0\x04pong")
            with lines.connect(*where) as peer:
                peer.sendall(b"\0\x04ping")
                lines.expect_closed(peer)
            run.wait_line("one of proxyProtocolFrom is closed", "err")


def test_where_there_are_no_streams_it_is_refused(tmp_path):
    """A service of datagrams does not start, and says why."""
    service = {"role": "server", "transport": "dummy", "listen": "127.0.0.1:0", "target": "127.0.0.1:1",
               "mode": "transparent-UDP", "options": {"messages": True}, "proxyProtocolFrom": ["127.0.0.1"]}
    with Run(tmp_path, {"bridge": service}) as run:
        run.wait_line("it has no PROXY headers to read, for it takes datagrams", "err")
        assert run.exit() == 69


def test_drain_waits_for_a_proxy_that_is_speaking(tmp_path):
    """Half of a header is somebody who comes: it is served, and then it ends."""
    with to_target(tmp_path) as (run, where, target):
        header = v1(CLIENT, AT)
        with lines.connect(*where) as first:
            first.sendall(header + b"first")
            with lines.accept(target) as held, lines.connect(*where) as peer:
                lines.expect(held, b"first")
                peer.sendall(header[:20])
                time.sleep(0.1)  # it may be accepted meanwhile, and if not it waits in the queue
                run.signal(signal.SIGINT)
                harness.poll(lambda: any("drain" in line.lower() or "no new" in line for line in run.err_lines),
                             what="the drain")
                peer.sendall(header[20:] + b"late")
                with lines.accept(target) as sock:
                    lines.expect(sock, b"late")
                    lines.echo_works(peer, sock)
        assert run.exit() == 0


def test_gone_with_the_program(tmp_path):
    """Who waits with half a header does not hold up the end."""
    with to_target(tmp_path) as (run, where, _):
        with lines.connect(*where) as peer:
            peer.sendall(b"PROXY")
            time.sleep(0.05)
            assert run.finish() == 0
            lines.expect_closed(peer)
