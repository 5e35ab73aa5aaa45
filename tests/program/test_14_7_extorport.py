# SPDX-License-Identifier: BSD-3-Clause
"""The Extended ORPort: rows IPC-230 to IPC-249.

The test is both the PT client (dummy: its bytes are the payload) and the OR.
"""

import contextlib
import os
import time

import pytest

import harness
import lines
import orport
from harness import E1S, F3S, Ptah
from orport import CONTROL, DENY, DONE, OKAY, TRANSPORT, USERADDR


@pytest.fixture
def port():
    """The Extended ORPort."""
    with orport.Port() as p:
        yield p


@pytest.fixture
def cookie_path(tmp_path):
    return tmp_path / "extended_orport_auth_cookie"


@contextlib.contextmanager
def server(port, cookie_path, host="127.0.0.1"):
    """A server whose target is the Extended ORPort."""
    start = F3S(1, bindhost=host).minus("target")
    with Ptah(start.plus(*port.flags(cookie_path))) as p:
        p.wait_done()
        p.where = p.address("dummy")
        yield p


def both_closed(peer, exchange):
    """Neither end hears another byte before its end."""
    lines.expect_closed(exchange.sock)
    lines.expect_closed(peer)


@contextlib.contextmanager
def pair(p, port, where=None):
    """A PT client, and the connection to the OR that it caused."""
    with lines.connect(*(where or p.where)) as peer:
        with port.accept() as exchange:
            yield peer, exchange


def whole_exchange(p, port, cookie):
    with pair(p, port) as (peer, ex):
        peer.sendall(b"early")
        ex.offer()
        ex.read_nonce()
        ex.prove(cookie)
        ex.check(cookie)
        lines.expect_silence(ex.sock, 0.1)
        ex.status()
        seen = ex.read_commands()
        assert [c for c, _ in seen] == [USERADDR, TRANSPORT, DONE]
        lines.expect_silence(ex.sock)
        ex.answer()
        lines.expect(ex.sock, b"early")
        lines.echo_works(peer, ex.sock)
        return ex.client_nonce


def test_ipc_230_whole_exchange(port, cookie_path):
    """The handshake, the commands, OKAY, and only then the payload."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p:
        nonces = {whole_exchange(p, port, cookie) for _ in range(3)}
        assert len(nonces) == 3


def test_ipc_230_by_environment(port, cookie_path, tmp_path):
    """The same, started as Tor does it."""
    cookie = orport.cookie_file(cookie_path)
    start = E1S(tmp_path, 1, TOR_PT_ORPORT=None,
                TOR_PT_EXTENDED_SERVER_PORT=port.address,
                TOR_PT_AUTH_COOKIE_FILE=str(cookie_path))
    with Ptah(start) as p:
        p.wait_done()
        p.where = p.address("dummy")
        whole_exchange(p, port, cookie)


def test_ipc_230_answers_come_byte_by_byte(port, cookie_path):
    """An OR that writes one byte at a time is understood."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        lines.send(ex.sock, b"\x02\x01\x03\x00", bytewise=True)
        ex.read_nonce()
        ex.server_nonce = os.urandom(32)
        lines.send(ex.sock, orport.hash_of(
            orport.TO_CLIENT, cookie, ex.client_nonce, ex.server_nonce) +
            ex.server_nonce, bytewise=True)
        ex.check(cookie)
        ex.status()
        ex.read_commands()
        lines.send(ex.sock, orport.frame(CONTROL, b"abc") +
                   orport.frame(OKAY) + b"hello", bytewise=True)
        lines.expect(peer, b"hello")


def test_ipc_231_hashes_follow_the_formula(port, cookie_path):
    """ClientHash is the HMAC of the two nonces; so are the vector's."""
    cookie = bytes(range(32))
    nonces = bytes(range(0x20, 0x40)), bytes(range(0x40, 0x60))
    assert orport.hash_of(orport.TO_CLIENT, cookie, *nonces).hex() == (
        "67cb22838690cf4c49434d4ea3164fbdcc936e46fd90ee62f511639a8456d133")
    assert orport.hash_of(orport.TO_SERVER, cookie, *nonces).hex() == (
        "4becde5c2fe8a9fed908d74f79be128d73abfbf82c009d3bdc17b4bc02740d58")
    orport.cookie_file(cookie_path, cookie)
    with server(port, cookie_path) as p, pair(p, port) as (_, ex):
        ex.offer()
        ex.read_nonce()
        ex.prove(cookie)
        ex.check(cookie)


