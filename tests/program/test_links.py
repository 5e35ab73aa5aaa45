# SPDX-License-Identifier: BSD-3-Clause
"""Links as a whole: modes, targets, pressure, half-closes, resets, drain.

These have no row of their own in the table of conformance; most of them go
through a ptah client and a ptah server.
"""

import contextlib
import hashlib
import select
import signal
import socket
import struct
import threading
import time

import pytest

import harness
import lines
from harness import E1C, F3C, F3S, Ptah
from socks import Client, request

BLOCK = lines.pattern(1048573)


def port_of(listener):
    return listener.getsockname()[1]


@pytest.fixture
def far():
    """Where links are expected to end."""
    with lines.listen() as s:
        yield s


# dummy steps out of the path, or its steps copy every byte.
steps = pytest.mark.parametrize("options", [{}, {"steps": True}],
                                ids=["passed", "steps"])


def server_start(target, host="127.0.0.1"):
    """A server for this target; -mode and more come behind."""
    return F3S(1, bindhost=host).change(target=target)


def client_start(where, *more, **options):
    """A client of the server at this address."""
    host, port = where
    text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return F3C(1).change(options=harness.options(
        serverAddress=text, **options)).plus(*more)


@contextlib.contextmanager
def chain(target, *more, host="127.0.0.1", **options):
    """A ptah client, and behind it a ptah server, and behind it 'target'."""
    start = server_start(lines.address(target), host).plus(*more)
    if options:
        start = start.change(options=harness.options(**options))
    with Ptah(start) as s:
        with Ptah(client_start(s.address("dummy"), *more, **options).plus(
                "-proxylistenhost", host)) as c:
            c.wait_done()
            c.where = c.address("dummy")
            yield c, s


class Stream:
    """Bytes that any position can be checked of, as many as wanted."""

    def __init__(self):
        self.n = 0
        self.hash = hashlib.sha256()

    def next(self, limit):
        """The next bytes, at most so many."""
        at = self.n % len(BLOCK)
        return BLOCK[at:at + limit]

    def took(self, data):
        """These were sent, or came."""
        self.hash.update(data)
        self.n += len(data)


class Sender(threading.Thread):
    """Sends so many bytes and then EOF, on a thread."""

    def __init__(self, sock, total):
        super().__init__(daemon=True)
        self.sock = sock
        self.total = total
        self.stream = Stream()
        self.error = None
        sock.settimeout(None)
        self.start()

    def run(self):
        try:
            while self.stream.n < self.total:
                left = min(65536, self.total - self.stream.n)
                data = self.stream.next(left)
                self.stream.took(data[:self.sock.send(data)])
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def stalled_at(self):
        """Wait until nothing has gone out for a while; say how much had."""
        rests(lambda: self.stream.n, 20, "the sender to stall")
        return self.stream.n


def rests(number, timeout=10, what="a number to rest"):
    """Wait until it has been the same for half a second, which one stop of the whole machine is not."""
    seen = [None, 0]

    def rested():
        now = number()
        seen[:] = [now, seen[1] + 1 if now == seen[0] else 0]
        return now and seen[1] >= 50

    harness.poll(rested, timeout, what)


def receive(sock):
    """Read to EOF; give the count and the hash."""
    stream = Stream()
    while data := sock.recv(262144):
        stream.took(data)
    return stream


