# SPDX-License-Identifier: BSD-3-Clause
"""Services in processes of their own: what a hostile module tries, and what it gets.

tests/modules/hostile.c is compiled here once for each deed; its server does
it when a peer has spoken, and tells the peer the errno that it got.
"""
import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

import harness
import socks

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SOURCE = os.path.join(TOP, "tests", "modules", "hostile.c")
# A cell is back in 200 ms on a machine that has nothing else to do; the rest is for one that does.
BACK = 0.2


def landlock():
    """The level of Landlock that this kernel has."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(444, None, 0, 1)


pytestmark = pytest.mark.skipif(
    landlock() < 1, reason="this kernel has no Landlock, so nothing can be isolated")


@pytest.fixture(scope="module")
def compiled():
    """deed -> a modules folder with hostile.so, compiled when it is first asked for."""
    top = tempfile.mkdtemp(prefix="hostile-", dir=harness.BUILD)
    os.chmod(top, 0o755)

    def folder(deed, *flags):
        path = os.path.join(top, "-".join((deed,) + flags))
        if not os.path.exists(path):
            os.mkdir(path, 0o755)
            subprocess.run(
                ["cc", "-D_GNU_SOURCE", "-std=gnu11", "-O1", "-shared", "-fPIC", "-I", os.path.join(TOP, "include"),
                 '-DDEED="%s"' % deed, *flags, "-o", os.path.join(path, "hostile.so"), SOURCE],
                check=True)
        return path

    yield folder
    shutil.rmtree(top)


class Run(harness.Ptah):
    """ptah run, with a configuration of these services."""

    def __init__(self, tmp, services, modules=(), **top):
        self.conf = os.path.join(str(tmp), "ptah.conf")
        self.state = os.path.join(str(tmp), "state")
        self.top = dict({"stateDir": self.state, "workers": 2, "unsafeLogging": True,
                         "modulePath": list(modules) + harness.MODULE_PATH.split(":")}, **top)
        self.write(services)
        super().__init__(["run", self.conf], cwd=tmp)

    def write(self, services):
        with open(self.conf, "w") as out:
            json.dump(dict(self.top, services=services), out)

    def port(self, label, since=0):
        """The port of an isolated service, once it serves; of another one by the name of its transport."""
        line = self.wait_line(r"^ptah: %s(: \S+)? listens on .*:(\d+)" % re.escape(label), "err", since=since)
        return int(re.search(r"listens on .*:(\d+)", line).group(1))

    def cells(self):
        """The processes of its cells."""
        out = []
        for task in os.listdir("/proc/%d/task" % self.pid):
            with contextlib.suppress(OSError):
                with open("/proc/%d/task/%s/children" % (self.pid, task)) as kids:
                    out += [int(kid) for kid in kids.read().split()]
        return out


def server(echo_port, at="", name="hostile", **more):
    return dict({"role": "server", "mode": "transparent-TCP", "transport": name, "listen": "127.0.0.1:0",
                 "target": "127.0.0.1:%d" % echo_port, "isolate": True,
                 "options": {"at": at} if at else {}}, **more)


def ask(port, timeout=10):
    """Speak to a hostile server; what it says, or '' when it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout * harness.SLOW) as s:
        s.sendall(b"x")
        got = b""
        while not got.endswith(b"\n"):
            try:
                more = s.recv(100)
            except ConnectionResetError:
                more = b""
            if not more:
                break
            got += more
        return got.decode().strip()


DEEDS = [
    # what it tries, on what, and what it gets
    ("read", "{tmp}/secret", "EACCES"),
    ("read", "/etc/passwd", "EACCES"),
    ("read", "{tmp}/state/other/key", "EACCES"),
    ("read", "/proc/self/environ", "EACCES"),
    ("write", "{tmp}/ptah.conf", "EACCES"),
    ("write", "{tmp}/new", "EACCES"),
    ("write", "{modules}/hostile.so", "EACCES"),
    ("write", "{tmp}/state/one/own", "done"),
    ("remove", "{tmp}/ptah.conf", "EACCES"),
    ("list", "{tmp}", "EACCES"),
    ("list", "/proc", "EACCES"),
    ("parent-memory", "", "EACCES"),
    ("parent-environment", "", "EACCES"),
    ("connect", "127.0.0.1:{elsewhere}", "EPERM"),
    ("dial", "127.0.0.1:{elsewhere}", "EACCES"),
    ("dial", "127.0.0.1:{target}", "done"),
    ("dial-local", "127.0.0.1:{elsewhere}", "EACCES"),
    ("udp", "", "EPERM"),
    ("bind", "", "EPERM"),
    ("shut", "", "EPERM"),
    ("babble", "127.0.0.1:{elsewhere}", "done"),
    ("exec", "", "EPERM"),
    ("fork", "", "EAGAIN"),
    ("thread", "", "EAGAIN"),
    ("ptrace", "", "EPERM"),
    ("read-parent", "", "EPERM"),
    ("kill-parent", "", "EPERM"),
    ("kill-all", "", "EPERM"),
    ("outlive", "", "EPERM"),
    ("limit", "", "EPERM"),
    ("namespace", "", "EPERM"),
    ("uring", "", "EPERM"),
    ("share", "", "EPERM"),
]


@pytest.fixture
def elsewhere():
    """A listener that nobody is told of; how many came."""
    came = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        listener.settimeout(0.05)

        class Elsewhere:
            port = listener.getsockname()[1]

            @staticmethod
            def count():
                with contextlib.suppress(socket.timeout):
                    while True:
                        came.append(listener.accept()[0].close())
                return len(came)
        yield Elsewhere


