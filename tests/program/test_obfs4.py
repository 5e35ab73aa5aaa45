# SPDX-License-Identifier: BSD-3-Clause
"""obfs4, whole: ptah against the model, one test for each row OBFS-nnn."""
import json
import os
import select
import socket
import time

import pytest

import obfs4model as model
from harness import (E1C, E1S, MODULES, SLOW, EchoServer, Ptah, Server,
                     SinkServer, connect, poll, recv_all, recv_exact)
from lines import expect_closed, pattern

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "obfs4.so")),
    reason="built without obfs4")


def server_start(state, target, **changes):
    return E1S(state, target, TOR_PT_SERVER_TRANSPORTS="obfs4",
               TOR_PT_SERVER_BINDADDR="obfs4-127.0.0.1:0", **changes)


class Bridge(Ptah):
    """A ptah server before 'target'; its cert and where it listens."""

    def __init__(self, state, target, *argv, **changes):
        super().__init__(server_start(state, target, **changes).plus(*argv))
        self.state = state

    def __enter__(self):
        super().__enter__()
        self.wait_done()
        _, self.where, rest = self.methods()["obfs4"]
        self.args = dict(item.split("=", 1) for item in
                         rest.split("ARGS:")[1].split(","))
        self.cert = self.args["cert"]
        return self

    def link(self, **how):
        chop = how.pop("chop", None)
        return model.Link(connect(self.where),
                          model.Hello(self.cert, **how), chop)

    def echoes(self, **how):
        link = self.link(**how)
        data = pattern(5000)
        link.send(data)
        assert link.read(len(data)) == data
        return link


@pytest.fixture
def bridge(tmp_path, echo):
    with Bridge(tmp_path / "bridge", echo.port) as b:
        yield b


def silent(socks, seconds=0.5):
    """Nobody was sent a byte, and nobody was hung up on."""
    ready, _, _ = select.select(socks, [], [], seconds)
    assert not ready, "%d of %d were answered or closed" % (
        len(ready), len(socks))


# --- ptah as the server -------------------------------------------------------

def test_obfs_001_first_frame_is_the_seed(bridge):
    link = bridge.echoes()
    kind, seed, padding = link.packets[0]
    assert (kind, len(seed), padding) == (1, 24, 0)
    assert seed.hex() in (bridge.state / "obfs4_state.json").read_text()


@pytest.mark.parametrize("pad", [77, 500, 8128])
def test_obfs_003_client_padding(bridge, pad):
    bridge.echoes(pad=pad)


@pytest.mark.parametrize("skew", [-1, 0, 1])
def test_obfs_005_an_hour_of_skew(bridge, skew):
    bridge.echoes(skew=skew)


def test_obfs_006_a_hello_in_pieces(bridge):
    bridge.echoes(chop=37)


@pytest.mark.parametrize("top", [0, 1, 2, 3])
def test_obfs_008_any_top_bits(bridge, top):
    bridge.echoes(pair=model.key_pair(top))


def test_obfs_011_packets_that_mean_nothing(bridge):
    link = bridge.link()
    link.sock.sendall(
        link.out.seal(b"what", kind=77, padding=9) + link.out.seal(b"") +
        link.out.seal(b"", padding=1427) + link.out.seal(bytes(24), kind=1) +
        link.out.seal(b"x" * 1427) + link.out.seal(b"y", padding=1426))
    assert link.read(1428) == b"x" * 1427 + b"y"


# No nudge comes earlier after the bytes that it follows.
NUDGE_S = 0.19


def test_obfs_014_a_server_that_speaks_first_nudges(tmp_path):
    with SinkServer(greeting=b"220 hello\r\n") as smtp, \
            Bridge(tmp_path / "bridge", smtp.port) as bridge:
        for _ in range(10):
            begun = time.monotonic()
            link = bridge.link()
            assert link.read(11) == b"220 hello\r\n"
            if time.monotonic() - begun < NUDGE_S:
                break  # or it may have come already
        # What comes before is padding, in segments of its own.
        while time.monotonic() - begun < NUDGE_S:
            link.packets += link.into.open(link.sock.recv(65536))
        assert link.payload() == b"220 hello\r\n"
        assert link.packets[-1][:2] == (0, b"")


