# SPDX-License-Identifier: BSD-3-Clause
"""Whether what ptah sends can be told from what obfs4proxy sends, by lengths
and by delays.

Both sides of a comparison have one seed, so one table, and move at the same
time, so that a busy machine is busy for both.  The model is their peer: it
opens each frame, and so knows where a burst ends.  A burst is one write (the
unit tests hold that); what a receiver gets of it in one piece is the kernel's.

Two samples are called different when chance alone makes such a difference
less than once in a hundred million times.
"""

import collections
import contextlib
import ctypes
import ctypes.util
import math
import os
import socket
import struct
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
    os.pardir, "program"))

import obfs4model as model  # noqa: E402
from conftest import need  # noqa: E402
from pair import Client, Server, program_path, socks_args  # noqa: E402
from servers import hang_up  # noqa: E402

BULK = 64 << 20
WHOLE_LEAST = 1000  # bursts of a whole chunk
BULK_MOST = 8 * BULK
CHUNK = 32768
SEGMENT = 1448
PROGRAMS = ("ptah", "obfs4proxy")
MOST = 5.6  # standard deviations: once in a hundred million
KS_MOST = 3.1  # the same of Kolmogorov and Smirnov
WAKE_UP_S = 0.001  # by so much a timer may ring later in one program
N_ARRIVALS = 820

sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")


class FastWay(model.Way):
    """The same by libsodium, for 64 MiB."""

    def open(self, data):
        """(payload length, frame length) of each whole frame."""
        self.rest += data
        out, at = [], 0
        while True:
            if self.length is None and len(self.rest) - at >= 2:
                self.length = (struct.unpack_from(">H", self.rest, at)[0]
                    ^ self.masks.next())
                assert 16 <= self.length <= 1446, self.length
                at += 2
            if self.length is None or len(self.rest) - at < self.length:
                self.rest = self.rest[at:]
                return out
            packet = ctypes.create_string_buffer(1500)
            assert sodium.crypto_secretbox_open_easy(packet,
                self.rest[at:at + self.length],
                ctypes.c_ulonglong(self.length), self.nonce(), self.key) == 0
            kind, n = struct.unpack(">BH", packet.raw[:3])
            out.append((n if kind == 0 else 0, self.length + 2))
            at, self.length = at + self.length, None


def fast(way):
    quick = FastWay.__new__(FastWay)
    quick.__dict__.update(way.__dict__)
    return quick


def bursts(frames):
    """Lengths of the bursts that carry a whole chunk: there both programs must
    cut alike.  A short packet is the last with payload."""
    out, length, carried, ending = [], 0, 0, False
    for payload, frame in frames:
        if payload and ending:
            if carried == CHUNK:
                out.append(length)
            length, carried, ending = 0, 0, False
        length += frame
        carried += payload
        if payload and payload != 1427:
            ending = True
    return out


def hear(sock, into):
    """The bursts of 64 MiB, and of more where few of them carry a whole chunk:
    how much a program gets of the plain side at once is the kernel's."""
    frames, got, until = [], 0, BULK
    while True:
        while got < until:
            data = sock.recv(1 << 18)
            assert data, "it ended after %d bytes" % got
            for frame in into.open(data):
                got += frame[0]
                frames.append(frame)
        whole = bursts(frames)
        if len(whole) > WHOLE_LEAST + 1 or until == BULK_MOST:
            return whole
        until += BULK // 4


class Source:
    """A target that says 'n' bytes to everybody, in large pieces."""

    def __init__(self, n, piece=1 << 20, gap=0):
        self.ear = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.ear.getsockname()[1]
        self.how = n, piece, gap
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock = self.ear.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,),
                daemon=True).start()

    def serve(self, sock):
        n, piece, gap = self.how
        with sock:
            try:
                for at in range(0, n, piece):
                    sock.sendall(bytes(min(piece, n - at)))
                    time.sleep(gap)
                sock.recv(1)  # until the reader has enough
            except OSError:
                pass

    def close(self):
        hang_up(self.ear)


def chi_square(a, b):
    """How unlike two counts are, in standard deviations; rare values together."""
    values = [v for v in set(a) | set(b) if a[v] + b[v] >= 20]
    rows = [(a[v], b[v]) for v in values]
    rare = [v for v in set(a) | set(b) if a[v] + b[v] < 20]
    if rare:
        rows.append((sum(a[v] for v in rare), sum(b[v] for v in rare)))
    n, m = sum(a.values()), sum(b.values())
    chi = sum((x * math.sqrt(m / n) - y * math.sqrt(n / m))**2 / (x + y)
        for x, y in rows)
    k = len(rows) - 1
    # Wilson and Hilferty: its cube root is nearly normal.
    return ((chi / k)**(1 / 3) - (1 - 2 / (9 * k))) / math.sqrt(2 / (9 * k))