@pytest.mark.parametrize("deed,at,gets", DEEDS, ids=["%s %s" % row[:2] for row in DEEDS])
def test_a_hostile_module_gets_nothing(tmp_path, compiled, echo, elsewhere, deed, at, gets):
    modules = compiled(deed)
    (tmp_path / "secret").write_text("nobody's business")
    (tmp_path / "state" / "other").mkdir(parents=True, mode=0o700)
    (tmp_path / "state" / "other" / "key").write_text("another service's")
    at = at.format(tmp=tmp_path, modules=modules, elsewhere=elsewhere.port, target=echo.port)
    with Run(tmp_path, {"one": server(echo.port, at)}, [modules]) as p:
        port = p.port("one")
        cells = p.cells()
        assert len(cells) == 1
        assert ask(port) == gets
        # It tries again, in the same process, and all is as it was.
        assert ask(port) == gets
        assert p.cells() == cells
        assert elsewhere.count() == 0
        assert (tmp_path / "ptah.conf").exists() and not (tmp_path / "new").exists()


def test_what_runs_when_a_file_is_loaded_is_locked_up_already(tmp_path, compiled, echo):
    with Run(tmp_path, {"one": server(echo.port)}, [compiled("nothing", "-DAMBUSH")]) as p:
        assert ask(p.port("one")) == "EACCES"


# Each takes 7 s: that long may a worker be silent.
@pytest.mark.parametrize("deed,gets", [("eat-memory", "ENOMEM"), ("eat-descriptors", "EMFILE")])
def test_it_eats_its_own_share_only(tmp_path, compiled, echo, deed, gets):
    if harness.SLOW > 1 and deed == "eat-memory":
        pytest.skip("a sanitizer's shadow memory is beyond any limit")
    services = {"one": server(echo.port, isolateMemory=64), "two": server(echo.port, name="dummy", isolate=False)}
    with Run(tmp_path, services, [compiled(deed)]) as p:
        port = p.port("one")
        assert ask(port) == gets
        carries(p.port("dummy"))
        # One that can serve nobody is no better than one that hangs.
        p.wait_line(r"one: its process ended \(it did not answer", "err", timeout=20)
        p.wait_line(r"one: serves again", "err")
        assert ask(port) == gets


def carries(port, sock=None, text=b"some words"):
    """A link to the echo server behind a dummy's port carries."""
    own = sock is None
    sock = sock or socket.create_connection(("127.0.0.1", port), 10 * harness.SLOW)
    sock.settimeout(10 * harness.SLOW)
    sock.sendall(text)
    got = b""
    while len(got) < len(text):
        more = sock.recv(100)
        assert more, "closed"
        got += more
    assert got == text
    if own:
        sock.close()


def back_after(port):
    """Seconds until a new process answers on this port; no connection is ever refused."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 10 * harness.SLOW) as s:
        s.settimeout(10 * harness.SLOW)
        s.sendall(b"x")
        assert s.recv(1) == b""
    return time.monotonic() - begun


@pytest.mark.parametrize("deed,how", [
    ("crash", r"signal 11"), ("abort", r"signal 6"), ("exit", r"exit status 0")])
def test_its_end_costs_its_own_links_only(tmp_path, compiled, echo, deed, how):
    services = {"one": server(echo.port), "two": server(echo.port, name="dummy"),
                "three": server(echo.port, name="dummy", isolate=False)}
    with Run(tmp_path, services, [compiled(deed)]) as p:
        port, ports = p.port("one"), [p.port("two"), p.port("dummy")]
        links = [socket.create_connection(("127.0.0.1", other), 10) for other in ports]
        for link in links:
            carries(None, link)
        assert len(p.cells()) == 2
        # The one that does it, and one that waits on the port meanwhile, in the same moment.
        begun = time.monotonic()
        assert ask(port) == ""
        p.wait_line(r"one: its process ended \(%s.* starts now" % how, "err")
        p.wait_line(r"one: serves again", "err")
        took = time.monotonic() - begun
        for link in links:
            carries(None, link)
            link.close()
        assert took < BACK * max(harness.SLOW, 1) or os.getloadavg()[0] > 1.5, took
        assert ask(port) == ""


def test_one_that_dies_at_once_is_given_more_and_more_time(tmp_path, compiled, echo):
    with Run(tmp_path, {"one": server(echo.port)}, [compiled("crash")]) as p:
        port = p.port("one")
        for when in ("now", "in 100 ms", "in 200 ms", "in 400 ms"):
            seen = len(p.err_lines)
            # No connection is refused at any time; that one waits for the next process.
            assert ask(port) == ""
            p.wait_line(r"one: its process ended .* starts %s$" % when, "err", since=seen)
            p.wait_line(r"one: serves again", "err", since=seen)


def test_one_that_hangs_is_killed(tmp_path, compiled, echo):
    """It takes 7 s: that long may a worker be silent."""
    with Run(tmp_path, {"one": server(echo.port)}, [compiled("loop")]) as p:
        assert ask(p.port("one"), 30) == ""
        p.wait_line(r"one: its process ended \(it did not answer", "err", timeout=30)
        p.wait_line(r"one: serves again", "err")


def test_its_secrets_are_in_no_list_of_processes(tmp_path, compiled, echo):
    with Run(tmp_path, {"one": server(echo.port, "/a/secret/of/one")}, [compiled("nothing")]) as p:
        p.port("one")
        for pid in p.cells():
            for name in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, name), "rb") as f:
                    assert b"secret" not in f.read()


def test_it_ends_with_its_parent(tmp_path, compiled, echo):
    with Run(tmp_path, {"one": server(echo.port)}, [compiled("nothing")]) as p:
        p.port("one")
        cells = p.cells()
        p.process.kill()
        p.process.wait()
        harness.poll(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in cells), what="its end")
