# SPDX-License-Identifier: BSD-3-Clause
"""The UDP modes over transports that keep messages: one datagram each, and no stream."""

import contextlib
import json
import os
import random
import re
import select
import signal
import socket
import struct
import time

import pytest

import lines
from harness import F3C, F3S, MODULES, SLOW, Ptah, free_port, poll

SIZES = (0, 1, 1472, 9000, 65507)
COOKIE = bytes.fromhex("2112a442")
BINDING = b"\x00\x01\x00\x00" + COOKIE + b"transaction."
HELLO, COOKIES, WELCOME, DATA = 1, 2, 3, 4
# What each stack adds to a message.
STACKS = {"dummy": 0, "dummy+dummy": 0, "escort": 13, "escort+dummy": 13, "dummy+escort": 13, "escort+escort": 26}


def udp(port=0, host="127.0.0.1"):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.settimeout(10 * SLOW)
    s.bind((host, port))
    return s


def counted(p):
    """What it has counted until now."""
    before = len(p.out_lines)
    p.signal(signal.SIGUSR1)
    text = str(p.wait_line(r".*counters:.*udp_drop_long=\d+", "out", since=before))
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", text)}


def resident(p):
    with open("/proc/%d/statm" % p.pid) as f:
        return int(f.read().split()[1]) * 4096


def stacked(stack, options):
    """The top's name, and what stands under it."""
    top, _, below = stack.partition("+")
    if below:
        options["over"] = below
    return top


def server(target, *words, stack="dummy", mode="transparent-UDP", steps=False, **env):
    options = {"messages": True}
    if steps:
        options["steps"] = True
    top = stacked(stack, options)
    start = F3S(target.getsockname()[1]).plus("-mode", mode, "-ipcLogLevel", "INFO", "-options",
        json.dumps(options), *words, **env)
    return start.change(transport=top)


def client(port, *words, stack="dummy", mode="transparent-UDP", steps=False, **env):
    options = {"messages": True, "serverAddress": "127.0.0.1:%d" % port}
    if steps:
        options["steps"] = True
    top = stacked(stack, options)
    return F3C(port).change(transport=top, options=json.dumps(options)).plus("-mode", mode, "-ipcLogLevel", "INFO",
        *words, **env)


class Both:
    """A client and a server of one stack, and a target of ours."""

    def __init__(self, *words, stack="dummy", mode="transparent-UDP", queue=8, server_words=(), **how):
        self.stack, self.mode, self.words, self.how = stack, mode, words, how
        self.top = stack.partition("+")[0]
        self.queue, self.server_words = queue, server_words

    def __enter__(self):
        # At ports that are nobody else's while server or target is away.
        self.closing = contextlib.ExitStack()
        self.target = self.closing.enter_context(udp(free_port()))
        self.server = self.closing.enter_context(Ptah(server(self.target, *self.server_words, stack=self.stack, mode=self.mode,
            **self.how).change(bindport=free_port())))
        self.server.wait_done()
        self.port = self.server.methods()[self.top][1][1]
        self.client = self.closing.enter_context(Ptah(client(self.port, "-udpQueue", self.queue, *self.words,
            stack=self.stack, mode=self.mode, **self.how)))
        self.client.wait_done()
        self.where = self.client.methods()[self.top][1]
        return self

    def __exit__(self, *why):
        return self.closing.__exit__(*why)

    def app(self):
        s = self.closing.enter_context(udp())
        s.connect(self.where)
        return s

    def works(self, app=None, word=None, seconds=10.0):
        """A datagram reaches the target, and its answer comes back; says from where the target heard it."""
        app = app or self.app()
        word = word or os.urandom(8)
        end = time.monotonic() + seconds * SLOW
        for sock in (app, self.target):
            sock.settimeout(seconds * SLOW)
        app.send(word)
        while True:
            got, at = self.target.recvfrom(65536)
            if got == word:
                break
            assert time.monotonic() < end
        self.target.sendto(b"back" + word, at)
        while app.recv(65536) != b"back" + word:
            assert time.monotonic() < end
        return at


