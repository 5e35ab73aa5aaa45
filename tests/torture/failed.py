# SPDX-License-Identifier: BSD-3-Clause
"""A flood of handshakes that fail, each in another way, at an obfs4 server.

The server reads them all and answers none; it keeps some for a while, and so
much memory for each and no more; who knows the bridge gets in meanwhile.
"""
import collections
import os
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
    "..", "program"))

import obfs4model as model  # noqa: E402

PER_LINK = 4096
HANDSHAKE = 8192    # what a link may have heard before it is judged
SLACK = 8 << 20     # allocators, tables, links that are only being read
PENDING_PART = 200  # one of so many has said too little to fail
KEPT_MOST = 4096    # by each worker
GOOD_EVERY = 1000
GOOD_MOST_S = 20


class Shapes:
    """What a prober says: all fail at once, but for the few that wait."""

    def __init__(self, cert):
        self.node, self.public = model.read_cert(cert)
        self.key = self.public + self.node
        self.rep = model.key_pair()[2]
        self.mark = model.mac(self.key, self.rep)[:16]
        self.noise = os.urandom(1 << 16)
        self.replayed = self.hello()

    def hello(self, spoil=b"", epoch=None):
        head = self.rep + os.urandom(8) * 25 + self.mark
        mac = model.mac(self.key, head, epoch or model.hour())[:16]
        return head + bytes(a ^ b for a, b in zip(mac, spoil)) + \
            mac[len(spoil):]

    def zero(self):
        """A key whose product with any other is 0."""
        head = bytes(32) + os.urandom(8) * 12 + \
            model.mac(self.key, bytes(32))[:16]
        return head + model.mac(self.key, head, model.hour())[:16]

    def probe(self, i):
        if i % PENDING_PART == 0:
            return self.noise[:i % 8000]
        at = i * 97 % 50000
        return (
            lambda: self.noise[at:at + 8192],
            lambda: self.noise[at:at + 15000],
            lambda: bytes(8192 + at % 3000),
            lambda: b"GET /%d HTTP/1.1\r\n" % i + self.noise[:9000],
            lambda: self.hello(spoil=bytes([1 << i % 8])),
            # Of hours gone by: of those to come one may be the next before it is read.
            lambda: self.hello(epoch=model.hour(-2 - i % 5)),
            lambda: self.replayed,
            self.zero,
            lambda: self.hello() + b"x" * 8192,
        )[i % 9]()


def rss(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def n_files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


class Flood:
    """At most 'most' connections at once; who is hung up on makes room."""

    def __init__(self, address, most):
        self.address, self.most = address, most
        self.open = collections.OrderedDict()
        self.epoll = select.epoll()
        self.n = self.hung_up = 0

    def connect(self, data):
        sock = socket.socket()
        # Of another loopback address every while: ports run out.
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        sock.bind(("127.%d.0.1" % (1 + self.n // 5000), 0))
        sock.connect(self.address)
        sock.setblocking(False)
        # All of it fits into the kernel's buffer, or the server reads it.
        sock.send(data)
        self.open[sock.fileno()] = sock
        self.epoll.register(sock.fileno(), select.EPOLLIN)
        self.n += 1
        while len(self.open) > self.most:
            self.forget(next(iter(self.open)))

    def forget(self, fd):
        self.epoll.unregister(fd)
        self.open.pop(fd).close()

    def look(self):
        """Not a byte, and never a reset."""
        for fd, _ in self.epoll.poll(0, 10000):
            got = self.open[fd].recv(1)
            if got:
                raise AssertionError("a failed handshake was answered")
            self.hung_up += 1
            self.forget(fd)

    def close(self):
        for fd in list(self.open):
            self.forget(fd)


def good(address, cert, data=b"anybody there?"):
    """How long who knows the bridge waits for an echo."""
    begun = time.monotonic()
    sock = socket.create_connection(address, timeout=GOOD_MOST_S)
    link = model.Link(sock, model.Hello(cert))
    link.send(data)
    if link.read(len(data)) != data:
        raise AssertionError("a good client hears something else")
    sock.close()
    return time.monotonic() - begun


def idle(address, cert, pid, n):
    """OBFS-129: many that have said something, and may still say the rest."""
    memory, files = rss(pid), n_files(pid)
    crowd = Flood(address, n)
    noise = os.urandom(8000)
    for i in range(n):
        crowd.connect(noise[:i % 8000])
        if i % 100 == 0:
            crowd.look()
    end = time.monotonic() + 30
    while n_files(pid) - files < n:
        if time.monotonic() > end:
            raise AssertionError("%d of %d are let in" % (n_files(pid) - files,
                n))
        time.sleep(0.05)
    wait, grown = good(address, cert), rss(pid) - memory
    print("  %d wait with half a hello, for %.1f KiB each; a good client "
        "waited %.0f ms" % (n, grown / n / 1024, 1000 * wait))
    if grown > n * (HANDSHAKE + PER_LINK) + SLACK:
        raise AssertionError("%d bytes for %d waiting links" % (grown, n))
    if crowd.hung_up:
        raise AssertionError("%d were hung up on" % crowd.hung_up)
    crowd.close()
    end = time.monotonic() + 30
    while n_files(pid) > files + 10:
        if time.monotonic() > end:
            raise AssertionError("closed connections are kept")
        time.sleep(0.05)


def flood(address, cert, pid, n, most, n_workers):
    """OBFS-129.  Raise unless all is as the first lines of this file say."""
    shapes = Shapes(cert)
    crowd = Flood(address, most)
    first = socket.create_connection(address)
    first.sendall(shapes.replayed)
    if not first.recv(1):
        raise AssertionError("the first of all replays is a good hello")
    first.close()
    good(address, cert)
    memory, files, begun = rss(pid), n_files(pid), time.monotonic()
    waits, half = [], 0
    for i in range(1, n + 1):
        crowd.connect(shapes.probe(i))
        if i % 100 == 0:
            crowd.look()
        if i % GOOD_EVERY == 0:
            waits.append(good(address, cert))
        if i == n // 2:
            half = rss(pid)
    end = time.monotonic() + 30
    while time.monotonic() < end and len(crowd.open) > KEPT_MOST * n_workers:
        crowd.look()
        time.sleep(0.05)
    crowd.look()
    kept, grown = n_files(pid) - files, rss(pid) - memory
    print("  %d failed in %.1f s, %d kept, %d hung up on; %.1f MiB more; "
        "good clients waited %.0f ms at most" % (n, time.monotonic() - begun,
        kept, crowd.hung_up, grown / 1048576, 1000 * max(waits)))
    if kept > KEPT_MOST * n_workers + n // PENDING_PART + 100:
        raise AssertionError("%d failed links are kept" % kept)
    if grown > kept * PER_LINK + SLACK:
        raise AssertionError("%d bytes for %d failed links" % (grown, kept))
    if rss(pid) - half > SLACK / 2 + n // PENDING_PART * 12000:
        raise AssertionError("it still grows: %d bytes" % (rss(pid) - half))
    crowd.close()
    end = time.monotonic() + 30
    while n_files(pid) > files + 10:
        if time.monotonic() > end:
            raise AssertionError("closed connections are kept: %d" %
                (n_files(pid) - files))
        time.sleep(0.05)
    good(address, cert)