class Receiver(threading.Thread):
    """Reads to EOF, on a thread."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock = sock
        self.stream = None
        self.error = None
        self.start()

    def run(self):
        try:
            self.stream = receive(self.sock)
        except OSError as error:
            self.error = error

    def result(self):
        """Wait for the end; give the count and the hash."""
        self.join(lines.PATIENCE)
        assert not self.is_alive(), "no EOF came"
        assert self.error is None, self.error
        return self.stream


# Transparent TCP

@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_transparent_tcp_carries_bytes(host):
    """No SOCKS, only bytes: through client and server, both ways."""
    with lines.listen(host) as target, \
            chain(target, "-mode", "transparent-TCP", host=host) as (c, _):
        assert c.methods()["dummy"][0] == "transparent-TCP"
        assert c.where[0] == host
        with lines.connect(*c.where) as app, lines.accept(target) as far:
            lines.echo_works(app, far)
            up, down = Sender(app, 3 << 20), Sender(far, 2 << 20)
            there = Receiver(far)
            back = receive(app)
            got = there.result()
            assert got.n == 3 << 20
            assert got.hash.digest() == up.stream.hash.digest()
            assert back.n == 2 << 20
            assert back.hash.digest() == down.stream.hash.digest()


def test_transparent_tcp_sends_at_once(far):
    """What an application says before the dial is through is not lost."""
    with Ptah(client_start(("127.0.0.1", port_of(far)),
                           "-mode", "transparent-TCP")) as p:
        for i in range(20):
            with lines.connect(*p.address("dummy")) as app:
                app.sendall(b"first %d" % i)
                app.shutdown(socket.SHUT_WR)
                with lines.accept(far) as f:
                    assert lines.read_all(f) == b"first %d" % i
                    f.sendall(b"answer")
                    f.shutdown(socket.SHUT_WR)
                    assert lines.read_all(app) == b"answer"


def test_transparent_tcp_dial_fails(far):
    """When the server is away the application is closed, without a byte."""
    port = harness.free_port()
    with Ptah(client_start(("127.0.0.1", port),
                           "-mode", "transparent-TCP")) as p:
        for _ in range(3):
            with lines.connect(*p.address("dummy")) as app:
                lines.expect_closed(app)
        assert p.alive()


def test_transparent_tcp_talks_to_socks_mode(far):
    """The TCP modes are the same on the wire."""
    with Ptah(server_start(lines.address(far)).plus(
            "-mode", "transparent-TCP")) as s:
        with Ptah(client_start(s.address("dummy"))) as c, \
                Client(c.address("dummy")) as app:
            app.open()
            with lines.accept(far) as f:
                lines.echo_works(app.sock, f)


# PROXY protocol towards the target

def v1_header(peer, here):
    kind = "TCP6" if ":" in peer[0] else "TCP4"
    return (f"PROXY {kind} {peer[0]} {here[0]} {peer[1]} {here[1]}\r\n"
            .encode())


def v2_header(peer, here):
    family = lines.family(peer[0])
    body = (socket.inet_pton(family, peer[0]) +
            socket.inet_pton(family, here[0]) +
            struct.pack(">HH", peer[1], here[1]))
    return (b"\r\n\r\n\0\r\nQUIT\n" + b"\x21" +
            (b"\x21" if family == socket.AF_INET6 else b"\x11") +
            struct.pack(">H", len(body)) + body)


@pytest.mark.parametrize("version, header", [(1, v1_header), (2, v2_header)])
@pytest.mark.parametrize("bind, host", [
    ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")],
    ids=["v4", "v6", "mapped"])
def test_proxy_protocol(far, version, header, bind, host):
    """The target hears who the peer is, and then the peer's bytes."""
    with Ptah(server_start(lines.address(far), bind).plus(
            "-proxyProtocol", version)) as p:
        with lines.connect(host, p.address("dummy")[1]) as peer:
            with lines.accept(far) as f:
                lines.expect(f, header(peer.getsockname()[:2],
                                       peer.getpeername()[:2]))
                lines.expect_silence(f, 0.1)
                lines.echo_works(peer, f)
                peer.sendall(b"end")
                peer.shutdown(socket.SHUT_WR)
                assert lines.read_all(f) == b"end"


def test_proxy_protocol_is_off_by_default(far):
    """Without the flag the target hears the peer's bytes alone."""
    for more in ((), ("-proxyProtocol", "0")):
        with Ptah(server_start(lines.address(far)).plus(*more)) as p, \
                lines.connect(*p.address("dummy")) as peer, \
                lines.accept(far) as f:
            lines.expect_silence(f, 0.1)
            lines.echo_works(peer, f)


def test_proxy_protocol_has_two_versions():
    """Another version is an ENV-ERROR."""
    for value in ("3", "-1", "v1"):
        with Ptah(F3S(1).plus("-proxyProtocol", value)) as p:
            assert p.exit() == 64
            line, = p.err_protocol()
            assert line.startswith("ENV-ERROR ")


# TOR_PT_OUTBOUND_BIND_ADDRESS_V4 and _V6

def source_of(p, listener, host):
    with Client(p.address("dummy")) as c:
        c.open(host, port_of(listener))
        with lines.accept(listener) as f:
            return f.getpeername()[0]