@pytest.mark.parametrize("stack", STACKS)
def test_every_size_there_and_back(stack):
    """Each size arrives whole, alone and in a run of one size; what grows past a datagram is dropped and counted."""
    with Both(stack=stack) as b:
        app = b.app()
        for size in SIZES:
            words = [os.urandom(size) for _ in range(3)]
            if size + STACKS[stack] > 65507:
                for word in words:
                    app.send(word)
                b.works(app)
                assert counted(b.client)["udp_drop_long"] == 3
                continue
            for way in range(2):
                for word in words:
                    if way == 0:
                        app.send(word)
                    else:
                        b.target.sendto(word, at)
                for word in words:
                    if way == 0:
                        got, at = b.target.recvfrom(65536)
                    else:
                        got = app.recv(65536)
                    assert got == word


def test_steps_keep_borders():
    """Through hooks, in runs of mixed sizes that the kernel may join, every border stays."""
    rng = random.Random(4)
    for stack in ("dummy", "escort"):
        with Both(stack=stack, steps=True) as b:
            app = b.app()
            b.works(app)
            for _ in range(10):
                words = [rng.randbytes(rng.choice((0, 1, 100, 100, 1400, 1400, 1400))) for _ in range(30)]
                for word in words:
                    app.send(word)
                for word in words:
                    got, at = b.target.recvfrom(65536)
                    assert got == word
                for word in words:
                    b.target.sendto(word, at)
                assert [app.recv(65536) for _ in words] == words


def test_the_shipped_dummy():
    """The wire shows the application's datagrams as they are; without the option it is a stream."""
    with udp() as far, Ptah(client(far.getsockname()[1], "-udpQueue", "4", PTAH_MODULE_PATH=MODULES)) as p:
        p.wait_done()
        with udp() as app:
            app.connect(p.methods()["dummy"][1])
            app.send(b"hello")
            got, at = far.recvfrom(100)
            assert got == b"hello"
            far.sendto(b"world", at)
            assert app.recv(100) == b"world"


def test_without_the_option_a_stream():
    """messages=false, and nothing at all, frame into a TCP stream."""
    for options in ({}, {"messages": False}, {"messages": "0"}):
        with lines.listen() as far:
            port = far.getsockname()[1]
            options["serverAddress"] = "127.0.0.1:%d" % port
            start = F3C(port).change(options=json.dumps(options)).plus("-mode", "transparent-UDP", "-udpQueue", "1")
            with Ptah(start) as p, udp() as app:
                p.wait_done()
                app.connect(p.methods()["dummy"][1])
                app.send(b"hello")
                with lines.accept(far) as wire:
                    lines.expect(wire, b"\x00\x05hello")


def test_first_datagrams():
    """What comes before the handshake is over is dropped, and counted; with a queue it is sent in order."""
    with Both(stack="escort", queue=0) as b:
        app = b.app()
        app.send(b"lost")
        end = time.monotonic() + 10 * SLOW
        while not select.select([b.target], [], [], 0.02)[0]:
            assert time.monotonic() < end
            app.send(b"probe")
        assert b.target.recv(100) == b"probe"
        assert counted(b.client)["udp_drop_waiting"] >= 1
    with Both(stack="escort", queue=3) as b:
        app = b.app()
        for i in range(6):
            app.send(b"%d" % i)
        assert [b.target.recv(10) for _ in range(3)] == [b"0", b"1", b"2"]


def test_refused_options():
    """A stack that cannot carry messages says so; nothing goes past an upstream proxy."""
    with udp() as target:
        with Ptah(server(target, stack="gate")) as p:
            p.wait_done()
            assert "cannot carry messages" in p.wait_line("SMETHOD-ERROR", "err")
        with Ptah(client(9, "-proxy", "socks5://127.0.0.1:9")) as p:
            p.wait_done()
            assert "upstream proxy" in p.wait_line("CMETHOD-ERROR", "err")
        with Ptah(F3S(9).change(transport="escort")) as p:
            p.wait_done()
            assert "messages only" in p.wait_line("SMETHOD-ERROR", "err")


