# SPDX-License-Identifier: BSD-3-Clause
"""The UDP modes: rows IPC-290 to IPC-316."""

import contextlib
import os
import re
import select
import signal
import socket
import struct
import time

import pytest

import lines
from harness import F3C, F3S, SLOW, Patience, Ptah, free_port

HELLO = b"\x00\x05hello"
COOKIE = bytes.fromhex("2112a442")
BINDING = b"\x00\x01\x00\x00" + COOKIE + b"transaction."
CHANNEL = bytes.fromhex("40000005") + b"hello"


@contextlib.contextmanager
def udp(port=0, connect=None):
    """A UDP socket on loopback with a deadline."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(lines.PATIENCE)
        s.bind(("127.0.0.1", port))
        if connect:
            s.connect(connect)
        yield s


class Client:
    """A ptah client in a UDP mode; the far end of its wire is ours, so 'wire' shows the stream."""

    def __init__(self, *words, mode="transparent-UDP"):
        self.words = words
        self.mode = mode

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.far = self.stack.enter_context(lines.listen())
        self.p = self.stack.enter_context(Ptah(F3C(
            self.far.getsockname()[1]).plus("-mode", self.mode, *self.words)))
        self.p.wait_done()
        proto, self.where, _ = self.p.methods()["dummy"]
        assert proto == self.mode
        return self

    def __exit__(self, *why):
        return self.stack.__exit__(*why)

    def app(self):
        """A source address of its own."""
        return self.stack.enter_context(udp(connect=self.where))

    def accept(self):
        return self.stack.enter_context(lines.accept(self.far))

    def up(self, app=None, first=b"first"):
        """A source whose link is Connected; its first datagrams were dropped."""
        app = app or self.app()
        app.send(first)
        wire = self.accept()
        # Connected is known to us a moment before ptah hears of it: ask until one comes through.
        n, patience = 0, Patience(10)
        while not select.select([wire], [], [], 0.02)[0]:
            assert not patience.is_over(), "the link was never Connected"
            n += 1
            app.send(self.probe(n))
        # From the first that came through on all did, so the last is the last that comes.
        got, last = b"", self.frame(self.probe(n))
        while not got.endswith(last):
            got += lines.read(wire, len(last))
        come = len(got) // len(last)
        assert got == b"".join(self.frame(self.probe(i)) for i in range(n - come + 1, n + 1)), got
        return app, wire

    def probe(self, n):
        """A datagram with a number, of the same length as all others."""
        return BINDING[:8] + b"%012d" % n if self.mode == "STUN" else b"%05d" % n

    def frame(self, datagram):
        """As it stands in the stream."""
        if self.mode == "STUN":
            return datagram
        return struct.pack("<H" if "-udpFraming" in self.words else ">H", len(datagram)) + datagram


class Server:
    """A ptah server in a UDP mode with a target of ours."""

    def __init__(self, *words, mode="transparent-UDP"):
        self.words = words
        self.mode = mode

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.target = self.stack.enter_context(udp(free_port()))
        self.p = self.stack.enter_context(Ptah(F3S(
            self.target.getsockname()[1]).plus("-mode", self.mode, *self.words)))
        self.p.wait_done()
        self.where = self.p.methods()["dummy"][1]
        return self

    def __exit__(self, *why):
        return self.stack.__exit__(*why)

    def wire(self):
        return self.stack.enter_context(lines.connect(*self.where))


def nothing(s, seconds=0.3):
    """Nothing comes from there meanwhile."""
    assert not select.select([s], [], [], seconds)[0]


def test_ipc_290_first_datagram_opens():
    """The first datagram is dropped, and a connection is opened."""
    with Client() as c:
        app = c.app()
        app.send(b"a")
        nothing(c.accept())


def test_ipc_291_waiting_drops():
    """What comes while the link is dialled is dropped: nothing of it ever shows."""
    with lines.deaf_listener() as deaf, Ptah(F3C(deaf.getsockname()[1]).plus(
            "-mode", "transparent-UDP", "-dialTimeout", "1")) as p:
        p.wait_done()
        with udp(connect=p.methods()["dummy"][1]) as app:
            for _ in range(5):
                app.send(b"lost")
            time.sleep(1.2)
            assert p.alive()


def test_ipc_292_frame():
    """hello is 0005 68656c6c6f on the stream."""
    with Client() as c:
        app, wire = c.up()
        app.send(b"hello")
        lines.expect(wire, HELLO)


def test_ipc_293_frame_in_segments():
    """A frame that comes in pieces is one datagram at the target."""
    with Server() as s:
        wire = s.wire()
        lines.send(wire, HELLO, bytewise=True)
        assert s.target.recv(100) == b"hello"


def test_ipc_294_answer_finds_its_way():
    """The target's answer comes to the port that asked."""
    with Client() as c:
        app, wire = c.up()
        wire.sendall(b"\x00\x05world")
        assert app.recv(100) == b"world"
    with Server() as s:
        wire = s.wire()
        wire.sendall(HELLO)
        _, peer = s.target.recvfrom(100)
        s.target.sendto(b"world", peer)
        lines.expect(wire, b"\x00\x05world")