def test_outbound_address_leaves_loopback_alone(tmp_path, far):
    """The address is not applied to 127.0.0.0/8 and ::1."""
    start = E1C(tmp_path, TOR_PT_OUTBOUND_BIND_ADDRESS_V4="127.0.0.9",
                TOR_PT_OUTBOUND_BIND_ADDRESS_V6="[2001:db8::9]")
    with Ptah(start) as p, lines.listen("::1") as far6, \
            lines.listen("127.0.0.8") as far8:
        assert source_of(p, far, "127.0.0.1") == "127.0.0.1"
        assert source_of(p, far8, "127.0.0.8") != "127.0.0.9"
        assert source_of(p, far6, "::1") == "::1"


def test_outbound_address_is_applied_elsewhere(tmp_path):
    """Beyond loopback packets come from the address that was given."""
    with lines.namespace() as ns:
        if ns is None:
            pytest.skip("needs root and ip netns")
        for n in (1, 2):
            ns.ip("addr", "add", f"10.99.0.{n}/32", "dev", "lo")
            ns.ip("addr", "add", f"fd99::{n}/128", "dev", "lo", "nodad")
        with ns.inside(), lines.listen("10.99.0.1") as far4, \
                lines.listen("fd99::1") as far6, lines.listen() as far:
            start = E1C(tmp_path, TOR_PT_OUTBOUND_BIND_ADDRESS_V4="10.99.0.2",
                        TOR_PT_OUTBOUND_BIND_ADDRESS_V6="[fd99::2]")
            with Ptah(start) as p:
                assert source_of(p, far4, "10.99.0.1") == "10.99.0.2"
                assert source_of(p, far6, "fd99::1") == "fd99::2"
                assert source_of(p, far, "127.0.0.1") == "127.0.0.1"
            # one that is not ours: the dial fails, and does not go without
            start = start.change(TOR_PT_OUTBOUND_BIND_ADDRESS_V4="10.99.0.3")
            with Ptah(start) as p, Client(p.address("dummy")) as c:
                c.greet(b"\x00", 0)
                c.send(request("10.99.0.1", port_of(far4)))
                c.expect_refusal(8)
                lines.expect_nobody(far4)
                assert source_of(p, far6, "fd99::1") == "fd99::2"


# Names with two families (RFC 8305)

@pytest.fixture
def hosts(tmp_path):
    """Starts programs that know both.example as 127.0.0.1 and ::1."""
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost both.example\n"
                    "::1 localhost both.example\n", encoding="ascii")
    wrapper = lines.with_file(path, "/etc/hosts")
    if wrapper is None:
        pytest.skip("needs root and unshare")
    return wrapper


def links_in_time(p, listener, seconds):
    """A PT client reaches the target by way of a server, thrice, and soon but for what else the machine does."""
    took = []
    for _ in range(3):
        start = time.monotonic()
        with lines.connect(*p.address("dummy")) as peer:
            with lines.accept(listener) as f:
                lines.echo_works(peer, f)
        took.append(time.monotonic() - start)
    assert min(took) < seconds * harness.SLOW, took


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_one_family_refuses(tmp_path, hosts, host):
    """A name has two families and one refuses: the other one is used."""
    with lines.listen(host) as far:
        start = server_start(f"both.example:{port_of(far)}")
        with Ptah(start, wrapper=hosts) as p:
            links_in_time(p, far, 1)
        with Ptah(E1C(tmp_path), wrapper=hosts) as p, \
                Client(p.address("dummy")) as c:
            c.open("both.example", port_of(far))
            with lines.accept(far) as f:
                lines.echo_works(c.sock, f)


@pytest.mark.parametrize("host, deaf", [("127.0.0.1", "::1"),
                                        ("::1", "127.0.0.1")])
def test_one_family_does_not_answer(hosts, host, deaf):
    """A name has two families and one is silent: the other is used soon."""
    with contextlib.ExitStack() as both:
        for last in (False,) * 20 + (True,):
            far = both.enter_context(lines.listen(host))
            try:
                both.enter_context(lines.deaf_listener(deaf, port_of(far)))
                break
            except OSError:  # in the other family the port is somebody's
                if last:
                    raise
        start = server_start(f"both.example:{port_of(far)}")
        with Ptah(start, wrapper=hosts) as p:
            links_in_time(p, far, 1.5)


def test_localhost_as_the_target(far):
    """localhost is a target, whatever families this machine gives it."""
    with Ptah(server_start(f"localhost:{port_of(far)}")) as p:
        links_in_time(p, far, 1)