def test_stun():
    """STUN messages and channel data go as they are, without padding; all else is dropped, on both sides."""
    channel = bytes.fromhex("40000005") + b"hello"
    with Both(mode="STUN") as b:
        app = b.app()
        for word in (BINDING, channel, channel + b"\x00\x00\x00"):
            app.send(word)
            got, at = b.target.recvfrom(100)
            assert got == word
        for alien in (b"\x80rtp", b"", BINDING + b"x", b"\x16\xfe\xfd" + bytes(20)):
            app.send(alien)
            b.target.sendto(alien, at)
        app.send(BINDING)
        assert b.target.recv(100) == BINDING
        b.target.sendto(BINDING, at)
        assert app.recv(100) == BINDING
        assert counted(b.client)["udp_drop_alien"] == 4
        assert counted(b.server)["udp_drop_alien"] == 4


def test_two_sources():
    """Two sources have a link each, and answers are not mixed."""
    with Both(stack="escort") as b:
        one, two = b.app(), b.app()
        at_one, at_two = b.works(one), b.works(two)
        assert at_one != at_two
        b.target.sendto(b"one", at_one)
        b.target.sendto(b"two", at_two)
        assert one.recv(10) == b"one" and two.recv(10) == b"two"
        assert counted(b.client)["links_relaying"] == 2


def test_idle():
    """A link that is silent for -udpTimeout ends on both sides; traffic one way keeps it."""
    with Both("-udpTimeout", "3", stack="escort", server_words=("-udpTimeout", "3")) as b:
        app = b.app()
        at = b.works(app)
        before = counted(b.server)["links_closed"]   # who was turned away with a cookie
        for _ in range(12):
            time.sleep(0.3)
            b.target.sendto(b"tick", at)
            assert app.recv(10) == b"tick"
        assert counted(b.client)["links_closed"] == 0
        poll(lambda: counted(b.client)["links_closed"] == 1, what="the client's end of it")
        poll(lambda: counted(b.server)["links_closed"] == before + 1, what="the server's end of it")
        assert b.works(app) != at


def test_what_is_rejected_keeps_no_link():
    """Anybody can write from the server's address: what no layer takes is no traffic of the client's link."""
    with udp() as wire, Ptah(F3C(wire.getsockname()[1]).change(transport="parcel", options=json.dumps(
            {"serverAddress": "127.0.0.1:%d" % wire.getsockname()[1]})).plus("-mode", "transparent-UDP",
            "-ipcLogLevel", "INFO", "-udpTimeout", "1", "-udpQueue", "4")) as p, udp() as app:
        p.wait_done()
        app.connect(p.methods()["parcel"][1])
        app.send(b"hello")
        _, at = wire.recvfrom(100)
        end = time.monotonic() + 10 * SLOW
        while counted(p)["links_closed"] == 0:
            assert time.monotonic() < end
            for _ in range(5):
                wire.sendto(b"no", at)
                time.sleep(0.05)


def test_longest_idle_goes():
    """With room for two, the third source takes the place of the longest idle one, whichever worker has it."""
    with Both("-udpMaxPeers", "2", "-workers", "4") as b:
        one, two, three = b.app(), b.app(), b.app()
        at_one, at_two = b.works(one), b.works(two)
        assert b.works(one) == at_one
        b.works(three)
        assert b.works(one) == at_one
        assert b.works(two) != at_two
        # Who must make room may hear of it by letter, after the newcomer has been served.
        end = time.monotonic() + 10 * SLOW
        while (evicted := counted(b.client)["udp_evicted"]) < 2:
            assert time.monotonic() < end
        assert evicted == 2


def test_server_gone_and_back():
    """An ICMP error of the server ends the link; when it is back, the next datagrams make a new one."""
    with Both(stack="escort") as b:
        app = b.app()
        b.works(app)
        b.server.signal(signal.SIGTERM)
        assert b.server.exit() == 0
        for _ in range(3):
            app.send(b"into the void")
            time.sleep(0.05)
        with Ptah(server(b.target, "-bindport", b.port, stack="escort").minus("bindport")) as again:
            again.wait_done()
            end = time.monotonic() + 10 * SLOW
            b.target.settimeout(0.2)
            while True:
                assert time.monotonic() < end
                app.send(b"again")
                with contextlib.suppress(socket.timeout):
                    if b.target.recv(100) == b"again":
                        break