def test_obfs_101_two_hours_of_skew(bridge):
    socks = []
    for skew in (-2, 2, -3):
        socks.append(connect(bridge.where))
        socks[-1].sendall(model.Hello(bridge.cert, skew=skew).bytes)
    silent(socks)
    said = [line for line in bridge.err_lines if "clock is" in line]
    poll(lambda: [line for line in bridge.err_lines if "clock is" in line],
         what="the log to say it")
    assert len([l for l in bridge.err_lines if "clock is" in l]) == 1, said


def test_obfs_102_a_thousand_replays(bridge):
    hello = model.Hello(bridge.cert)
    link = model.Link(connect(bridge.where), hello)
    link.send(b"ping")
    assert link.read(4) == b"ping"
    for _ in range(5):
        socks = []
        for _ in range(200):
            socks.append(connect(bridge.where))
            socks[-1].sendall(hello.bytes)
        silent(socks, 0.2)
        for sock in socks:
            sock.close()
    bridge.echoes()


def test_obfs_104_105_106_109_hellos_that_are_none(bridge):
    hello = model.Hello(bridge.cert)
    wrong_mac = bytearray(model.Hello(bridge.cert).bytes)
    wrong_mac[-1] ^= 1
    tries = [
        model.Hello(bridge.cert, pad=76).bytes,
        hello.bytes + b"x",
        bytes(wrong_mac),
        model.Hello(bridge.cert, zero=0).bytes,
        model.Hello(bridge.cert, zero=0x40).bytes,
        model.Hello(bridge.cert, zero=0x80).bytes,
    ]
    socks = []
    for one in tries:
        socks.append(connect(bridge.where))
        socks[-1].sendall(one)
    silent(socks)
    bridge.echoes()


def test_obfs_107_a_hello_changed_anywhere(bridge):
    """The shortest there is, byte by byte, and of another hour; see test_probes.py."""
    real = model.Hello(bridge.cert, pad=77).bytes
    tries = [model.Hello(bridge.cert, skew=5).bytes]
    for at in range(len(real)):
        changed = bytearray(real)
        changed[at] ^= 1 << at % 8
        tries.append(bytes(changed))
    socks = []
    for one in tries:
        socks.append(connect(bridge.where))
        socks[-1].sendall(one)
    bridge.echoes()
    silent(socks, 1)


def test_obfs_108_half_close_in_the_handshake(bridge):
    sock = connect(bridge.where)
    sock.sendall(os.urandom(200))
    sock.shutdown(socket.SHUT_WR)
    expect_closed(sock)


def stays(sock, begun, seconds):
    """No byte comes, and no end: who was let in before may be closed from 1 s on."""
    if select.select([sock], [], [], seconds)[0]:
        assert sock.recv(1) == b"" and time.monotonic() - begun > 1


@pytest.mark.parametrize("what", ["length", "tag", "payload", "short",
                                  "too long", "empty"])
def test_obfs_112_113_114_broken_frames(bridge, what):
    """What came before is echoed; then the server says no more, and stays."""
    link = bridge.link()
    good, bad = link.out.seal(b"good"), None
    if what == "short":
        bad = link.out.seal_raw(b"\0\0")
    elif what == "empty":
        bad = link.out.seal_raw(b"")
    elif what == "too long":
        bad = link.out.seal_raw(b"\0\0\5abcd")
    else:
        frame = bytearray(link.out.seal(bytes(1000)))
        frame[{"length": 0, "tag": 5, "payload": 500}[what]] ^= 0x80
        bad = bytes(frame) + os.urandom(3000)
    link.sock.sendall(good)
    assert link.read(4) == b"good"
    begun = time.monotonic()
    link.sock.sendall(bad)
    stays(link.sock, begun, 0.3)
    link.sock.sendall(link.out.seal(b"more"))
    stays(link.sock, begun, 0.3)


