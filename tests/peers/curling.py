# SPDX-License-Identifier: BSD-3-Clause
"""curling.py: run curl, and compare what it moved by checksum."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from servers import digest, payload


class CurlFailed(AssertionError):
    def __init__(self, rc, text):
        super().__init__("curl ended with %d: %s" % (rc, text))
        self.rc = rc
        self.text = text


def curl(argv, seconds=30):
    """Run curl to its end; give what it wrote, or raise CurlFailed."""
    env = {k: v for k, v in os.environ.items()
        if not k.lower().endswith("_proxy")}
    got = subprocess.run(["curl", "-q", "-sS", "--fail", "--max-time",
        str(seconds)] + argv, stdin=subprocess.DEVNULL, capture_output=True,
        env=env, timeout=seconds + 5)
    if got.returncode != 0:
        raise CurlFailed(got.returncode,
            got.stderr.decode(errors="replace").strip())
    return got.stdout


def url(host, port, path=""):
    shown = "[%s]" % host if ":" in host else host
    return "http://%s:%d/%s" % (shown, port, path)


def download(how, host, port, size, seed, seconds=30):
    got = curl(how + [url(host, port, "%d/%d" % (size, seed))], seconds)
    if digest(got) != digest(payload(size, seed)):
        raise AssertionError("asked for %d bytes, got %d, not the same"
            % (size, len(got)))


def upload(how, host, port, size, seed, folder, seconds=30):
    data = payload(size, seed)
    path = os.path.join(folder, "upload.%d.%d" % (size, seed))
    with open(path, "wb") as f:
        f.write(data)
    got = curl(how + ["-T", path, url(host, port, "put")], seconds)
    os.unlink(path)
    if got.decode() != digest(data):
        raise AssertionError("of %d bytes others arrived" % size)


def ten_by_ten(do):
    """Call do(n, i) for 0 to 9 of each, ten n at once, and raise what failed."""
    def row(n):
        for i in range(10):
            do(n, i)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(row, range(10)))


def login(text):
    """Give PT arguments to curl as the user and password that carry them.

    The PT joins the two again, so they may be cut anywhere but where curl
    would see a colon of its own.
    """
    cut = max(1, min(len(text) // 2, 255))
    colon = text.find(":")
    if 0 <= colon < cut:
        cut = colon
    return ["--proxy-user", text[:cut] + ":" + text[cut:]]