def test_ipc_295_two_sources():
    """Two sources have two connections, and replies are not mixed."""
    with Client() as c:
        one, wire_one = c.up()
        two, wire_two = c.up()
        wire_two.sendall(b"\x00\x03two")
        wire_one.sendall(b"\x00\x03one")
        assert one.recv(100) == b"one"
        assert two.recv(100) == b"two"
        nothing(one)
        nothing(two)


def test_ipc_296_empty_datagram():
    """An empty datagram is 0000, and an empty datagram again."""
    with Client() as c:
        app, wire = c.up()
        app.send(b"")
        lines.expect(wire, b"\x00\x00")
    with Server() as s:
        wire = s.wire()
        wire.sendall(b"\x00\x00")
        assert s.target.recv(100) == b""


def test_ipc_297_large_datagram():
    """9000 bytes, and the most that IPv4 carries, arrive intact."""
    with Client() as c, Server() as s:
        app, wire = c.up()
        far = s.wire()
        for n in (9000, 65507):
            text = bytes(i * 31 % 251 for i in range(n))
            app.send(text)
            frame = lines.read(wire, n + 2)
            assert frame == struct.pack(">H", n) + text
            far.sendall(frame)
            assert s.target.recv(70000) == text


def test_ipc_298_frame_too_long_for_the_family():
    """65535 bytes fit no IPv4 datagram: skipped, and the next one comes."""
    with Server() as s:
        wire = s.wire()
        wire.sendall(b"\xff\xff" + bytes(65535) + HELLO)
        assert s.target.recv(70000) == b"hello"


def test_ipc_299_eof_inside_a_frame():
    """The entry goes; the next datagram opens a new connection."""
    with Client() as c:
        app, wire = c.up()
        wire.sendall(b"\x00\x09hal")
        wire.shutdown(socket.SHUT_WR)
        lines.expect_eof(wire)
        app.send(b"again")
        c.accept()
        nothing(app)


def test_ipc_300_dial_fails():
    """The entry goes; the next datagram dials again."""
    with lines.listen() as gone:
        port = gone.getsockname()[1]
    with Ptah(F3C(port).plus("-mode", "transparent-UDP", "-ipcLogLevel", "INFO")) as p:
        p.wait_done()
        with udp(connect=p.methods()["dummy"][1]) as app:
            app.send(b"nobody there")
            p.wait_line("LOG INFO .*Connection refused")
            with lines.listen(port=port) as late:
                app.send(b"now")
                lines.accept(late).close()


def test_ipc_301_idle():
    """After -udpTimeout without traffic the connection is closed."""
    with Client("-udpTimeout", "3") as c:
        app, wire = c.up()
        start = time.monotonic()
        app.send(b"hello")
        lines.expect(wire, HELLO)
        lines.expect_closed(wire)
        assert 2.9 <= time.monotonic() - start <= 3.5 + 4 * SLOW
        app.send(b"again")
        c.accept()


def test_ipc_302_replies_count():
    """Traffic in one direction alone keeps the connection."""
    with Client("-udpTimeout", "4") as c:
        app, wire = c.up()
        for i in range(6):
            time.sleep(1)
            wire.sendall(b"\x00\x01" + b"%d" % i)
            assert app.recv(10) == b"%d" % i
        app.send(b"hello")
        lines.expect(wire, HELLO)