def test_obfs_117_118_errors_at_start(tmp_path):
    def refused(**changes):
        with Ptah(server_start(tmp_path / "state", 9, **changes)) as p:
            return p.wait_line("^SMETHOD-ERROR obfs4 ")

    node, key, seed = "8" * 40, "0f" * 32, "c5" * 24
    for options, says in [
            ("iat-mode=3", "iat-mode"), ("iat-mode=x", "0, 1 or 2"),
            ("node-id=" + node, "missing argument 'private-key'"),
            ("private-key=" + key, "missing argument 'node-id'"),
            ("private-key=%s;obfs4:node-id=%s" % (key, node),
             "missing argument 'drbg-seed'"),
            ("drbg-seed=%s;obfs4:node-id=%s;obfs4:private-key=%s" % (
                seed[:46], node, key), "drbg-seed"),
            ("drbg-seed=%s;obfs4:node-id=%s;obfs4:private-key=%s" % (
                seed, node, key[:62]), "private-key")]:
        line = refused(TOR_PT_SERVER_TRANSPORT_OPTIONS="obfs4:" + options)
        assert says in line, line
        assert key[:62] not in line
    (tmp_path / "state").mkdir(exist_ok=True)
    path = tmp_path / "state" / "obfs4_state.json"
    for text in ("", "{", '{"iat-mode":9}'):
        path.write_text(text)
        assert "damaged" in refused()
        assert path.read_text() == text


def test_obfs_102_one_hello_at_all_workers(tmp_path, echo):
    """Forty at once, on whichever worker they come: one is answered."""
    options = ("obfs4:node-id=%s;obfs4:private-key=%s;obfs4:drbg-seed=%s"
               % ("83" * 20, "0f" * 32, "c5" * 24))
    with Bridge(tmp_path / "one", echo.port,
                TOR_PT_SERVER_TRANSPORT_OPTIONS=options) as bridge:
        hello = model.Hello(bridge.cert)
        links = [connect(bridge.where) for _ in range(40)]
        for sock in links:
            sock.sendall(hello.bytes)
        answered = poll(lambda: select.select(links, [], [], 0)[0],
                        what="one of them to be answered")
        time.sleep(0.3)
        answered = select.select(links, [], [], 0)[0]
        assert len(answered) == 1


def test_half_close_between_two_ptahs(tmp_path):
    with EchoServer() as echo, Bridge(tmp_path / "b", echo.port) as bridge, \
            Ptah(client_start(tmp_path)) as p:
        sock = dial(p, bridge.where, cert=bridge.cert, iat="0")[0]
        data = pattern(300000)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        assert recv_all(sock) == data
        poll(lambda: echo.connections and echo.connections[0].closed.is_set(),
             what="the target to see the end")
        assert echo.connections[0].eof


def share_later(late, early, slack):
    """Greatest share by which 'late' lags behind 'early' by more than 'slack'."""
    early = sorted(early)
    return max(
        i / len(early) - sum(t <= at + slack for t in late) / len(late)
        for i, at in enumerate(early, 1))


def test_obfs_130_no_reply_waits_for_a_key(tmp_path, echo):
    """A thousand replies: one that comes while the keys that were used are
    being replaced takes no longer than one that comes in peace.  Both kinds
    take turns, so that a busy machine is busy for both."""
    pair = model.key_pair()  # the padding makes each hello another
    peace, refill = [], []

    def reply_s(sock, i):
        hello = model.Hello(bridge.cert, pad=100 + i % 100, pair=pair).bytes
        begun = time.perf_counter()
        sock.sendall(hello)
        assert sock.recv(1)
        return time.perf_counter() - begun

    with Bridge(tmp_path / "one", echo.port, "-workers", "1") as bridge:
        for i in range(500):
            first, second = connect(bridge.where), connect(bridge.where)
            time.sleep(0.004)
            peace.append(reply_s(first, i))
            time.sleep((5 + i % 10) / 10000)  # keys are made about then
            refill.append(reply_s(second, i))
            first.close()
            second.close()
    # A key made on the way, or a batch of them, is a step of 0.1 to 1 ms.
    assert share_later(refill, peace, 0.0002 * SLOW) < 0.17, (
        sorted(peace)[::50], sorted(refill)[::50])


# --- ptah as the client ----------------------------------------------------------

def client_start(tmp_path):
    return E1C(tmp_path / "client", TOR_PT_CLIENT_TRANSPORTS="obfs4")


def dial(p, where, cert=None, iat="0", text=None, name="obfs4"):
    """SOCKS5 with arguments; (socket, reply or None, status of the login)."""
    if text is None:
        text = "cert=%s;iat-mode=%s" % (cert, iat)
    sock = connect(p.address(name), 70)
    text = text.encode()
    user, password = text[:255], text[255:] or b"\0"
    sock.sendall(b"\5\1\2" + b"\1" + bytes([len(user)]) + user +
                 bytes([len(password)]) + password)
    assert recv_exact(sock, 2) == b"\5\2"
    status = recv_exact(sock, 2)
    if status != b"\1\0":
        return sock, None, status
    sock.sendall(b"\5\1\0\1" + socket.inet_aton(where[0]) +
                 where[1].to_bytes(2, "big"))
    reply = recv_exact(sock, 10)
    return sock, reply[1] if len(reply) == 10 else None, status


