# SPDX-License-Identifier: BSD-3-Clause
"""netns.py: two hosts that are namespaces of this machine, and a wire between them; and one for ourselves."""

import ctypes
import os
import subprocess

_count = 0


def can():
    """Say whether we may make them."""
    if os.geteuid() != 0:
        return False
    name = "ptah-try-%d" % os.getpid()
    if subprocess.run(["ip", "netns", "add", name], stderr=subprocess.DEVNULL).returncode:
        return False
    subprocess.run(["ip", "netns", "del", name], check=True)
    return os.path.exists("/dev/net/tun")


CLONE_NEWNET = 0x40000000


def move_to_own():
    """Have a loopback of our own, as all have that we start, if we may.

    What runs beside us then cannot take a port between the moment when it was
    found free and the moment when somebody listens there; ss-local and
    ss-server find theirs in the same way.
    """
    if os.geteuid() == 0 and ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0:
        sh("ip", "link", "set", "lo", "up")


def sh(*argv):
    got = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert got.returncode == 0, "%s: %s" % (" ".join(argv), got.stdout)
    return got.stdout


class Two:
    """Hosts 'c' at 10.77.0.2 and 's' at 10.77.0.1; close() takes them away."""

    server = "10.77.0.1"

    def __init__(self):
        global _count
        _count += 1
        self.names = {side: "ptah-%d-%d-%s" % (os.getpid(), _count, side) for side in "cs"}
        try:
            for name in self.names.values():
                sh("ip", "netns", "add", name)
                sh("ip", "-n", name, "link", "set", "lo", "up")
            sh("ip", "link", "add", "w0", "netns", self.names["c"], "type", "veth",
                "peer", "name", "w0", "netns", self.names["s"])
            for side, address in (("s", self.server), ("c", "10.77.0.2")):
                sh("ip", "-n", self.names[side], "addr", "add", address + "/24", "dev", "w0")
                sh("ip", "-n", self.names[side], "link", "set", "w0", "up")
        except BaseException:
            self.close()
            raise

    def on(self, side, *argv):
        """The command that runs argv on that host."""
        return ["ip", "netns", "exec", self.names[side], *argv]

    def run(self, side, *argv):
        return sh(*self.on(side, *argv))

    def lose(self, percent):
        """Let each host lose that much of what arrives by the wire."""
        for side in "cs":
            self.run(side, "iptables", "-F", "INPUT")
            if percent:
                self.run(side, "iptables", "-A", "INPUT", "-i", "w0", "-m", "statistic", "--mode", "random",
                    "--probability", str(percent / 100), "-j", "DROP")

    def close(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
