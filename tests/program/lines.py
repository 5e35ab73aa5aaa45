# SPDX-License-Identifier: BSD-3-Clause
"""lines.py: what the tests do with a connected socket, with a deadline each.

A test never waits without an end: every socket made here has a timeout, and
what did not come in time fails the test with what came instead.
"""

import contextlib
import ctypes
import hashlib
import os
import select
import socket
import struct
import subprocess
import threading
import time

import harness

PATIENCE = 10.0 * harness.SLOW


def family(host):
    """Say which family an address literal belongs to."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen(host="127.0.0.1", port=0, backlog=256):
    """Open a listener; its accept() waits PATIENCE and no longer.

    Once it is closed nobody listens there: the port is nobody else's.
    """
    s = socket.socket(family(host), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if s.family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((host, port or harness.free_port(host)))
    s.listen(backlog)
    s.settimeout(PATIENCE)
    return s


def connect(host, port, rcvbuf=None, sndbuf=None):
    """Connect without Nagle, so that each send is a segment of its own."""
    s = socket.socket(family(host), socket.SOCK_STREAM)
    s.settimeout(PATIENCE)
    if rcvbuf is not None:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if sndbuf is not None:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    s.connect((host, port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def accept(listener):
    """Take one connection; fail when none comes."""
    try:
        s, _ = listener.accept()
    except socket.timeout:
        raise AssertionError("nobody connected to the listener")
    s.settimeout(PATIENCE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def expect_nobody(listener, seconds=0.3):
    """Check that no connection arrives meanwhile."""
    ready, _, _ = select.select([listener], [], [], seconds)
    assert not ready, "somebody connected to a listener meant to stay alone"


def address(s):
    """Write the listener's address as options write it."""
    host, port = s.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def send(s, data, bytewise=False):
    """Send all; bytewise, each byte is a segment and mostly a read."""
    if not bytewise:
        s.sendall(data)
        return
    for i in range(len(data)):
        s.sendall(data[i:i + 1])
        time.sleep(0.0005)


def read(s, n):
    """Read exactly n bytes."""
    got = b""
    while len(got) < n:
        try:
            more = s.recv(n - len(got))
        except socket.timeout:
            raise AssertionError(f"wanted {n} bytes, have {got.hex()}, waits")
        except ConnectionResetError:
            raise AssertionError(f"wanted {n} bytes, have {got.hex()}, reset")
        if not more:
            raise AssertionError(f"wanted {n} bytes, have {got.hex()}, EOF")
        got += more
    return got


def expect(s, wanted):
    """Read as many bytes as are wanted, and compare."""
    got = read(s, len(wanted))
    assert got == wanted, f"wanted {wanted.hex()}, got {got.hex()}"


def expect_eof(s):
    """The end came in order: a FIN, not a reset, and not a byte before it."""
    try:
        more = s.recv(4096)
    except socket.timeout:
        raise AssertionError("wanted EOF, still open")
    except ConnectionResetError:
        raise AssertionError("wanted EOF, got a reset")
    assert more == b"", f"wanted EOF, got {more[:64].hex()}"


def expect_closed(s):
    """The end came, as a FIN or as a reset, and not a byte before it."""
    try:
        more = s.recv(4096)
    except socket.timeout:
        raise AssertionError("wanted the end, still open")
    except ConnectionResetError:
        return
    assert more == b"", f"wanted the end, got {more[:64].hex()}"


def expect_silence(s, seconds=0.25):
    """Neither a byte nor the end comes meanwhile."""
    ready, _, _ = select.select([s], [], [], seconds)
    if ready:
        try:
            got = s.recv(4096)
        except ConnectionResetError:
            raise AssertionError("wanted silence, got a reset")
        raise AssertionError(f"wanted silence, got {got[:64].hex() or 'EOF'}")


def read_all(s):
    """Read until EOF; a reset fails."""
    got = bytearray()
    while True:
        try:
            more = s.recv(262144)
        except socket.timeout:
            raise AssertionError(f"no EOF after {len(got)} bytes")
        except ConnectionResetError:
            raise AssertionError(f"reset after {len(got)} bytes")
        if not more:
            return bytes(got)
        got += more