def above(a, b, slack):
    """How far the distribution of 'a' is above that of 'b', 'slack' further on."""
    most, j = 0.0, 0
    for i, at in enumerate(a):
        while j < len(b) and b[j] <= at + slack:
            j += 1
        most = max(most, (i + 1) / len(a) - j / len(b))
    return most


def distance(a, b, slack=0):
    """Kolmogorov and Smirnov, as a share of what happens once in a hundred million."""
    a, b = sorted(a), sorted(b)
    most = max(above(a, b, slack), above(b, a, slack))
    return most / (KS_MOST * math.sqrt((len(a) + len(b)) / (len(a) * len(b))))


def test_the_tests_see_a_difference():
    """Of one in ten values, or of a tenth of the delays."""
    drawn = [(i * i * 31 + i) % 50 for i in range(2000)]
    other = [0 if i % 10 == 0 else v for i, v in enumerate(drawn)]
    count = collections.Counter
    assert chi_square(count(drawn), count(other)) > MOST
    assert abs(chi_square(count(drawn), count(drawn))) < 60  # far too alike
    assert distance(drawn, [v if i % 4 else 0 for i, v in enumerate(drawn)]) > 1
    assert distance(drawn, list(reversed(drawn))) == 0
    assert distance(drawn, [v + 3 for v in drawn], 3) == 0
    assert distance(drawn, [v + 20 for v in drawn], 3) > 1


def seed_with(table_of, least, **more):
    """A seed whose table has at least so many values, and lengths without 0."""
    for n in range(200):
        seed = struct.pack("<3Q", n, 77, n * n)
        if len(table_of(seed).values) >= least and \
                0 not in model.lengths_of(seed).values:
            return seed
    raise AssertionError("no such seed")


def servers(house, target, seed, iat):
    options = "node-id=%s;private-key=%s;drbg-seed=%s;iat-mode=%d" % (
        "83" * 20, "0f" * 32, seed.hex(), iat)
    return {name: Server(house, program_path(name), "obfs4", target,
        options=options, name="%s-%d" % (name, iat)) for name in PROGRAMS}


