# SPDX-License-Identifier: BSD-3-Clause
"""A headless Chromium, driven through its pipe: no port, no library."""
import base64
import fcntl
import json
import os
import selectors
import shutil
import subprocess
import tempfile
import time

import harness

PROGRAM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"]


class Browser:
    """One page; 'events' are all that it was told of."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="ptah-browser-")
        to_it, self.to = os.pipe()
        self.at, from_it = os.pipe()
        # It reads from 3 and writes to 4; what is in the way there is above 10.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (to_it, from_it)]
        os.close(to_it)
        os.close(from_it)
        self.process = subprocess.Popen(
            [PROGRAM, *FLAGS, "--user-data-dir=" + self.folder, "about:blank"], close_fds=False,
            preexec_fn=lambda: (os.dup2(high[0], 3), os.dup2(high[1], 4)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in high:
            os.close(fd)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.at, selectors.EVENT_READ)
        self.left, self.n, self.events, self.session = b"", 0, [], None
        page = [t for t in self.do("Target.getTargets")["targetInfos"] if t["type"] == "page"][0]
        self.session = self.do("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(domain + ".enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.selector.close()
        os.close(self.to)
        os.close(self.at)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _message(self, until):
        while b"\0" not in self.left:
            if not self.selector.select(max(0, until - time.monotonic())):
                raise TimeoutError("the browser does not answer")
            part = os.read(self.at, 1 << 20)
            if not part:
                raise EOFError("the browser has ended: %s" % self.process.poll())
            self.left += part
        one, self.left = self.left.split(b"\0", 1)
        return json.loads(one)

    def do(self, method, **params):
        self.n += 1
        order = {"id": self.n, "method": method, "params": params}
        if self.session:
            order["sessionId"] = self.session
        os.write(self.to, json.dumps(order).encode() + b"\0")
        until = time.monotonic() + 60 * harness.SLOW
        while True:
            message = self._message(until)
            if message.get("id") == self.n:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, url):
        self.do("Page.navigate", url=url)

    def eval(self, expression):
        """The value of an expression of JavaScript in the page."""
        got = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def wait(self, expression, timeout=20):
        harness.poll(lambda: self.eval(expression), timeout=timeout, what=expression)

    def look(self, width, height, scheme="light", mobile=False):
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def shot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))

    def complaints(self):
        """What the page did wrong: errors of its script, and what its policy refused."""
        return [e["params"] for e in self.events if e["method"] == "Runtime.exceptionThrown" or
                (e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] in ("error", "warning"))]

    def fetched(self):
        return {e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"}