class ModelBridge(Server):
    """The model as a bridge: answers as it is told, then echoes."""

    def __init__(self, pad=300, skew=0, seed=True, chop=None, behind=b"",
                 change=None):
        self.identity = model.Identity()
        self.out = None  # the way to the last client that got in
        self.how = (pad, skew, seed, chop, behind, change)
        super().__init__()

    @property
    def where(self):
        return (self.host, self.port)

    def serve(self, conn):
        pad, skew, seed, chop, behind, change = self.how
        conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = b""
        while len(hello) < 141 or model.mac(
                self.identity.key, hello[:32])[:16] != hello[-32:-16]:
            got = conn.sock.recv(65536)
            if not got:
                return
            hello += got
        reply, into, out = self.identity.reply(hello, pad, skew)
        self.out = out
        reply = bytearray(reply)
        if change is not None:
            reply[change] ^= 1
        message = bytes(reply)
        if seed:
            message += out.seal(os.urandom(24), kind=1)
        if behind:
            message += out.burst(behind)
        chop = chop or len(message)
        for i in range(0, len(message), chop):
            conn.sock.sendall(message[i:i + chop])
        while True:
            got = conn.sock.recv(65536)
            if not got:
                return
            for kind, payload, _ in into.open(got):
                if kind == 0 and payload:
                    conn.sock.sendall(out.burst(payload))


@pytest.fixture
def client(tmp_path):
    with Ptah(client_start(tmp_path)) as p:
        p.wait_done()
        yield p


@pytest.mark.parametrize("how", [
    {"pad": 0, "chop": 7}, {"pad": 3000, "chop": 7}, {"pad": 8051},
    {"pad": 8051, "chop": 1000}], ids=str)
def test_obfs_004_server_padding(client, how):
    with ModelBridge(**how) as bridge:
        sock, code, _ = dial(client, bridge.where, bridge.identity.cert)
        assert code == 0
        data = pattern(4000)
        sock.sendall(data)
        assert recv_exact(sock, len(data)) == data


def test_obfs_012_no_seed(client):
    with ModelBridge(seed=False) as bridge:
        sock, code, _ = dial(client, bridge.where, bridge.identity.cert, "2")
        assert code == 0
        sock.sendall(b"hello")
        assert recv_exact(sock, 5) == b"hello"


def test_obfs_013_data_together_with_the_reply(client):
    with ModelBridge(behind=pattern(3000)) as bridge:
        sock, code, _ = dial(client, bridge.where, bridge.identity.cert)
        assert code == 0
        assert recv_exact(sock, 3000) == pattern(3000)


def test_obfs_016_legacy_arguments(client):
    with ModelBridge() as bridge:
        sock, code, _ = dial(client, bridge.where, text=(
            "node-id=%s;public-key=%s;iat-mode=0" % (
                bridge.identity.node.hex().upper(),
                bridge.identity.b_public.hex())))
        assert code == 0
        sock.sendall(b"hello")
        assert recv_exact(sock, 5) == b"hello"


def test_a_shaped_first_flight(client):
    with ModelBridge() as bridge:
        sock, code, _ = dial(client, bridge.where, text=(
            "cert=%s;iat-mode=0;first-flight=true" % bridge.identity.cert))
        assert code == 0
        sock.sendall(b"hello")
        assert recv_exact(sock, 5) == b"hello"


@pytest.mark.parametrize("change", [33, -1], ids=["auth", "mac"])
def test_obfs_110_a_changed_reply(client, change):
    with ModelBridge(change=change, seed=False) as bridge:
        _, code, _ = dial(client, bridge.where, bridge.identity.cert)
        assert code == 1


def test_obfs_110_a_reply_without_a_mark(client):
    with ModelBridge(change=-20, pad=8051) as bridge:
        _, code, _ = dial(client, bridge.where, bridge.identity.cert)
        assert code == 1


def test_obfs_111_a_reply_of_another_hour(client):
    with ModelBridge(skew=5, seed=False) as bridge:
        _, code, _ = dial(client, bridge.where, bridge.identity.cert)
        assert code == 1