@pytest.fixture
def nameless(tmp_path):
    """Starts programs in a network whose name server knows no name."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\n", encoding="ascii")
    wrapper = lines.with_file(path, "/etc/resolv.conf")
    with lines.namespace() as ns:
        if wrapper is None or ns is None:
            pytest.skip("needs root, unshare and ip netns")
        with ns.inside(), lines.NameServer() as names:
            yield wrapper
            assert names.n_asked > 0


def test_target_that_does_not_resolve(nameless):
    """Peers are closed when the target has no address; others may come."""
    with Ptah(server_start("nowhere.example:80"), wrapper=nameless) as p:
        for _ in range(3):
            with lines.connect(*p.address("dummy")) as peer:
                lines.expect_closed(peer)
        assert p.alive()


def test_name_that_nobody_knows(nameless, tmp_path):
    """A name that the name server does not know gives REP 04."""
    with Ptah(E1C(tmp_path), wrapper=nameless) as p:
        for _ in range(3):
            with Client(p.address("dummy")) as c:
                c.greet(b"\x00", 0)
                c.send(request("nowhere.example", 80))
                c.expect_refusal(4)


def test_target_that_refuses():
    """A peer is closed when the target refuses."""
    with Ptah(server_start(f"127.0.0.1:{harness.free_port()}")) as p:
        for _ in range(3):
            with lines.connect(*p.address("dummy")) as peer:
                lines.expect_closed(peer)
        assert p.alive()


def test_peers_do_not_fill_the_log():
    """What many peers meet is said once, and then at a slowing pace."""
    with Ptah(server_start(f"127.0.0.1:{harness.free_port()}").plus(
            "-workers", "1", "-ipcLogLevel", "INFO")) as p:
        for _ in range(30):
            with lines.connect(*p.address("dummy")) as peer:
                lines.expect_closed(peer)
        assert p.finish() == 0
        line, = [line for line in p.logs() if "refused" in line]
        assert line == "LOG WARN cannot reach the target: Connection refused"


def test_target_that_does_not_answer():
    """A peer is closed when the target has not answered in time."""
    with lines.deaf_listener() as deaf, Ptah(server_start(
            lines.address(deaf)).plus("-dialTimeout", "1")) as p:
        where = p.address("dummy")
        start = time.monotonic()
        with lines.connect(*where) as peer:
            lines.expect_closed(peer)   # within 10 s; it would be 30 otherwise
        assert time.monotonic() - start >= 0.9


# Back-pressure

def kernel_holds(n_connections):
    """What the kernel may keep of so many connections, at the very most."""
    most = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as f:
            most += int(f.read().split()[2])
    return n_connections * most


@steps
@pytest.mark.parametrize("way", ["down", "up"])
def test_reader_that_stops_stops_the_writer(far, way, options):
    """Nobody reads: the sender stops, little memory is held, none is lost."""
    with chain(far, **options) as (c, s), Client(c.where, rcvbuf=65536) as app:
        app.open()
        with lines.accept(far) as f:
            reader, writer = (app.sock, f) if way == "down" else (f, app.sock)
            before = [lines.rss_kib(p.pid) for p in (c, s)]
            most = kernel_holds(3) + (4 << 20)
            total = most + (16 << 20)
            sender = Sender(writer, total)
            assert sender.stalled_at() < most
            after = [lines.rss_kib(p.pid) for p in (c, s)]
            cpu = [lines.cpu_seconds(p.pid) for p in (c, s)]
            time.sleep(0.5)
            spent = [lines.cpu_seconds(p.pid) for p in (c, s)]
            for i in range(2):
                assert after[i] - before[i] < lines.slack_kib(3072)
                assert spent[i] - cpu[i] <= 0.1
            got = receive(reader)
            sender.join(lines.PATIENCE)
            assert sender.error is None
            assert got.n == total
            assert got.hash.digest() == sender.stream.hash.digest()
            # and the other direction was left as it was
            reader.sendall(b"thanks")
            lines.expect(writer, b"thanks")


def test_stalled_links_delay_nobody(far):
    """While twenty links stand still another one works as if alone."""
    with chain(far, "-workers", "1") as (c, s), \
            contextlib.ExitStack() as stack:
        before = [lines.rss_kib(p.pid) for p in (c, s)]
        for i in range(20):
            app = stack.enter_context(Client(c.where, rcvbuf=65536,
                                             sndbuf=65536))
            app.open()
            f = stack.enter_context(lines.accept(far))
            for one in (app.sock, f):
                one.setblocking(False)
                ready = True
                while ready:
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            one.send(BLOCK[:262144])
                    _, ready, _ = select.select([], [one], [], 0.02)
        after = [lines.rss_kib(p.pid) for p in (c, s)]
        for i in range(2):
            assert after[i] - before[i] < lines.slack_kib(20 * 1024)
        took = []
        with Client(c.where) as app:
            app.open()
            with lines.accept(far) as f:
                for _ in range(200):
                    start = time.monotonic()
                    lines.echo_works(app.sock, f)
                    took.append(time.monotonic() - start)
        # Others of this machine delay some, but not most of them.
        assert sum(sorted(took)[:100]) < 1 * harness.SLOW, sorted(took)[::10]


# Ends

@steps
@pytest.mark.parametrize("first", ["app", "target"])
def test_half_close_through_both(far, first, options):
    """One side ends; the other side goes on until it has said all."""
    with chain(far, **options) as (c, _), Client(c.where) as app:
        app.open()
        with lines.accept(far) as f:
            one, two = (app.sock, f) if first == "app" else (f, app.sock)
            sender = Sender(one, 1 << 20)
            got = receive(two)
            assert got.hash.digest() == sender.stream.hash.digest()
            lines.expect_silence(one)
            sender = Sender(two, 2 << 20)
            got = receive(one)
            assert got.n == 2 << 20
            assert got.hash.digest() == sender.stream.hash.digest()


def test_nothing_said_both_ends_close(far):
    """A link without a byte ends in order too."""
    with chain(far) as (c, s):
        before = baseline(c, s)
        for _ in range(10):
            with Client(c.where) as app:
                app.open()
                with lines.accept(far) as f:
                    app.sock.shutdown(socket.SHUT_WR)
                    lines.expect_eof(f)
                    f.close()
                    lines.expect_eof(app.sock)
        given_back(before, c, s)


@steps
@pytest.mark.parametrize("who", ["app", "target"])
def test_reset_in_the_middle(far, who, options):
    """A reset ends the link at the other side, and nothing is left over."""
    with chain(far, **options) as (c, s):
        before = None
        for i in range(40):
            with Client(c.where) as app:
                app.open()
                with lines.accept(far) as f:
                    one, two = (app.sock, f) if who == "app" else (f, app.sock)
                    lines.echo_works(one, two)
                    one.setblocking(False)
                    two.setblocking(False)
                    if i % 2:
                        for sock in (one, two):
                            with contextlib.suppress(BlockingIOError):
                                for _ in range(8):
                                    sock.send(BLOCK[:65536])
                    lines.reset(one)
                    two.settimeout(lines.PATIENCE)
                    with contextlib.suppress(ConnectionResetError):
                        while two.recv(262144):
                            pass
            if before is None:
                before = baseline(c, s)
        given_back(before, c, s)
        with Client(c.where) as app:
            app.open()
            with lines.accept(far) as f:
                lines.echo_works(app.sock, f)


def baseline(*programs):
    """Descriptors of each, once the number has stopped moving."""
    seen = [None, 0]

    def quiet():
        now = [lines.descriptors(p.pid) for p in programs]
        seen[1] = seen[1] + 1 if now == seen[0] else 0
        seen[0] = now
        return seen[1] >= 10

    harness.poll(quiet, what="descriptors to come to rest")
    return seen[0]


def given_back(before, *programs):
    """Each program comes back to the descriptors that it had before."""
    harness.poll(lambda: all(lines.descriptors(p.pid) <= n
                             for p, n in zip(programs, before)),
                 what="the descriptors to be given back")


@steps
def test_last_words_before_the_close(far, options):
    """What was said right before a close arrives, each time, whole."""
    with chain(far, **options) as (c, _):
        for i in range(60):
            n = (1, 1447, 70000, 300001)[i % 4]
            with Client(c.where) as app:
                app.open()
                with lines.accept(far) as f:
                    one, two = (app.sock, f) if i % 2 else (f, app.sock)
                    one.sendall(BLOCK[:n])
                    one.close()
                    assert lines.read_all(two) == BLOCK[:n]


def test_many_links_at_once(echo):
    """Forty links with bytes of their own, echoed, all at the same time."""
    with Ptah(F3S(echo.port)) as s, \
            Ptah(client_start(s.address("dummy"))) as c, \
            contextlib.ExitStack() as stack:
        where = c.address("dummy")
        both = []
        for i in range(40):
            app = stack.enter_context(Client(where))
            app.open()
            both.append((Sender(app.sock, 300000 + 7777 * i),
                         Receiver(app.sock)))
        for sender, receiver in both:
            got = receiver.result()
            assert sender.error is None
            assert got.n == sender.total
            assert got.hash.digest() == sender.stream.hash.digest()


# Out of descriptors

FEW = ("prlimit", "--nofile=64:64")


class Visitor:
    """A link that waits for its turn; served once its echo has come."""

    def __init__(self, where, hello, answer):
        self.sock = lines.connect(*where)
        self.sock.sendall(hello + b"echo")
        self.sock.setblocking(False)
        self.wanted = answer + b"echo"
        self.got = b""

    def served(self):
        """Has the whole answer come?"""
        with contextlib.suppress(BlockingIOError):
            more = self.sock.recv(4096)
            assert more, f"closed after {self.got.hex()}"
            self.got += more
            assert self.wanted.startswith(self.got), self.got.hex()
        return self.got == self.wanted


@pytest.mark.parametrize("side", ["client", "server"])
def test_out_of_descriptors(echo, side):
    """New links wait, nothing spins, and each is served in its turn."""
    if side == "client":
        start = F3C(echo.port).plus("-workers", "1")
        hello = b"\x05\x01\x00" + request("127.0.0.1", 1)
        answer = b"\x05\x00" + bytes.fromhex("05000001000000000000")
    else:
        start = F3S(echo.port).plus("-workers", "1")
        hello = answer = b""
    with Ptah(start, wrapper=FEW) as p:
        where = p.address("dummy")
        waiting = [Visitor(where, hello, answer) for _ in range(100)]
        served = []

        def look():
            for one in list(waiting):
                if one.served():
                    waiting.remove(one)
                    served.append(one)
            return served

        # as many as fit
        rests(lambda: len(look()), what="the descriptors to be used up")
        assert 8 <= len(served) < 60
        assert len(waiting) > 40
        # nobody spins
        cpu = lines.cpu_seconds(p.pid)
        time.sleep(1)
        assert lines.cpu_seconds(p.pid) - cpu < 0.2
        # those that are served work on
        for one in served:
            one.sock.settimeout(lines.PATIENCE)
            one.sock.sendall(b"again")
            lines.expect(one.sock, b"again")

        # and the others get their turn, as fast as places are free
        def turn():
            for one in served:
                one.sock.close()
            served.clear()
            look()
            return not waiting

        harness.poll(turn, 20, "everybody to be served")
        for one in served:
            one.sock.close()
        last = Visitor(where, hello, answer)
        harness.poll(last.served, what="a link after the rush")
        last.sock.close()


# Drain

def test_drain_lets_links_end(far):
    """SIGINT closes the doors; what is inside goes on to its end."""
    ports = [harness.free_port() for _ in range(2)]    # nobody else's when they are closed
    with Ptah(server_start(lines.address(far)).change(bindport=ports[0])) as s, \
            Ptah(client_start(s.address("dummy"), "-proxylistenaddr", "127.0.0.1:%d" % ports[1])) as c, \
            Client(c.address("dummy")) as app:
        for p in (c, s):    # whoever still starts ends at once
            p.wait_done()
        app.open()
        with lines.accept(far) as f:
            lines.echo_works(app.sock, f)
            for p in (c, s):
                where = p.address("dummy")
                p.signal(signal.SIGINT)
                harness.poll(lambda: not lines.listens(where),
                             what="a closed door")
                with pytest.raises(ConnectionRefusedError):
                    lines.connect(*where)
            lines.echo_works(app.sock, f)
            up = Sender(app.sock, 1 << 20)
            assert receive(f).hash.digest() == up.stream.hash.digest()
            assert c.alive()  # with the last byte back it may end at once
            down = Sender(f, 1 << 20)
            assert receive(app.sock).hash.digest() == (
                down.stream.hash.digest())
        assert c.exit() == 0
        assert s.exit() == 0