def test_ipc_303_longest_idle_goes():
    """With room for two, the third source takes the place of the one that was idle longest."""
    with Client("-udpMaxPeers", "2") as c:
        one, wire_one = c.up()
        two, wire_two = c.up()
        one.send(b"hello")
        lines.expect(wire_one, HELLO)
        three, wire_three = c.up()
        lines.expect_closed(wire_two)
        one.send(b"hello")
        lines.expect(wire_one, HELLO)
        three.send(b"hello")
        lines.expect(wire_three, HELLO)


def test_ipc_303_longest_idle_goes_from_any_worker():
    """The kernel spreads sources over workers, and the limit and the order are of all of them."""
    with Client("-udpMaxPeers", "6", "-workers", "4") as c:
        flows = [c.up() for _ in range(6)]
        for app, wire in flows:  # the order of last traffic is that of the list
            app.send(b"hello")
            lines.expect(wire, HELLO)
        for i in range(6):
            flows.append(c.up())
            flows[-1][0].send(b"hello")
            lines.expect(flows[-1][1], HELLO)
            lines.expect_closed(flows[i][1])
        for app, wire in flows[6:]:
            app.send(b"hello")
            lines.expect(wire, HELLO)


def test_ipc_303_counted():
    """Every drop has its reason, and every eviction is counted."""
    with Client("-udpMaxPeers", "1", "-ipcLogLevel", "INFO", mode="STUN") as c:
        one, wire = c.up(first=BINDING)
        for alien in (b"\x80rtp", b"", b"\x00\x01\x00\x08" + COOKIE + b"transaction."):
            one.send(alien)
        one.send(BINDING)
        lines.expect(wire, BINDING)
        c.up(first=BINDING)
        lines.expect_closed(wire)
        c.p.signal(signal.SIGUSR1)
        text = str(c.p.wait_line(r".*counters:.*udp_drop_send=\d+", "out"))
        counted = dict(re.findall(r"(udp_\w+)=(\d+)", text))
        assert counted["udp_drop_alien"] == "3"
        assert counted["udp_evicted"] == "1"
        assert int(counted["udp_drop_waiting"]) >= 2
        assert int(counted["udp_in"]) >= 4


def test_replies_leave_from_the_address_that_was_asked():
    """A listener on the wildcard answers from 127.0.0.5 if it was asked there, so that a connected socket hears it."""
    with lines.listen() as far, Ptah(F3C(far.getsockname()[1]).plus(
            "-mode", "transparent-UDP", "-proxylistenaddr", "0.0.0.0:0")) as p:
        p.wait_done()
        port = p.methods()["dummy"][1][1]
        with udp(connect=("127.0.0.5", port)) as app:
            app.send(b"first")
            with lines.accept(far) as wire:
                wire.sendall(HELLO * 3)
                for _ in range(3):
                    assert app.recv(100) == b"hello"


def test_ipc_304_queue():
    """With -udpQueue what waits is sent in order."""
    with Client("-udpQueue", "4") as c:
        app = c.app()
        for text in (b"one", b"two", b"three"):
            app.send(text)
        wire = c.accept()
        lines.expect(wire, b"\x00\x03one\x00\x03two\x00\x05three")


def test_ipc_305_foreign_sender():
    """What others send to the server's UDP socket is not relayed."""
    with Server() as s, udp() as other:
        wire = s.wire()
        wire.sendall(HELLO)
        _, peer = s.target.recvfrom(100)
        other.sendto(b"boo", peer)
        nothing(wire)
        s.target.sendto(b"fine", peer)
        lines.expect(wire, b"\x00\x04fine")


def test_ipc_306_target_closed():
    """An ICMP error of the target does not end the connection."""
    with Server() as s:
        wire = s.wire()
        wire.sendall(HELLO)
        s.target.recv(100)
        port = s.target.getsockname()[1]
        s.target.close()
        for _ in range(3):
            wire.sendall(HELLO)
            time.sleep(0.05)
        with udp(port=port) as back:
            wire.sendall(b"\x00\x04back")
            heard = [back.recv(100)]
            while heard[-1] == b"hello": # one that ptah sends late
                heard.append(back.recv(100))
            assert heard[-1] == b"back" and len(heard) <= 4