def test_obfs_117_client_arguments(client):
    cert = model.Identity().cert
    for text, status in [
            ("cert=" + cert, None), ("cert=%s;iat-mode=3" % cert, None),
            ("cert=%s;iat-mode=x" % cert, None),
            ("cert=AAAA;iat-mode=0", None), ("iat-mode=0", None),
            ("cert=%s\\=\\=;iat-mode=0" % cert, None),
            ("node-id=%s;iat-mode=0" % ("8" * 40), None),
            ("junk", b"\1\1")]:
        _, code, said = dial(client, ("127.0.0.1", 9), text=text)
        if status:
            assert said == status, text
        else:
            assert code == 1 or said == b"\1\1", (text, code, said)


def test_obfs_112_a_broken_frame_ends_a_client(client):
    """At once; what came before it in the same write is delivered."""
    with ModelBridge() as bridge:
        sock, code, _ = dial(client, bridge.where, bridge.identity.cert)
        assert code == 0
        good = bridge.out.seal(b"good")
        bad = bytearray(bridge.out.seal(bytes(1000)))
        bad[700] ^= 1
        bridge.connections[0].sock.sendall(good + bad)
        assert recv_all(sock) == b"good"


def test_obfs_113_a_wrong_length_ends_a_client_late(client):
    """Never before 16 more bytes have come, always before 1447 have."""
    with ModelBridge() as bridge:
        for length in (0, 15, 1447, 65535):
            sock, code, _ = dial(client, bridge.where, bridge.identity.cert)
            assert code == 0
            wire = bridge.connections[-1].sock
            bad = bridge.out.seal_raw(bytes(1430), length=length)
            wire.sendall(bad[:2 + 15])
            silent([sock], 0.2)
            wire.sendall(bad[2 + 15:])
            assert recv_all(sock) == b"", length


# --- who is there already ------------------------------------------------------------

def old_decode(representative):
    """As obfs4proxy up to 0.0.11: only the top bit is no part of the number."""
    r = model.le(representative) & (2**255 - 1)
    w = -model.A * model.inv(1 + 2 * r * r) % model.P
    e = (w**3 + model.A * w * w + w) % model.P
    return (w if model.is_square(e) else
            (-w - model.A) % model.P).to_bytes(32, "little")


def test_obfs_131_old_programs_agree_half_the_time_each_way(client, bridge):
    """With bit 254 clear, and only then: one handshake in four, and no defect of ours."""
    ours = []
    with SinkServer() as recorder:
        for i in range(48):
            sock = connect(client.address("obfs4"), 70)
            sock.sendall(b"\5\1\2")
            assert recv_exact(sock, 2) == b"\5\2"
            text = b"cert=%s;iat-mode=0" % bridge.cert.encode()
            sock.sendall(b"\1" + bytes([len(text)]) + text + b"\1\0")
            assert recv_exact(sock, 2) == b"\1\0"
            sock.sendall(b"\5\1\0\1\x7f\0\0\1" +
                         recorder.port.to_bytes(2, "big"))
            conn = recorder.wait_connections(i + 1)[i]
            poll(lambda: len(conn.data) >= 32, what="a hello")
            ours.append(bytes(conn.data[:32]))
            sock.close()
    agree = 0
    for rep in ours:
        clear = rep[31] & 0x40 == 0
        assert (old_decode(rep) == model.decode(rep)) == clear
        agree += clear
    assert 4 <= agree <= 44  # half of them; less once in 10^9
    # Theirs is either root, and the greater one needs bit 254.
    secret, public, least = model.key_pair(0)
    greatest = (model.P - model.le(least)).to_bytes(32, "little")
    assert old_decode(least) == old_decode(greatest) == public
    bridge.echoes(pair=(secret, public, least))
    with pytest.raises(AssertionError, match="AUTH"):
        bridge.link(pair=(secret, public, greatest))


FAKETIME = next((path for path in (
    "/usr/lib/%s/faketime/libfaketime.so.1" % machine for machine in (
        "x86_64-linux-gnu", "aarch64-linux-gnu")) if os.path.exists(path)), None)


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")
@pytest.mark.skipif("PTAH_SLOW" in os.environ,
                    reason="a sanitizer wants to be the first library")
