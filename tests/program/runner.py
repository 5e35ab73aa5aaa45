# SPDX-License-Identifier: BSD-3-Clause
"""ptah run FILE, with a file that changes."""
import contextlib
import json
import re
import signal

import harness

SERVES = re.compile(r"ptah: ([^ ]+) serves: [^ ]+ on (.+):(\d+)$")


class Run(harness.Ptah):
    """It runs the services of 'conf' until the 'with' block ends."""

    words = ()        # before the file
    executable = None # another program than the one that is tested

    def __init__(self, tmp_path, services, wrapper=(), **more):
        self.path = tmp_path / "ptah.json"
        self.more = {"stateDir": str(tmp_path / "state"), "workers": 2, "unsafeLogging": True, **more}
        self.write(services)
        super().__init__(["run", *self.words, str(self.path)], wrapper=wrapper, executable=self.executable)

    def write(self, services):
        """Put new services into the file, at once as an editor does."""
        text = services if isinstance(services, str) else json.dumps({**self.more, "services": services})
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o600)
        new.replace(self.path)

    def wait_ready(self):
        self.wait_line(r"ready: \d+ of \d+ services serve", "err")
        return self

    def reload(self, services=None, answer=r"is read again: (.*)"):
        """Let it read the file; gives what it says to that."""
        if services is not None:
            self.write(services)
        since = len(self.err_lines)
        self.signal(signal.SIGHUP)
        return re.search(answer, self.wait_line(answer, "err", since=since)).group()

    def where(self, label, since=0):
        """Where the last service of this label listens."""
        self.wait_line(r"ptah: %s serves: " % label, "err", since=since)
        return [(m.group(2).strip("[]"), int(m.group(3))) for m in map(SERVES.match, self.err_lines)
                if m and m.group(1) == label][-1]


def server(target, transport="dummy", **more):
    return {"role": "server", "transport": transport, "listen": "127.0.0.1:0",
            "target": "127.0.0.1:%d" % target, **more}


def client(far, transport="dummy", **more):
    return {"role": "client", "mode": "transparent-TCP", "transport": transport, "listen": "127.0.0.1:0",
            "options": {"serverAddress": "%s:%d" % tuple(far)}, **more}


@contextlib.contextmanager
def pair(tmp_path, echo, kind=Run, **more):
    """Both ends in one process; gives the run and its services.

    At ports that nobody else is given when they are closed.
    """
    far, near = harness.free_port(), harness.free_port()
    services = {"far": server(echo.port, listen="127.0.0.1:%d" % far),
                "near": client(("127.0.0.1", far), listen="127.0.0.1:%d" % near)}
    with kind(tmp_path, services, **more) as run:
        run.wait_ready()
        yield run, services
        run.check()