def commands_of(port, cookie_path, host, where=None):
    """The commands, and the PT client's port."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path, host) as p:
        if where is not None:
            where = (where, p.where[1])
        with pair(p, port, where) as (peer, ex):
            ex.authenticate(cookie)
            seen = dict(ex.read_commands())
            ex.answer()
            lines.echo_works(peer, ex.sock)
            return seen, peer.getsockname()[1]


def test_ipc_232_address_of_the_peer(port, cookie_path):
    """USERADDR names the peer, in so many bytes."""
    seen, n = commands_of(port, cookie_path, "127.0.0.1")
    assert seen[USERADDR] == f"127.0.0.1:{n}".encode()


def test_ipc_233_address_of_an_ipv6_peer(port, cookie_path):
    """An IPv6 peer stands in brackets."""
    seen, n = commands_of(port, cookie_path, "::1")
    assert seen[USERADDR] == f"[::1]:{n}".encode()


def test_ipc_234_address_of_a_mapped_peer(port, cookie_path):
    """An IPv4 peer of an IPv6 listener is written as IPv4."""
    seen, n = commands_of(port, cookie_path, "::", "127.0.0.1")
    assert seen[USERADDR] == f"127.0.0.1:{n}".encode()


def test_ipc_235_transport_frame(port, cookie_path):
    """TRANSPORT is 0002 0005 and the name, bare."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (_, ex):
        ex.authenticate(cookie)
        ex.read_frame()
        lines.expect(ex.sock, bytes.fromhex("0002000564756d6d79"))


def test_ipc_236_nothing_after_done(port, cookie_path):
    """DONE is four bytes, and nothing follows it before OKAY."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        peer.sendall(b"payload " * 1000)
        ex.authenticate(cookie)
        ex.read_frame()
        ex.read_frame()
        lines.expect(ex.sock, bytes(4))
        lines.expect_silence(ex.sock, 0.5)
        ex.answer()
        lines.expect(ex.sock, b"payload " * 1000)


def test_ipc_237_wrong_server_hash(port, cookie_path):
    """A wrong ServerHash gets no ClientHash, but the end."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p:
        with pair(p, port) as (peer, ex):
            ex.offer()
            ex.read_nonce()
            ex.prove(cookie, right=False)
            both_closed(peer, ex)
        whole_exchange(p, port, cookie)


@pytest.mark.parametrize("status", [0, 2, 255])
def test_ipc_238_authentication_failed(port, cookie_path, status):
    """A status other than 01 closes both sides."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        ex.offer()
        ex.read_nonce()
        ex.prove(cookie)
        ex.check(cookie)
        ex.status(status)
        both_closed(peer, ex)


@pytest.mark.parametrize("types", [b"\x02\x00", b"\x00", b"\xff\xfe\x00"])
def test_ipc_239_no_known_type(port, cookie_path, types):
    """When SAFE_COOKIE is not offered, 00 is sent, and both close."""
    orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        ex.offer(types)
        lines.expect(ex.sock, b"\x00")
        both_closed(peer, ex)


def test_ipc_240_endless_types(port, cookie_path):
    """300 types without an end get nothing, or a lone 00, and the end."""
    orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        ex.offer(b"\x01" * 300)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while more := ex.sock.recv(64):
                got += more
        assert got in (b"", b"\x00")
        lines.expect_closed(peer)


def test_ipc_240_the_longest_list(port, cookie_path):
    """255 types and the 00 are legal."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (_, ex):
        ex.offer(b"\x02" * 254 + b"\x01\x00")
        ex.read_nonce()
        ex.prove(cookie)
        ex.check(cookie)


@pytest.mark.parametrize("body", [b"", b"go away"])
def test_ipc_241_denied(port, cookie_path, body):
    """DENY closes both sides; no payload was sent."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        peer.sendall(b"payload")
        ex.authenticate(cookie)
        ex.read_commands()
        ex.answer(DENY, body)
        both_closed(peer, ex)


def test_ipc_242_control_is_skipped(port, cookie_path):
    """CONTROL before OKAY is skipped."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        ex.authenticate(cookie)
        ex.read_commands()
        ex.sock.sendall(bytes.fromhex("10020003616263"))
        lines.expect_silence(peer, 0.1)
        ex.answer()
        lines.echo_works(peer, ex.sock)