@pytest.mark.parametrize("skew", [-2, -1, 1, 2])
def test_obfs_005_101_a_clock_that_is_wrong(tmp_path, bridge, skew):
    """One hour works; of two the bridge says once what to do, and the client is told no."""
    fake = {"LD_PRELOAD": FAKETIME, "FAKETIME": "%+dh" % skew,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    model.stay_in_the_hour()
    with Ptah(client_start(tmp_path).change(**fake)) as p:
        socks = []
        for _ in range(3):
            sock = connect(p.address("obfs4"))
            sock.sendall(b"\5\1\2")
            assert recv_exact(sock, 2) == b"\5\2"
            text = b"cert=%s;iat-mode=0" % bridge.cert.encode()
            sock.sendall(b"\1" + bytes([len(text)]) + text + b"\1\0")
            assert recv_exact(sock, 2) == b"\1\0"
            sock.sendall(b"\5\1\0\1\x7f\0\0\1" +
                         bridge.where[1].to_bytes(2, "big"))
            socks.append(sock)

        def said():
            return [line for line in bridge.err_lines if "clock is" in line]

        if abs(skew) == 1:
            for sock in socks:
                assert recv_exact(sock, 10)[1] == 0
                sock.sendall(b"hello")
                assert recv_exact(sock, 5) == b"hello"
            assert not said()
            return
        poll(said, what="the log to say it")
        silent(socks, 0.3)
        line, = said()
        assert "2 hours %s ours" % ("ahead of" if skew > 0 else "behind") in line
        assert "NTP" in line


BAD_ARGUMENTS = [
    # arguments but iat-mode, iat-mode or None, the option, what it looks like
    ({"cert": "AAAA"}, "0", "cert", "70 characters"),
    ({"cert": "A" * 69}, "0", "cert", "too short"),
    ({"cert": "A" * 71}, "0", "cert", "too long"),
    ({"cert": "A" * 70 + "=="}, "0", "cert", "without padding"),
    ({"cert": "A" * 69 + "-"}, "0", "cert", "not of base64"),
    ({"cert": "A" * 69 + "\u00e9"}, "0", "cert", "not of base64"),
    ({"cert": "A" * 70}, None, "iat-mode", "0, 1 or 2"),
    ({"cert": "A" * 70}, "3", "iat-mode", "0, 1 or 2"),
    ({"cert": "A" * 70}, "", "iat-mode", "0, 1 or 2"),
    ({"cert": "A" * 70}, "-1", "iat-mode", "0, 1 or 2"),
    ({}, "0", "cert", "70 characters"),
    ({"node-id": "8" * 40}, "0", "public-key", "64 hex digits"),
    ({"public-key": "8" * 64}, "0", "node-id", "40 hex digits"),
    ({"node-id": "8" * 39, "public-key": "8" * 64}, "0", "node-id", "hex"),
    ({"node-id": "8" * 38, "public-key": "8" * 64}, "0", "node-id", "20"),
    ({"node-id": "g" * 40, "public-key": "8" * 64}, "0", "node-id", "hex"),
    ({"node-id": "8" * 40, "public-key": "8" * 66}, "0", "public-key", "32"),
]


def test_obfs_117_what_is_wrong_with_a_connection(tmp_path):
    """The log names the option and says what it looks like."""
    for args, iat, name, looks in BAD_ARGUMENTS:
        args = dict(args, **({} if iat is None else {"iat-mode": iat}))
        # One process each: it says such things at a slowing pace.
        with Ptah(client_start(tmp_path)) as p:
            _, code, said = dial(p, ("127.0.0.1", 9), text=";".join(
                "%s=%s" % (key, value.replace("=", "\\="))
                for key, value in args.items()))
            assert code == 1 or said == b"\1\1", args
            line = p.wait_line('option "%s"' % name, "err")
        assert looks in line, line
        assert "A" * 20 not in line, line


def test_obfs_117_what_is_wrong_with_a_clients_options(tmp_path):
    """The same from the start, where nothing can come later."""
    for args, iat, name, looks in BAD_ARGUMENTS:
        args = dict(args, **({} if iat is None else {"iat-mode": iat}))
        if iat is None or not args.get("cert", args.get("node-id")):
            continue  # what is missing may come with a connection
        with Ptah(["-ptversion", "3.0", "-client", "-transport", "obfs4",
                   "-state", str(tmp_path), "-options", json.dumps(
                       dict(args, serverAddress="127.0.0.1:9"))]) as p:
            line = p.wait_line("^CMETHOD-ERROR obfs4 ", "err")
            assert '"%s"' % name in line and looks in line, line