def test_target_gone_and_back():
    """An ICMP error of the target ends nothing."""
    with Both() as b:
        app = b.app()
        b.works(app)
        at = b.target.getsockname()
        b.target.close()
        for _ in range(20):
            app.send(b"into the void")
            time.sleep(0.002)
        b.target = b.closing.enter_context(udp(at[1]))
        end = time.monotonic() + 10 * SLOW
        b.target.settimeout(0.2)
        while True:
            assert time.monotonic() < end
            app.send(b"again")
            with contextlib.suppress(socket.timeout):
                if b.target.recv(100) == b"again":
                    break
        assert counted(b.server)["links_opened"] == 1


# --- the wire of escort, spoken by hand ------------------------------------------


def mix(total, text):
    for byte in text:
        total = ((total ^ byte) * 1099511628211) & 0xffffffffffffffff
    return total


def sealed(session, body):
    total = mix(mix(mix(14695981039346656037, b"sesame"), session), body)
    return bytes([DATA]) + session + body + struct.pack("<Q", total)[:4]


class Escort:
    """A client of escort without ptah, so that it can do what no ptah does."""

    def __init__(self, port, session=None):
        self.to = ("127.0.0.1", port)
        self.session = session or os.urandom(8)
        self.s = udp()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.s.close()

    def hello(self, cookie=bytes(8)):
        self.s.sendto(bytes([HELLO]) + self.session + cookie, self.to)

    def open(self):
        self.hello()
        got = self.s.recv(100)
        assert got[:9] == bytes([COOKIES]) + self.session
        self.hello(got[9:])
        assert self.s.recv(100) == bytes([WELCOME]) + self.session
        return self

    def move(self):
        """From now on it speaks from another address."""
        self.s.close()
        self.s = udp()

    def send(self, body):
        self.s.sendto(sealed(self.session, body), self.to)

    def recv(self):
        got = self.s.recv(65536)
        assert got[:9] == bytes([DATA]) + self.session
        assert got == sealed(self.session, got[9:-4])
        return got[9:-4]


@contextlib.contextmanager
def escort_server(*words, stack="escort"):
    with udp() as target, Ptah(server(target, *words, stack=stack)) as p:
        p.wait_done()
        yield p, target, p.methods()[stack.partition("+")[0]][1][1]


@pytest.mark.parametrize("stack", ["escort", "dummy+escort"])
def test_peer_moves(stack):
    """A peer that is known by its key changes its address, again and again: the same link, whichever worker hears it.
    Of a stack it is the bottom layer's key."""
    with escort_server("-workers", "4", stack=stack) as (p, target, port), Escort(port).open() as peer:
        peer.send(b"here")
        got, at = target.recvfrom(100)
        assert got == b"here"
        for i in range(12):
            peer.move()
            peer.send(b"moved %d" % i)
            assert target.recvfrom(100) == (b"moved %d" % i, at)
            target.sendto(b"found %d" % i, at)
            assert peer.recv() == b"found %d" % i
        assert counted(p)["links_opened"] == 2  # one was turned away with a cookie


def test_thief_moves_nothing():
    """What is not authentic is dropped without a word, and moves no link."""
    with escort_server() as (p, target, port), Escort(port).open() as peer, udp() as thief:
        peer.send(b"mine")
        _, at = target.recvfrom(100)
        for _ in range(5):
            thief.sendto(bytes([DATA]) + peer.session + b"not mine" + bytes(4), ("127.0.0.1", port))
        target.sendto(b"for the peer", at)
        assert peer.recv() == b"for the peer"
        poll(lambda: counted(p)["udp_drop_rejected"] >= 5, what="the thief to be heard")
        assert not select.select([thief], [], [], 0.2)[0]
        assert counted(p)["udp_drop_rejected"] == 5


def named(to, body):
    text = ("localhost:%d" % to[1] if to[0] == "localhost" else "[%s]:%d" % to[:2] if ":" in to[0] else "%s:%d" % to[:2]).encode()
    return bytes([len(text)]) + text + body