def test_ipc_243_too_many_frames(port, cookie_path):
    """16 unknown frames are skipped, the 17th closes."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p:
        with pair(p, port) as (peer, ex):
            ex.authenticate(cookie)
            ex.read_commands()
            for i in range(16):
                ex.answer(0x7000 + i, b"x" * i)
            ex.answer()
            lines.echo_works(peer, ex.sock)
        with pair(p, port) as (peer, ex):
            ex.authenticate(cookie)
            ex.read_commands()
            for i in range(17):
                ex.answer(0x7000 + i)
            both_closed(peer, ex)


def test_ipc_244_body_of_okay_is_skipped(port, cookie_path):
    """What follows OKAY and its body belongs to the stream."""
    cookie = orport.cookie_file(cookie_path)
    with server(port, cookie_path) as p, pair(p, port) as (peer, ex):
        ex.authenticate(cookie)
        ex.read_commands()
        ex.sock.sendall(orport.frame(OKAY, b"hello") + b"stream bytes")
        lines.expect(peer, b"stream bytes")
        lines.echo_works(peer, ex.sock)


def test_ipc_245_no_answer(port, cookie_path):
    """An OR that goes silent, or that dawdles, is closed after 5 s."""
    cookie = orport.cookie_file(cookie_path)
    start = time.monotonic()
    with server(port, cookie_path) as p, \
            pair(p, port) as (peer, silent):
        with pair(p, port) as (peer2, late), pair(p, port) as (peer3, slow):
            late.authenticate(cookie)
            late.read_commands()
            ended = {}
            watched = {silent.sock: "silent", late.sock: "late",
                       peer: "peer", peer2: "peer2", peer3: "peer3"}
            for s in watched:
                s.setblocking(False)

            def look():
                with contextlib.suppress(OSError):
                    # a type every 100 ms or so is no progress
                    if time.monotonic() - start > 0.1 * look.n:
                        look.n += 1
                        slow.sock.send(b"\x02")
                for s, name in watched.items():
                    if name in ended:
                        continue
                    try:
                        got = s.recv(64)
                    except BlockingIOError:
                        continue
                    except ConnectionResetError:
                        got = b""
                    assert not got, f"{name} was sent {got.hex()}"
                    ended[name] = time.monotonic() - start
                return len(ended) == len(watched)

            look.n = 1
            harness.poll(look, 12, "the end of all")
            for name, took in ended.items():
                assert 4 <= took <= 5 + 4 * harness.SLOW, (name, took)
        assert p.alive()


def test_ipc_246_cookie_written_after_start(port, cookie_path):
    """The cookie file may come after the start."""
    with server(port, cookie_path) as p:
        cookie = orport.cookie_file(cookie_path)
        whole_exchange(p, port, cookie)


def refused_for_its_cookie(p, port):
    """A link ends without a proof of anything; the OR may see a visit."""
    with lines.connect(*p.where) as peer:
        lines.expect_closed(peer)
    port.listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            s, _ = port.listener.accept()
            with s:
                s.settimeout(lines.PATIENCE)
                with contextlib.suppress(OSError):
                    s.sendall(b"\x01\x00")
                heard = b""
                with contextlib.suppress(ConnectionResetError):
                    heard = lines.read_all(s)
                assert heard in (b"", b"\x00")
    port.listener.settimeout(lines.PATIENCE)


def test_ipc_247_broken_cookie_files(port, cookie_path):
    """A cookie file too short, too long, misnamed or absent: closed."""
    good = orport.MAGIC + os.urandom(32)
    with server(port, cookie_path) as p:
        refused_for_its_cookie(p, port)
        for whole in (good[:63], good + b"x", b"?" + good[1:], b""):
            orport.cookie_file(cookie_path, whole=whole)
            refused_for_its_cookie(p, port)
        assert p.alive()
        whole_exchange(p, port, orport.cookie_file(cookie_path))


def test_ipc_248_cookie_is_read_anew(port, cookie_path):
    """A new cookie is used from the next connection on."""
    with server(port, cookie_path) as p:
        for _ in range(3):
            whole_exchange(p, port, orport.cookie_file(cookie_path))


def test_ipc_249_never_the_target_instead(cookie_path):
    """When the ExtORPort refuses, the target is not used in its place."""
    orport.cookie_file(cookie_path)
    with lines.listen() as target:
        start = F3S(target.getsockname()[1]).plus(
            "-extorport", f"127.0.0.1:{harness.free_port()}",
            "-authcookie", str(cookie_path))
        with Ptah(start) as p:
            with lines.connect(*p.address("dummy")) as peer:
                lines.expect_closed(peer)
            lines.expect_nobody(target)
            assert p.alive()


def test_ipc_249_not_even_beside_it(port, cookie_path):
    """When both are given, the ExtORPort is used and the target is not."""
    cookie = orport.cookie_file(cookie_path)
    with lines.listen() as target:
        start = F3S(target.getsockname()[1]).plus(*port.flags(cookie_path))
        with Ptah(start) as p:
            p.where = p.address("dummy")
            whole_exchange(p, port, cookie)
            lines.expect_nobody(target)
