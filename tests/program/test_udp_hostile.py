# SPDX-License-Identifier: BSD-3-Clause
"""The UDP modes under what nobody should send."""

import json
import os
import random
import re
import signal
import socket
import struct
import time

import pytest

import lines
from harness import F3C, F3S, SLOW, Ptah, free_port, poll

SIZES = (0, 1, 1472, 9000, 65507)


def udp(timeout=10.0, port=0):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.settimeout(timeout * SLOW)
    s.bind(("127.0.0.1", port))
    return s


class Both:
    """A client and a server of ptah, and a target of ours."""

    def __init__(self, *words, mode="transparent-UDP"):
        self.words, self.mode = words, mode

    def __enter__(self):
        self.target = udp(port=free_port())     # nobody else's while it is away
        self.server = Ptah(F3S(self.target.getsockname()[1]).plus("-mode", self.mode))
        self.server.__enter__()
        self.server.wait_done()
        port = self.server.methods()["dummy"][1][1]
        self.client = Ptah(F3C(port).plus("-mode", self.mode, "-udpQueue", "8", *self.words))
        self.client.__enter__()
        self.client.wait_done()
        self.where = self.client.methods()["dummy"][1]
        return self

    def __exit__(self, *why):
        self.client.__exit__(*why)
        self.server.__exit__(*why)
        self.target.close()

    def app(self):
        s = udp()
        s.connect(self.where)
        return s

    def works(self, timeout=10.0):
        """A new source reaches the target and hears of it."""
        with self.app() as app:
            for sock in (app, self.target):
                sock.settimeout(timeout * SLOW)
            word = os.urandom(8)
            app.send(word)
            while True:
                got, at = self.target.recvfrom(65536)
                if got == word:
                    break
            self.target.sendto(b"back", at)
            assert app.recv(100) == b"back"


def test_every_size_there_and_back():
    """Datagrams of each size arrive whole, alone and in a run of one size, both ways."""
    with Both() as b, b.app() as app:
        for size in SIZES:
            words = [os.urandom(size) for _ in range(3)]
            for word in words:
                app.send(word)
            for word in words:
                got, at = b.target.recvfrom(65536)
                assert got == word
            for word in words:
                b.target.sendto(word, at)
            for word in words:
                assert app.recv(65536) == word


@pytest.mark.parametrize("messages", (False, True), ids=("framed", "messages"))
@pytest.mark.parametrize("listen", ("[::1]:0", "[::]:0"))
def test_ipv6_all_the_way(listen, messages):
    """Application, wire and target speak IPv6; answers come from where was asked."""
    def udp6():
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.settimeout(10 * SLOW)
        s.bind(("::1", 0))
        return s
    with udp6() as target, udp6() as app:
        start = F3S(9).change(target="[::1]:%d" % target.getsockname()[1], bindhost="[::1]")
        start = start.plus("-mode", "transparent-UDP", "-options", json.dumps({"messages": messages}))
        with Ptah(start) as server:
            server.wait_done()
            at = server.methods()["dummy"][1]
            start = F3C(9).change(options=json.dumps({"messages": messages, "serverAddress": "[::1]:%d" % at[1]}))
            with Ptah(start.plus("-mode", "transparent-UDP", "-udpQueue", "4", "-proxylistenaddr", listen)) as client:
                client.wait_done()
                app.connect(("::1", client.methods()["dummy"][1][1]))
                for word in (b"", b"one", os.urandom(1472), os.urandom(9000), os.urandom(65507)):
                    app.send(word)
                    got, back = target.recvfrom(65536)
                    assert got == word
                    target.sendto(word, back)
                    assert app.recv(65536) == word


def test_mixed_sizes_keep_their_borders():
    """A run of many sizes is joined and taken apart without an error at any border."""
    rng = random.Random(4)
    with Both() as b, b.app() as app:
        for _ in range(20):
            words = [rng.randbytes(rng.choice((0, 1, 100, 100, 1400, 1400, 1400))) for _ in range(30)]
            for word in words:
                app.send(word)
            for word in words:
                got, at = b.target.recvfrom(65536)
                assert got == word
            for word in words:
                b.target.sendto(word, at)
            assert [app.recv(65536) for _ in words] == words


def test_flood_from_ten_thousand_sources():
    """They are evicted in turn; memory stays bounded, and a new source is served."""
    with Both("-udpMaxPeers", "64") as b:
        def resident():
            with open("/proc/%d/statm" % b.client.pid) as f:
                return int(f.read().split()[1]) * 4096
        b.works()
        before = resident()
        for n in range(10000):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"flood", b.where)
        # What is left of the flood may evict us, too, so ask again.
        end = time.monotonic() + 20 * SLOW
        while True:
            try:
                b.works(1.0)
                break
            except socket.timeout:
                assert time.monotonic() < end, "no new source is served"
        assert resident() - before < 64 << 20
        assert b.client.alive() and b.server.alive()


def wait_stopped(p):
    def stopped():
        with open("/proc/%d/stat" % p.pid) as f:
            return f.read().rpartition(")")[2].split()[0] == "T"

    poll(stopped, what="it to stop")