def at_once(jobs):
    """Run each on a thread; what they return, by name."""
    out, threads = {}, []

    def run(name, job):
        out[name] = job()

    for name, job in jobs.items():
        threads.append(threading.Thread(target=run, args=(name, job), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(120)
    assert set(out) == set(jobs), "not all came to an end"
    return out


def connect(server):
    sock = socket.create_connection((server.host, server.port), timeout=30)
    return sock, model.Link(sock, model.Hello(dict(server.args)["cert"]))


def download_bursts(server):
    sock, link = connect(server)
    # What came with the reply belongs to a burst that is cut here.
    with sock:
        return hear(sock, fast(link.into))[1:]


def compare_bursts(lengths, seed):
    """Alike, and none but what the table allows."""
    table = model.lengths_of(seed).odds()
    allowed = {t % SEGMENT for t in table} | {
        (t + 21) % SEGMENT for t in table}
    counts = {}
    for name, all_of_them in lengths.items():
        tails = [n % SEGMENT for n in all_of_them]
        assert len(tails) > WHOLE_LEAST, (name, len(tails))
        assert set(tails) <= allowed, (name, set(tails) - allowed)
        counts[name] = collections.Counter(tails)
    unlike = chi_square(counts["ptah"], counts["obfs4proxy"])
    assert unlike < MOST, (unlike, counts)
    for name in PROGRAMS:
        assert unlike_table(counts[name], table) < MOST, name


def unlike_table(count, table):
    """One sample against what was to be expected of the seed."""
    expected = collections.Counter()
    tail = (CHUNK // 1427 * SEGMENT + CHUNK % 1427 + 21) % SEGMENT
    for target, odds in table.items():
        need_ = (target - tail) % SEGMENT
        expected[(target + (21 if 1 <= need_ <= 21 else 0)) % SEGMENT] += odds
    n = sum(count.values())
    rows = [(count[v], n * odds) for v, odds in expected.items()
        if n * odds >= 5]
    chi = sum((seen - want)**2 / want for seen, want in rows)
    k = max(len(rows) - 1, 1)
    return ((chi / k)**(1 / 3) - (1 - 2 / (9 * k))) / math.sqrt(2 / (9 * k))


def test_obfs_010_burst_lengths_of_servers(house):
    """64 MiB from each."""
    need("obfs4proxy")
    source = house.add(Source(BULK_MOST + BULK))
    seed = seed_with(model.lengths_of, 20)
    pair = servers(house, source.address, seed, 0)
    compare_bursts(at_once({name: lambda s=server: download_bursts(s)
        for name, server in pair.items()}), seed)


class Sink:
    """The model as a bridge with this seed: hears a client's bursts."""

    def __init__(self, seed):
        self.identity, self.seed = model.Identity(), seed
        self.bursts = []
        self.greeted, self.done = threading.Event(), threading.Event()
        self.ear = socket.create_server(("127.0.0.1", 0))
        self.port = self.ear.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        sock = self.ear.accept()[0]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = b""
        while len(hello) < 141 or model.mac(self.identity.key,
                hello[:32])[:16] != hello[-32:-16]:
            hello += sock.recv(65536)
        reply, into, out = self.identity.reply(hello)
        sock.sendall(reply + out.seal(self.seed, kind=1))
        # obfs4proxy looks at the seed when more comes than it had the reply from.
        assert self.greeted.wait(60)
        sock.sendall(out.seal(b"go"))
        try:
            self.bursts = hear(sock, fast(into))
        finally:
            self.done.set()
            sock.close()

    def close(self):
        hang_up(self.ear)


def upload_bursts(client, sink):
    args = socks_args([("cert", sink.identity.cert), ("iat-mode", "0")])
    args = args.encode()
    sock = socket.create_connection((client.host, client.port), timeout=60)
    for said, heard in ((b"\5\1\2", b"\5\2"),
            (b"\1" + bytes([len(args)]) + args + b"\1\0", b"\1\0")):
        sock.sendall(said)
        assert sock.recv(2, socket.MSG_WAITALL) == heard
    sock.sendall(b"\5\1\0\1\x7f\0\0\1" + struct.pack(">H", sink.port))
    assert sock.recv(10, socket.MSG_WAITALL)[1] == 0
    sink.greeted.set()
    assert sock.recv(2, socket.MSG_WAITALL) == b"go"
    piece = bytes(1 << 20)
    with contextlib.suppress(OSError):  # until the sink has enough, and goes
        while not sink.done.is_set():
            sock.sendall(piece)
    assert sink.done.wait(60)
    sock.close()
    return sink.bursts


def test_obfs_010_burst_lengths_of_clients(house):
    """64 MiB to each of two bridges with one seed."""
    need("obfs4proxy")
    seed = seed_with(model.lengths_of, 20)
    jobs = {}
    for name in PROGRAMS:
        client = Client(house, program_path(name), "obfs4", name=name)
        sink = house.add(Sink(seed))
        jobs[name] = lambda c=client, s=sink: upload_bursts(c, s)
    compare_bursts(at_once(jobs), seed)


def cpu_s(pid):
    """What all threads of a process have had of the processors."""
    spent = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            spent += int(f.read().split()[0])
    return spent / 1e9


def arrivals(server, n):
    """(seconds since the one before, bytes) of what comes in the data phase,
    and what a MiB of it costs the server."""
    sock, link = connect(server)
    out, last, spent = [], time.perf_counter(), cpu_s(server.process.pid)
    while len(out) < n:
        got = len(sock.recv(1 << 16))
        now = time.perf_counter()
        assert got
        out.append((now - last, got))
        last = now
    spent = cpu_s(server.process.pid) - spent
    sock.close()
    return out[20:], spent / sum(n for _, n in out) * (1 << 20)


@pytest.mark.parametrize("iat", [1, 2])
def test_obfs_009_010_delays_and_pieces(house, iat):
    """Alike, and for no more work."""
    need("obfs4proxy")
    source = house.add(Source(8 << 20))
    seed = seed_with(model.delays_of, 85)
    pair = servers(house, source.address, seed, iat)
    seen = at_once({name: lambda s=server: arrivals(s, N_ARRIVALS)
        for name, server in pair.items()})
    cost = {name: seen[name][1] for name in PROGRAMS}
    seen = {name: seen[name][0] for name in PROGRAMS}
    print("CPU ms/MiB: " + ", ".join("%s %.1f" % (name, 1000 * cost[name])
        for name in PROGRAMS))
    assert cost["ptah"] <= cost["obfs4proxy"], cost
    gaps = {name: [gap for gap, _ in seen[name]] for name in PROGRAMS}
    mean = sum(value * odds for value, odds in
        model.delays_of(seed).odds().items()) / 10000
    means = {name: sum(gaps[name]) / len(gaps[name]) for name in PROGRAMS}
    assert min(means.values()) > 0.6 * mean, means
    # A busy machine lets timers ring late, in one program later than in the
    # other: by half of what the real one is late itself, on average.
    late = max(0, means["obfs4proxy"] - mean)
    assert distance(gaps["ptah"], gaps["obfs4proxy"], WAKE_UP_S + late / 2) < 1
    assert means["ptah"] < 3 * (mean + late) + 0.002, means
    pieces = {name: [n for gap, n in seen[name]] for name in PROGRAMS}
    assert distance(pieces["ptah"], pieces["obfs4proxy"]) < 1
    if iat == 2:
        # What came alone is as long as the table says.
        table = set(model.lengths_of(seed).values)
        alone = [n for gap, n in seen["ptah"] if n <= SEGMENT]
        assert sum(n in table for n in alone) > 0.9 * len(alone)