def echo_works(near, far, data=b"there"):
    """Bytes pass both ways between two sockets."""
    near.sendall(data)
    expect(far, data)
    far.sendall(data[::-1])
    expect(near, data[::-1])


def reset(s):
    """Close with a RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def listens(where):
    """Is there a listener at this IPv4 address?  Asked without a visit."""
    host = struct.pack("=I", struct.unpack(
        "!I", socket.inet_aton(where[0]))[0])
    mine = f"{struct.unpack('!I', host)[0]:08X}:{where[1]:04X}"
    with open("/proc/net/tcp", encoding="ascii") as f:
        return any(line.split()[1] == mine and line.split()[3] == "0A"
                   for line in f)


def pattern(n, seed=b"seed"):
    """Make n bytes of which no two stretches are alike."""
    return hashlib.shake_128(seed).digest(n)


# What a process costs

def rss_kib(pid):
    """Resident memory now."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError(f"no VmRSS for {pid}")


def slack_kib(kib):
    """How much more memory is fine; sanitizers keep what was freed."""
    return kib if harness.SLOW == 1 else 64 * 1024 + kib


def cpu_seconds(pid):
    """User and system time so far, of all threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    """How many descriptors are open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


# Peers that do not answer

@contextlib.contextmanager
def deaf_listener(host="127.0.0.1", port=0):
    """A port where a connect neither succeeds nor fails: its queue is full."""
    s = socket.socket(family(host), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if s.family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((host, port))
    s.listen(0)
    fill = []
    for _ in range(8):
        c = socket.socket(s.family, socket.SOCK_STREAM)
        c.setblocking(False)
        c.connect_ex(s.getsockname())
        fill.append(c)
        _, ready, _ = select.select([], [c], [], 0.2)
        if not ready:
            break
    else:
        raise AssertionError("the queue of a listener does not fill up")
    try:
        yield s
    finally:
        for c in fill:
            c.close()
        s.close()


# A network of the test's own

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace with a loopback and whatever the test adds."""

    def __init__(self, name):
        self.name = name

    def ip(self, *args):
        """Run ip(8) in it."""
        subprocess.run(["ip", "-n", self.name, *args], check=True)

    @contextlib.contextmanager
    def inside(self):
        """This thread's new sockets belong to it meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.name}",
                        os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(home)
            os.close(there)


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))


@contextlib.contextmanager
def namespace():
    """Make a namespace, and take it away; None where that is not allowed."""
    name = f"ptah-test-{os.getpid()}-{time.monotonic_ns() % 1000000}"
    made = None
    if os.geteuid() == 0:
        with contextlib.suppress(FileNotFoundError):
            made = subprocess.run(["ip", "netns", "add", name],
                                  stderr=subprocess.DEVNULL, check=False)
    if made is None or made.returncode != 0:
        yield None
        return
    try:
        ns = Namespace(name)
        ns.ip("link", "set", "lo", "up")
        yield ns
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


# Names of the test's own

def with_file(path, instead):
    """Words to start a program with that finds 'path' in place of 'instead'.

    None where that is not allowed.
    """
    words = ("unshare", "-m", "sh", "-c",
             f'mount --bind "{path}" {instead} && exec "$@"', "sh")
    if os.geteuid() != 0:
        return None
    tried = subprocess.run(words + ("true",), stderr=subprocess.DEVNULL,
                           check=False)
    return words if tried.returncode == 0 else None


class NameServer:
    """Knows no name at all, and says so to everyone; counts the questions."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        self.n_asked = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A datagram from ourselves is the word to end.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.sock.getsockname())
        self.thread.join(PATIENCE)
        self.sock.close()

    def _run(self):
        while True:
            question, peer = self.sock.recvfrom(4096)
            if not question:
                return
            self.n_asked += 1
            # the same, with QR, RA and NXDOMAIN, and without other records
            end = 12
            while question[end]:
                end += 1 + question[end]
            self.sock.sendto(question[:2] + b"\x81\x83\x00\x01" + bytes(6) +
                             question[12:end + 5], peer)
