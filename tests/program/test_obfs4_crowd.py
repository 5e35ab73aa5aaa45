# SPDX-License-Identifier: BSD-3-Clause
"""OBFS-129: a crowd of peers that never authenticate."""
import os
import resource

import pytest

from harness import MODULES, SLOW, connect, poll
from test_obfs4 import Bridge

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "obfs4.so")),
    reason="built without obfs4")


@pytest.fixture
def descriptors():
    """As many as we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def held(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def test_obfs_129_a_crowd_that_never_authenticates(tmp_path, echo,
                                                   descriptors):
    """10,000, or what the descriptors allow: little memory each, no less once they have failed, and good clients get in."""
    n = min(10000, descriptors // 2 - 2500)
    if n < 500:
        pytest.skip("needs more descriptors: ulimit -Hn 6000 or more")
    socks = []
    try:
        with Bridge(tmp_path / "bridge", echo.port) as bridge:
            crowd(bridge, n, socks)
    finally:
        for sock in socks:  # a failure would keep them, and select() dislikes it
            sock.close()


def crowd(bridge, n, socks):
    link = bridge.echoes()  # open to the end: one that goes would be missed below
    before, few = resident(bridge.pid), held(bridge.pid)
    for _ in range(n):
        socks.append(connect(bridge.where))
        socks[-1].sendall(bytes(200))
    poll(lambda: held(bridge.pid) >= few + n, timeout=20,
         what="all to be accepted")
    bridge.echoes()
    # a link, and what it has said so far
    # (a sanitizer's shadow is as large again, and more)
    most = n * 8192 * (4 if SLOW > 1 else 1)
    assert resident(bridge.pid) - before < most
    junk = os.urandom(8300)
    for sock in socks:
        sock.setblocking(False)
        try:
            sock.sendall(junk)
        except OSError:  # under pressure the eldest may go
            pass
    bridge.echoes()
    poll(lambda: resident(bridge.pid) - before < most,
         what="what failed to be forgotten")
    link.send(b"still there")
    assert link.read(5011).endswith(b"still there")