def test_ipc_307_binding_request():
    """A STUN message is its own frame."""
    with Client(mode="STUN") as c:
        app, wire = c.up(first=BINDING)
        app.send(BINDING)
        lines.expect(wire, BINDING)


@pytest.mark.parametrize("text", [
    b"\x00\x01\x00\x08" + BINDING[4:] + b"1234",
], ids=["length"])
def test_ipc_308_wrong_length(text):
    """Length 8 in 24 bytes is no STUN message: dropped."""
    with Client(mode="STUN") as c:
        app, wire = c.up(first=BINDING)
        app.send(text)
        nothing(wire)
        app.send(BINDING)
        lines.expect(wire, BINDING)


def test_ipc_309_other_protocols():
    """A wrong cookie, DTLS and RTP are dropped; they open nothing, and the connection is kept."""
    others = [BINDING[:4] + b"\x21\x12\xa4\x43" + BINDING[8:],
              b"\x16\xfe\xfd" + bytes(10) + b"handshake...",
              b"\x80\x00\x00\x01" + b"timestampssrcpayload"]
    with Client(mode="STUN") as c:
        quiet = c.app()
        for text in others:
            quiet.send(text)
        lines.expect_nobody(c.far)
        app, wire = c.up(first=BINDING)
        for text in others:
            app.send(text)
        nothing(wire)
        app.send(BINDING)
        lines.expect(wire, BINDING)


@pytest.mark.parametrize("text", [CHANNEL, CHANNEL + b"\x01\x02\x03"],
                         ids=["ipc_310", "ipc_311_padded"])
def test_ipc_310_311_channel_data(text):
    """Channel data is padded with zeros to a multiple of 4 on the stream."""
    with Client(mode="STUN") as c:
        app, wire = c.up(first=BINDING)
        app.send(text)
        lines.expect(wire, CHANNEL + bytes(3))


def test_ipc_312_channel_data_then_stun():
    """The server strips the padding, and the next message is found."""
    with Server(mode="STUN") as s:
        wire = s.wire()
        wire.sendall(CHANNEL + bytes(3) + BINDING)
        assert s.target.recv(100) == CHANNEL
        assert s.target.recv(100) == BINDING


@pytest.mark.parametrize("text", [
    b"\x80\x00\x00\x00", BINDING[:4] + b"\x21\x12\xa4\x43" + BINDING[8:],
    b"\x00\x01\x00\x06" + COOKIE + b"transaction.123456"],
    ids=["ipc_313_top_bits", "ipc_314_cookie", "ipc_314_length"])
def test_ipc_313_314_broken_stream(text):
    """A stream that cannot be read closes the connection."""
    with Server(mode="STUN") as s:
        wire = s.wire()
        wire.sendall(text)
        lines.expect_closed(wire)
    with Client(mode="STUN") as c:
        app, wire = c.up(first=BINDING)
        wire.sendall(text)
        lines.expect_closed(wire)
        app.send(BINDING)
        c.accept()


def test_ipc_315_target_name():
    """A target that cannot be resolved is an ENV-ERROR in a UDP mode."""
    with Ptah(F3S(1).change(target="a" * 64 + ".example:53").plus(
            "-mode", "transparent-UDP")) as p:
        assert p.exit(10) == 64
        assert p.out_messages() == ["VERSION 3.0"]
        assert len(p.err_protocol()) == 1
        assert p.err_protocol()[0].startswith("ENV-ERROR ")


def test_ipc_316_little_endian():
    """-udpFraming le is for a peer that has it the wrong way round."""
    with Client("-udpFraming", "le") as c:
        app, wire = c.up()
        app.send(b"hello")
        lines.expect(wire, b"\x05\x00hello")
        wire.sendall(b"\x05\x00world")
        assert app.recv(100) == b"world"


def test_garbage_and_floods():
    """Garbage from many sources neither ends it nor grows it without bound."""
    with Client("-udpMaxPeers", "16") as c:
        with contextlib.ExitStack() as stack:
            sources = [stack.enter_context(udp(connect=c.where)) for _ in range(200)]
            for i in range(5):
                for s in sources:
                    s.send(bytes([i]) * (i * 300))
        assert len(os.listdir("/proc/%d/fd" % c.p.pid)) < 100
        assert c.p.alive()
