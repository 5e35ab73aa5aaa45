#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""tor_network.py: a whole Tor network on loopback, with a bridge and a client.

Three directory authorities are relays and exits at once.  The bridge starts
one PT program as its server, the client starts one as its client; both are
parameters.  Bytes go

    curl - tor client - PT client - PT server - bridge - 2 relays - web server

and are compared by checksum.  Run by itself it prints what it does:

    tor_network.py --transport obfs4 --client obfs4proxy --server obfs4proxy
"""

import argparse
import os
import re
import subprocess
import sys
import time

from household import Household, free_ports, wait_for
from pair import module_env, program_path, split_args
from servers import HttpServer, digest, payload

N_AUTHORITIES = 3
NEEDS = ("tor", "tor-gencert", "curl")

# The delays of a vote are the least that tor takes.  The first vote is put so
# that the relays have told one another of themselves by then; each later one
# follows after ten seconds.  A consensus lives for six intervals, so a machine
# that stalls for some seconds does no harm.
INTERVAL_S = 10
FIRST_VOTE_S = 5
DELAYS_S = 4
# How long all of it may take on a machine that is busy with others.
BOOTSTRAP_S = 240

COMMON = """
TestingTorNetwork 1
DataDirectory {folder}
PidFile {folder}/pid
Log notice file {folder}/notice.log
Log [pt]info file {folder}/pt.log
SafeLogging 0
ProtocolWarnings 1
RunAsDaemon 0
DisableDebuggerAttachment 0
AssumeReachable 1
PathsNeededToBuildCircuits 0.25
EnforceDistinctSubnets 0
ExitPolicyRejectPrivate 0
ExtendAllowPrivateAddresses 1
ClientRejectInternalAddresses 0
ClientDNSRejectInternalAddresses 0
AddressDisableIPv6 1
Address 127.0.0.1
ShutdownWaitLength 0
UseMicrodescriptors 1
{authorities}
"""

AUTHORITY = """
Nickname auth{n}
ContactInfo nobody@example.invalid
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
OutboundBindAddress 127.0.0.1
ORPort 127.0.0.1:{orport} IPv4Only
DirPort 127.0.0.1:{dirport}
SocksPort 0
ExitRelay 1
ExitPolicy accept *:*
TestingV3AuthVotingStartOffset {offset}
TestingV3AuthInitialVotingInterval 10
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
V3AuthNIntervalsValid 6
TestingDirAuthVoteExit *
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
AuthDirMaxServersPerAddr 0
TestingAuthDirTimeToLearnReachability 0
"""

BRIDGE = """
Nickname bridge
ContactInfo nobody@example.invalid
BridgeRelay 1
PublishServerDescriptor 0
BridgeDistribution none
ORPort 127.0.0.1:{orport} IPv4Only
ExtORPort auto
Log [net]debug file {folder}/net.log
SocksPort 0
ExitRelay 0
ServerTransportPlugin {transport} exec {program}
ServerTransportListenAddr {transport} 127.0.0.1:{ptport}
{options}
"""

CLIENT = """
SocksPort 127.0.0.1:auto
UseBridges 1
ClientOnly 1
ClientTransportPlugin {transport} exec {program}
Bridge {transport} 127.0.0.1:{ptport} {fingerprint} {args}
"""


class TorNetwork:
    """Start it, ask for fetches, close the household."""

    def __init__(self, house, transport, client, server, bridge_args=None,
            options="", say=lambda text: None):
        self.house = house
        self.transport = transport
        self.client_program = client
        self.server_program = server
        self.bridge_args = bridge_args
        self.options = options
        self.say = say
        self.tor = program_path("tor")
        self.born = time.monotonic()
        self.authorities = ""

    def _folder(self, name):
        path = self.house.path(name)
        os.makedirs(os.path.join(path, "keys"), mode=0o700, exist_ok=True)
        os.chmod(path, 0o700)
        return path

    def _torrc(self, name, text, **values):
        folder = self._folder(name)
        path = os.path.join(folder, "torrc")
        whole = (COMMON + text).format(folder=folder,
            authorities=self.authorities, **values)
        with open(path, "w") as f:
            f.write(whole)
        return path

    def _start(self, name, torrc):
        return self.house.start(name, [self.tor, "--defaults-torrc",
            "/dev/null", "-f", torrc, "--quiet"], module_env())

    def _fingerprint(self, torrc):
        got = subprocess.run([self.tor, "--defaults-torrc", "/dev/null", "-f",
            torrc, "--quiet", "--list-fingerprint"], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=30, text=True)
        found = re.search(r"^\S+ ((?:[0-9A-F]{4} ?){10})$", got.stdout, re.M)
        if not found:
            raise AssertionError("tor gave no fingerprint:\n" + got.stdout)
        return found.group(1).replace(" ", "")

    def _log(self, name, file="notice.log"):
        try:
            with open(self.house.path(name, file), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def _wait_log(self, name, pattern, seconds, file="notice.log"):
        process = next(p for p in self.house.processes if p.name == name)

        def there():
            found = re.search(pattern, self._log(name, file))
            if not found and not process.alive():
                raise AssertionError("tor %s ended:\n%s%s" % (name,
                    process.text(), self._log(name)))
            return found

        try:
            return wait_for("tor %s logs %s" % (name, pattern), seconds, there,
                pause=0.1)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self._log(name)[-3000:]))

    def _make_authorities(self):
        ports = free_ports(2 * N_AUTHORITIES)
        making = []
        for n in range(N_AUTHORITIES):
            keys = os.path.join(self._folder("auth%d" % n), "keys")
            making.append(subprocess.Popen([program_path("tor-gencert"),
                "--create-identity-key", "-m", "12", "--passphrase-fd", "0",
                "-i", keys + "/authority_identity_key",
                "-s", keys + "/authority_signing_key",
                "-c", keys + "/authority_certificate",
                "-a", "127.0.0.1:%d" % ports[2 * n + 1]],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE))
        lines = []
        for n, gencert in enumerate(making):
            _, err = gencert.communicate(b"loopback\n", timeout=60)
            if gencert.returncode != 0:
                raise AssertionError("tor-gencert: " + err.decode())
            orport, dirport = ports[2 * n:2 * n + 2]
            cert = self.house.path("auth%d" % n, "keys",
                "authority_certificate")
            with open(cert) as f:
                v3ident = re.search(r"^fingerprint (\w+)$", f.read(),
                    re.M).group(1)
            torrc = self._torrc("auth%d" % n, AUTHORITY, n=n, orport=orport,
                dirport=dirport, offset=0)
            # The list of authorities has to be there before any may speak of
            # itself as one, but its own line needs its fingerprint.
            with open(torrc, "a") as f:
                f.write("DirAuthority a 127.0.0.1:1 %s\n" % ("F" * 40))
            lines.append("DirAuthority auth%d orport=%d no-v2 v3ident=%s "
                "127.0.0.1:%d %s" % (n, orport, v3ident, dirport,
                self._fingerprint(torrc)))
        self.authorities = "\n".join(lines)
        offset = int(time.time() + FIRST_VOTE_S + DELAYS_S) % INTERVAL_S
        for n in range(N_AUTHORITIES):
            self._start("auth%d" % n, self._torrc("auth%d" % n, AUTHORITY,
                n=n, orport=ports[2 * n], dirport=ports[2 * n + 1],
                offset=offset))

    def _make_bridge(self):
        orport, self.ptport = free_ports(2)
        options = ""
        if self.options:
            options = "ServerTransportOptions %s %s" % (self.transport,
                self.options)
        torrc = self._torrc("bridge", BRIDGE, orport=orport,
            transport=self.transport, program=self.server_program,
            ptport=self.ptport, options=options)
        self.bridge_fingerprint = self._fingerprint(torrc)
        self._start("bridge", torrc)
        self._wait_log("bridge", r"Registered server transport '%s'"
            % self.transport, 30)

    def _wait_consensus(self, seconds):
        """Wait until the bridge has what the client asks it for first: who is
        told that there is none, or gets one without relays, as the first of
        a busy machine is, asks again later and later."""
        path = self.house.path("bridge", "cached-microdesc-consensus")

        def all_relays():
            if not os.path.exists(path):
                return False
            with open(path) as f:
                return len(re.findall(r"^s .*\bExit\b", f.read(),
                    re.M)) == N_AUTHORITIES
        wait_for("the bridge has a consensus with all relays", seconds,
            all_relays, pause=0.1)

    def arguments(self):
        """Take the arguments given, else those that the server announced."""
        if self.bridge_args is not None:
            return self.bridge_args
        found = re.search(r"\(SMETHOD %s \S+ ARGS:(\S*)\)" % self.transport,
            self._log("bridge", "pt.log"))
        if not found:
            return ""
        return " ".join("%s=%s" % item for item in split_args(found.group(1)))

    def _make_client(self):
        self._start("client", self._torrc("client", CLIENT,
            transport=self.transport, program=self.client_program,
            ptport=self.ptport, fingerprint=self.bridge_fingerprint,
            args=self.arguments()))
        found = self._wait_log("client",
            r"Opened Socks listener connection \(ready\) on "
            r"127\.0\.0\.1:(\d+)", 30)
        self.socks_port = int(found.group(1))

    def age(self):
        return time.monotonic() - self.born

    def start(self, seconds):
        """Bootstrap to 100 %, or raise after so many seconds."""
        self._make_authorities()
        self._make_bridge()
        self.say("%5.1f s  authorities and bridge run" % self.age())
        self._wait_consensus(max(1, seconds - self.age()))
        self.say("%5.1f s  the bridge has a consensus" % self.age())
        self._make_client()
        self._wait_log("client", r"Bootstrapped 100%",
            max(1, seconds - self.age()))
        self.bootstrap_s = self.age()
        self.say("%5.1f s  the client is bootstrapped to 100 %%" % self.age())

    def fetch(self, sizes, seconds):
        """Fetch all sizes at once; raise unless each comes whole."""
        web = self.house.add(HttpServer())
        running = []
        for seed, size in enumerate(sizes):
            out = self.house.path("fetched.%d" % seed)
            url = "http://127.0.0.1:%d/%d/%d" % (web.port, size, seed)
            running.append((seed, size, out, self.house.start("curl%d" % seed,
                ["curl", "-sS", "--fail", "--max-time", str(int(seconds)),
                "--socks5-hostname", "127.0.0.1:%d" % self.socks_port,
                "-o", out, url])))
        end = time.monotonic() + seconds
        for seed, size, out, curl in running:
            rc = curl.popen.wait(max(1, end + 5 - time.monotonic()))
            if rc != 0:
                raise AssertionError("curl %d ended with %d: %s\n%s" % (seed,
                    rc, curl.text(), self._log("client")[-3000:]))
            with open(out, "rb") as f:
                got = f.read()
            if digest(got) != digest(payload(size, seed)):
                raise AssertionError("stream %d: %d bytes came, not the %d "
                    "that were sent" % (seed, len(got), size))
            os.unlink(out)
        self.say("%5.1f s  %d streams came whole" % (self.age(), len(sizes)))

    def check_extorport(self):
        """Raise unless the PT told the bridge through it who came."""
        if "Received USERADDR" not in self._log("bridge", "net.log"):
            raise AssertionError("the bridge heard of no client through its "
                "ExtORPort:\n" + self._log("bridge"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transport", default="dummy")
    parser.add_argument("--client", default="ptah", help="PT program")
    parser.add_argument("--server", default="ptah", help="PT program")
    parser.add_argument("--bridge-args", help="arguments of the bridge line; "
        "else those that the server announced")
    parser.add_argument("--options", default="", help="ServerTransportOptions")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--mib", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    opt = parser.parse_args()
    programs = [program_path(opt.client), program_path(opt.server)]
    missing = [w for w, p in zip((opt.client, opt.server), programs) if not p]
    missing += [n for n in NEEDS if not program_path(n)]
    if missing:
        print("missing: " + " ".join(missing))
        return 77
    with Household(keep=opt.keep) as house:
        print("folder " + house.folder)
        net = TorNetwork(house, opt.transport, *programs,
            bridge_args=opt.bridge_args, options=opt.options, say=print)
        net.start(BOOTSTRAP_S)
        net.fetch([opt.mib << 20] * opt.streams, 60)
        net.check_extorport()
    return 0


if __name__ == "__main__":
    sys.exit(main())
