# SPDX-License-Identifier: BSD-3-Clause
"""ptah run with services whose modules are hostile.

tests/modules/hostile.c is compiled here once for each deed; its server does
it when a peer has spoken, and tells the peer the errno that it got.
"""
import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import zlib

import pytest

import harness

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SOURCE = os.path.join(TOP, "tests", "modules", "hostile.c")


def landlock():
    """The level of Landlock that this kernel has."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(444, None, 0, 1)


needs_landlock = pytest.mark.skipif(landlock() < 1, reason="this kernel has no Landlock, so nothing can be isolated")


@pytest.fixture(scope="module")
def compiled():
    """deed -> a modules folder with hostile.so, compiled when it is first asked for."""
    top = tempfile.mkdtemp(prefix="hostile-", dir=harness.BUILD)
    os.chmod(top, 0o755)

    def folder(deed, *flags):
        path = os.path.join(top, "%s-%x" % (deed, zlib.crc32(" ".join(flags).encode())))
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

    def __init__(self, tmp, services, modules=(), wrapper=(), **top):
        os.makedirs(str(tmp), exist_ok=True)
        self.conf = os.path.join(str(tmp), "ptah.conf")
        self.state = os.path.join(str(tmp), "state")
        self.top = dict({"stateDir": self.state, "workers": 2, "unsafeLogging": True,
                         "modulePath": list(modules) + harness.MODULE_PATH.split(":")}, **top)
        self.write(services)
        super().__init__(["run", self.conf], cwd=tmp, wrapper=wrapper)

    def write(self, services):
        self.labels = set(services)
        with open(self.conf, "w") as out:
            json.dump(dict(self.top, services=services), out)

    def port(self, label, since=0):
        """The port of an isolated service, once it serves; of another one by the name of its transport."""
        line = self.wait_line(r"^ptah: %s(: \S+)? listens on .*:(\d+)" % re.escape(label), "err", since=since)
        if label in self.labels:
            self.wait_line(r"^ptah: %s serves" % re.escape(label), "err", since=since)
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