def test_one_wake_up_brings_many_sources():
    """Datagrams of many sources, old and new, read at once: each source's arrive in order, whoever is evicted meanwhile."""
    with Both("-udpMaxPeers", "8", "-workers", "1") as b:
        def sources(first, n):
            return {name: b.app() for name in range(first, first + n)}
        known, new = sources(0, 6), sources(6, 4)
        for name, app in known.items():
            app.send(struct.pack(">BI", name, 0))
            assert b.target.recv(100) == struct.pack(">BI", name, 0)
        b.client.signal(signal.SIGSTOP)
        wait_stopped(b.client)
        for number in range(1, 6):
            for name, app in {**new, **known}.items():
                app.send(struct.pack(">BI", name, number))
        b.client.signal(signal.SIGCONT)
        came = {name: [] for name in {**known, **new}}
        # The two that were idle longest had to go for the new ones, after their turn.
        while any(came[name] != [1, 2, 3, 4, 5] for name in range(2, 10)):
            name, number = struct.unpack(">BI", b.target.recv(100))
            came[name].append(number)
        for name in (0, 1):
            assert came[name] == sorted(came[name])
        for app in (*known.values(), *new.values()):
            app.close()
        b.works()


def test_garbage_like_stun_opens_nothing():
    """Random and nearly right datagrams are dropped, and the mode goes on."""
    rng = random.Random(5)
    cookie = bytes.fromhex("2112a442")
    with Both(mode="STUN") as b, b.app() as app:
        for _ in range(2000):
            body = rng.randbytes(rng.randrange(60))
            app.send(rng.choice((body, struct.pack(">HH", rng.randrange(0x4000), len(body)) + rng.randbytes(16) + body,
                b"\x00\x01" + struct.pack(">H", len(body) | 1) + cookie + rng.randbytes(12) + body)))
        right = b"\x00\x01\x00\x00" + cookie + b"transaction."
        end = time.monotonic() + 10 * SLOW
        got = b""
        b.target.settimeout(0.2)
        while got != right:
            assert time.monotonic() < end
            app.send(right)
            try:
                got = b.target.recvfrom(65536)[0]
            except socket.timeout:
                pass
        assert b.client.alive() and b.server.alive()


def test_stream_cut_in_a_frame():
    """A peer that goes in the middle of a frame hurts itself alone."""
    with Both() as b:
        to = b.server.methods()["dummy"][1]
        for cut in (b"\x00", b"\xff\xff", b"\x00\x05hel", b"\xff\xff" + bytes(60000)):
            for _ in range(5):
                with lines.connect(*to) as wire:
                    wire.sendall(cut)
        b.works()


def test_dead_target_and_its_return():
    """ICMP errors end nothing: when the target is back, the same flow reaches it."""
    with Both() as b, b.app() as app:
        app.send(b"one")
        assert b.target.recv(100) == b"one"
        at = b.target.getsockname()
        b.target.close()
        for _ in range(50):
            app.send(b"into the void")
            time.sleep(0.002)
        b.target = udp(0.2, at[1])
        end = time.monotonic() + 10 * SLOW
        got = b""
        while got != b"again":
            assert time.monotonic() < end
            app.send(b"again")
            try:
                got = b.target.recv(100)
            except socket.timeout:
                pass


def test_full_queue_drops_the_tail():
    """A wire that takes nothing any more: the head of what came is kept whole, the tail dropped and counted; others go on."""
    with lines.listen() as far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with Ptah(F3C(far.getsockname()[1]).plus("-mode", "transparent-UDP", "-udpQueue", "1", "-ipcLogLevel", "INFO",
                "-workers", "1")) as p:
            p.wait_done()
            where = p.methods()["dummy"][1]
            with udp() as app, udp() as other:
                app.connect(where)
                app.send(struct.pack(">I", 0) + bytes(1000))
                with lines.accept(far) as wire:
                    sent = 1
                    end = time.monotonic() + 20 * SLOW
                    # Bursts of one size, which the kernel may join to more than the queue has room for.
                    while not (dropped := drops(p)):
                        assert time.monotonic() < end, "the queue never fills"
                        for _ in range(2000):
                            app.send(struct.pack(">I", sent) + bytes(1000))
                            sent += 1
                    # No burst may stand before it in the kernel, which would lose it.
                    poll(lambda: waits_at(where[1]) == 0, what="all that came to be read")
                    other.connect(where)
                    other.send(b"I wait for nobody")
                    with lines.accept(far) as second:
                        lines.expect(second, struct.pack(">H", 17) + b"I wait for nobody")
                    # What the client took stands on the stream in order, and nothing that it took is missing.
                    now = counted(p)
                    taken, last = now["udp_in"] - now["udp_drop_full"] - 1, -1
                    for _ in range(taken):
                        text = lines.read(wire, 1006)
                        assert text[:2] == struct.pack(">H", 1004)
                        number, = struct.unpack(">I", text[2:6])
                        assert number > last
                        last = number
                    lines.expect_silence(wire)
                    assert p.alive() and dropped > 0


def waits_at(port):
    """How much the kernel keeps for the sockets of a port."""
    with open("/proc/net/udp", encoding="ascii") as table:
        rows = [row.split() for row in table]
    return sum(int(row[4].split(":")[1], 16) for row in rows if row[1] == "0100007F:%04X" % port)


def counted(p):
    before = len(p.out_lines)
    p.signal(signal.SIGUSR1)
    text = str(p.wait_line(r".*counters:.*udp_drop_long=\d+", since=before))
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", text)}


def drops(p):
    return counted(p)["udp_drop_full"]