def test_messages_name_their_destination():
    """Each may go elsewhere, of either family, by address or name; who answers is named; a stranger is not heard."""
    with udp() as target, udp(free_port()) as other, udp(other.getsockname()[1], "::1") as six, udp() as stranger, Ptah(
            F3S(target.getsockname()[1]).change(transport="escort").plus("-mode", "transparent-UDP",
            "-ipcLogLevel", "INFO", "-options", json.dumps({"free": True}))) as p:
        p.wait_done()
        with Escort(p.methods()["escort"][1][1]).open() as peer:
            ports = set()
            for to in (target, other, six, target):
                at = to.getsockname()
                peer.send(named(at, b"for you"))
                got, source = to.recvfrom(100)
                assert got == b"for you"
                ports.add(source[1])
                to.sendto(b"thanks", source)
                assert peer.recv() == named(at, b"thanks")
            assert len(ports) == 2  # a socket for each family
            peer.send(named(("localhost", other.getsockname()[1]), b"by name"))
            heard = select.select([other, six], [], [], 10 * SLOW)[0]
            assert heard[0].recv(100) == b"by name"
            stranger.sendto(b"me too", ("127.0.0.1", source[1]))
            poll(lambda: counted(p)["udp_drop_alien"] == 1, what="the stranger to be heard")
            assert not select.select([peer.s], [], [], 0.2)[0]
            # More places than are remembered; the eldest can be named again.
            for n in range(100):    # where nobody is, not even a test beside this one
                peer.send(named(("127.9.9.%d" % n, 9), b"anybody?"))
            peer.send(named(other.getsockname(), b"again"))
            while other.recvfrom(100)[0] != b"again":
                pass
            for bad in (b"", b"\x00", b"\x05here", b"\x04nope", named(("127.0.0.1", 0), b"x")):
                peer.send(bad)
            peer.send(named(other.getsockname(), b"still"))
            assert other.recvfrom(100)[0] == b"still"


def test_strangers_leave_nothing():
    """A flood of hellos and of garbage from 10,000 sources grows nothing, and turns no good peer out."""
    with escort_server("-udpMaxPeers", "8") as (p, target, port), Escort(port).open() as peer:
        peer.send(b"one")
        _, at = target.recvfrom(100)
        before = resident(p)
        for n in range(10000):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto((bytes([HELLO]) + os.urandom(16), os.urandom(n % 60), bytes([DATA]) + os.urandom(30))[n % 3],
                    ("127.0.0.1", port))
        end = time.monotonic() + 10 * SLOW
        target.settimeout(0.2)
        while True:
            assert time.monotonic() < end
            peer.send(b"still here")
            with contextlib.suppress(socket.timeout):
                if target.recvfrom(100) == (b"still here", at):
                    break
        assert resident(p) - before < 32 << 20
        now = counted(p)
        assert now["udp_evicted"] == 0
        assert now["links_opened"] - now["links_closed"] <= 1 + 256


@pytest.mark.parametrize("side", ("client", "server"))
def test_flood_from_ten_thousand_sources(side):
    """Whoever hears it lets the longest idle go, grows by nothing, and serves a new source."""
    with Both("-udpMaxPeers", "64", server_words=("-udpMaxPeers", "64")) as b:
        b.works()
        flooded = {"client": b.client, "server": b.server}[side]
        to = {"client": b.where, "server": ("127.0.0.1", b.port)}[side]
        before = resident(flooded)

        def flood(n):
            for i in range(n):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.sendto(b"flood %d" % i, to)

        flood(10000)
        # What comes faster than it is read is lost.
        poll(lambda: counted(flooded)["udp_evicted"] > 1000 or flood(1000), 30, what="as many as that to be heard")
        # What is left of the flood may evict us, too, so ask again.
        end = time.monotonic() + 20 * SLOW
        while True:
            try:
                b.works(seconds=1.0)
                break
            except (socket.timeout, AssertionError):
                assert time.monotonic() < end, "no new source is served"
        assert resident(flooded) - before < 32 << 20
        # Workers ask each other for room by letter; when those are read, it is kept to the limit.
        while (now := counted(flooded))["links_opened"] - now["links_closed"] > 64:
            assert time.monotonic() < end, "more than the limit stay"
        assert b.client.alive() and b.server.alive()
