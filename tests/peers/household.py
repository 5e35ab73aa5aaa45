# SPDX-License-Identifier: BSD-3-Clause
"""household.py: one folder, the processes that live in it, and their end.

It knows nothing of transports or of Tor.  Every process is ended by its own
id, in the reverse of the order of birth, and the folder goes with them unless
it is to be kept.
"""

import ctypes
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
# What a sanitizer says of a program that was built with one.
SANITIZED = r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|: runtime error: "
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def wait_for(what, seconds, ask, pause=0.05):
    """Ask until the answer is true, or raise after so many seconds in which
    we could ask: what a pause lasts longer the machine stood still."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        now = time.monotonic()
        if now > end:
            raise AssertionError("%s: not within %g s" % (what, seconds))
        time.sleep(pause)
        end += max(0, time.monotonic() - now - pause - 0.1)


def free_ports(n, host="127.0.0.1"):
    """Name n ports that nobody listens on, below the ephemeral range.

    For programs that must be told their port in their configuration: a port
    from the kernel could go to somebody's outgoing connection meanwhile.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = []
    while len(found) < n:
        port = random.SystemRandom().randrange(12000, 32000)
        if port in found:
            continue
        with socket.socket(family) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, port))
            except OSError:
                continue
        found.append(port)
    return found


def listening(port, host="127.0.0.1"):
    """Say whether a process listens there, without connecting to it."""
    table = "/proc/net/tcp6" if ":" in host else "/proc/net/tcp"
    want = ":%04X" % port
    with open(table) as f:
        for line in f:
            word = line.split()
            if word[1].endswith(want) and word[3] == "0A":
                return True
    return False


class Process:
    """A program with its output in a file of the household."""

    def __init__(self, name, argv, folder, env, stdin):
        self.name = name
        self.log = os.path.join(folder, name + ".out")
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(argv, stdin=stdin, stdout=out,
                stderr=subprocess.STDOUT, env=env, cwd=folder,
                preexec_fn=_die_with_parent)
        self.pid = self.popen.pid

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.popen.poll() is None

    def wait_text(self, what, seconds):
        """Wait until the output holds 'what'; fail early if it ends first."""

        def there():
            if what in self.text():
                return True
            if not self.alive() and what not in self.text():
                raise AssertionError("%s ended with %s before it said %r:\n%s"
                    % (self.name, self.popen.returncode, what, self.text()))
            return False

        wait_for("%s says %r" % (self.name, what), seconds, there)

    def stop(self, seconds=5.0):
        """SIGTERM, then SIGKILL; return the exit status."""
        if self.alive():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        return self.popen.returncode


class Household:
    """Use it with 'with'; what was started in it does not outlive it."""

    def __init__(self, keep=False, prefix="ptah-peers-"):
        self.keep = keep
        self.folder = tempfile.mkdtemp(prefix=prefix)
        self.processes = []
        self.closers = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
        return False

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def start(self, name, argv, env=None, stdin=subprocess.DEVNULL):
        merged = dict(os.environ)
        merged.update(env or {})
        p = Process(name, argv, self.folder, merged, stdin)
        self.processes.append(p)
        return p

    def add(self, closer):
        """Keep something with a close() and close it at the end."""
        self.closers.append(closer)
        return closer

    def close(self):
        for c in reversed(self.closers):
            c.close()
        reports = []
        for p in reversed(self.processes):
            p.stop()
            if re.search(SANITIZED, p.text()):
                reports.append("%s:\n%s" % (p.name, p.text()[-4000:]))
        self.closers = []
        self.processes = []
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        if reports:
            raise AssertionError("\n".join(reports))
