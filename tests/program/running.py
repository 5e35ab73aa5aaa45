# SPDX-License-Identifier: BSD-3-Clause
"""ptah run FILE, and what its log says.

    with Running(path) as run:
        host, port = run.address("bridge")

The file must say "logLevel": "INFO" or nothing of it, and "unsafeLogging": true for the addresses.
"""
import re
import signal
import subprocess
import threading

import harness


class Running:
    """A process; 'with' starts it and waits until its services serve."""

    def __init__(self, path, services=None):
        self.path = str(path)
        self.services = services    # how many must serve; None: all
        self.process = None
        self.lines = []
        self.reader = None

    def __enter__(self):
        self.process = subprocess.Popen([harness.program()[0], "run", self.path], env=harness.environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        n, total = harness.poll(self.ready, timeout=20, what="ready; the log says\n" + "\n".join(self.lines))
        assert n == (total if self.services is None else self.services), self.log()
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            rc = self.process.wait(10 * harness.SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            rc = self.process.wait()
        self.reader.join(5)
        self.process.stderr.close()
        assert not harness.SANITIZER.search(self.log()), self.log()
        if kind is None:
            assert rc == 0, (rc, self.log())
        else:
            print(self.log())   # pytest shows it

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def log(self):
        return "\n".join(self.lines)

    def ready(self):
        assert self.process.poll() is None, "it ended:\n" + self.log()
        found = re.search(r"ready: (\d+) of (\d+) services serve", self.log())
        return found and (int(found[1]), int(found[2]))

    def address(self, label):
        """Where a service listens, first of all: it says so just before it serves."""
        where = None
        for line in list(self.lines):
            bound = re.search(r"\w+ listens on (\S+):(\d+)$", line)
            if bound:
                where = bound[1].strip("[]"), int(bound[2])
            elif re.search(r"\b%s serves: " % re.escape(label), line):
                return where
        raise AssertionError("%s does not serve:\n%s" % (label, self.log()))
