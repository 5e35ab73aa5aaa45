# SPDX-License-Identifier: BSD-3-Clause
"""obfs4 between ptah and obfs4proxy, in both roles and every iat-mode."""

import json
import os
import socket
import subprocess
import threading

import pytest

from conftest import need
from curling import download, login, ten_by_ten, upload
from household import free_ports
from pair import Client, Server, module_env, program_path, socks_args
from servers import HttpServer, Target, digest, hang_up, payload, receive
from test_exec import Gathering
from tor_network import BOOTSTRAP_S, NEEDS, TorNetwork

PAIRS = [("ptah", "obfs4proxy"), ("obfs4proxy", "ptah"), ("ptah", "ptah")]
# A burst of 1427 bytes fills one frame, 32768 is the most of one burst.
SIZES = [0, 1, 1427, 1428, 32768, 32769, 3 * 1024 * 1024 + 17]
IDENTITY = "node-id=%s;private-key=%s;drbg-seed=%%s" % ("83" * 20, "0f" * 32)
# The first has a length of 0 in its table, as one in thirty has; the other none, and enough to choose from.
SEED_WITH_0 = "b7a71c2d123eca91efb8d3df5ca9efa4b689ca697f7750e9"
SEED_WITHOUT_0 = "c5" * 24


class Pair:
    """A web server behind an obfs4 server, and an obfs4 client.

    In mode 2 not every table will do: obfs4proxy dies of one with a 0, pads
    without end by some of one length, and some crawl.  ptah's server draws
    none of these; obfs4proxy's gets a seed where a side has that mode.
    """

    def __init__(self, house, client, server, server_iat=0, client_iat=None,
            name="", options=""):
        need("curl", client, server)
        if server == "obfs4proxy" and 2 in (server_iat, client_iat) and not options:
            options = IDENTITY % SEED_WITHOUT_0
        self.house = house
        self.web = house.add(HttpServer())
        self.server = Server(house, program_path(server), "obfs4",
            "127.0.0.1:%d" % self.web.port, name="server" + name,
            options=";".join(filter(None, [options, "iat-mode=%d"
            % server_iat])))
        self.client = Client(house, program_path(client), "obfs4",
            name="client" + name)
        self.args = dict(self.server.args)
        assert self.args["iat-mode"] == str(server_iat)
        if client_iat is not None:
            self.args["iat-mode"] = str(client_iat)

    def how(self):
        return ["--socks5", "%s:%d" % (self.client.host, self.client.port)
            ] + login(socks_args(self.args.items()))

    def down(self, size, seed=1):
        download(self.how(), self.server.host, self.server.port, size, seed)

    def up(self, size, seed=1):
        upload(self.how(), self.server.host, self.server.port, size, seed,
            self.house.folder)


@pytest.mark.parametrize("client,server", PAIRS)
def test_obfs_001_002_sizes_both_ways(house, client, server):
    pair = Pair(house, client, server)
    for size in SIZES:
        pair.down(size, size)
        pair.up(size, size)


@pytest.mark.parametrize("client,server", PAIRS)
def test_obfs_001_002_ten_mib(house, client, server):
    pair = Pair(house, client, server)
    pair.down(10 << 20)
    pair.up(10 << 20)


@pytest.mark.parametrize("iat", [(1, 0), (0, 1), (2, 0), (0, 2), (1, 2),
    (2, 2)], ids=lambda iat: "client%d-server%d" % iat)
@pytest.mark.parametrize("client,server", PAIRS)
def test_obfs_009_010_iat_modes(house, client, server, iat):
    """Both ways, 100,000 bytes: some ninety rests on each side."""
    if client == "obfs4proxy" and iat[0] == 2:
        speak_by_the_servers_table(house, server, iat)
        return
    pair = Pair(house, client, server, client_iat=iat[0], server_iat=iat[1])
    pair.down(100000)
    pair.up(100000)


def dial(client, port, args):
    """An application's socket, connected by SOCKS to that port of loopback."""
    args = socks_args(args.items()).encode()
    s = socket.create_connection((client.host, client.port), 30)
    for said, heard in ((b"\5\1\2", b"\5\2"),
            (b"\1" + bytes([len(args)]) + args + b"\1\0", b"\1\0"),
            (b"\5\1\0\1\x7f\0\0\1" + port.to_bytes(2, "big"),
            b"\5\0\0\1" + bytes(6))):
        s.sendall(said)
        assert receive(s, len(heard)) == heard
    return s


def speak_by_the_servers_table(house, server, iat):
    """obfs4proxy's client has a table of its own draw for what it says before
    it has heard the server's, and may draw one that it dies of.  So it says
    nothing before: the application waits for a byte of the target's, which
    comes again and again, as one alone may stay with what came before it."""

    def act(target, s):
        s.settimeout(0.1)
        while not target.got:
            s.sendall(b".")
            try:
                target.got = s.recv(1)
            except socket.timeout:
                pass
        target.got += receive(s, 100000 - 1)
        s.sendall(b"!" + payload(100000, 2))
        target.read_on(s)

    target = house.add(Target(act=act))
    there = Server(house, program_path(server), "obfs4", "127.0.0.1:%d" % target.port,
        options="iat-mode=%d" % iat[1])
    here = Client(house, program_path("obfs4proxy"), "obfs4")
    with dial(here, there.port, dict(there.args, **{"iat-mode": str(iat[0])})) as s:
        assert receive(s, 1) == b"."
        s.sendall(payload(100000, 1))
        while (word := receive(s, 1)) == b".":
            pass
        assert word == b"!"
        assert digest(receive(s, 100000)) == digest(payload(100000, 2))
    assert target.ended.wait(30)
    assert digest(target.got) == digest(payload(100000, 1))


class Halting(Gathering):
    """So does the first padding, of 0.2 s later, but not the next, of a second."""

    moment_s = 0.5


def test_obfs_014_a_target_that_speaks_first_where_the_network_halts(house):
    """obfs4proxy's client leaves alone what came in one read with the reply,
    and a read takes 8192 bytes: of ten replies some are short enough."""
    need("obfs4proxy")
    server = Server(house, program_path("ptah"), "obfs4", "127.0.0.1:%d"
        % house.add(Greeter(10)).port)
    client = Client(house, program_path("obfs4proxy"), "obfs4")
    relay = house.add(Halting((server.host, server.port), "127.0.0.1"))
    links = [house.add(dial(client, relay.port, dict(server.args)))
        for _ in range(10)]
    for s in links:
        assert receive(s, 5) == b"hello"


class Greeter:
    """Says hello to so many, and then waits."""

    def __init__(self, n):
        self.ear, self.n, self.socks = socket.create_server(("127.0.0.1", 0)), n, []
        self.port = self.ear.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        for _ in range(self.n):
            try:
                self.socks.append(self.ear.accept()[0])
            except OSError:
                return
            self.socks[-1].sendall(b"hello")

    def close(self):
        hang_up(self.ear)
        for sock in self.socks:
            sock.close()


def test_obfs_115_a_seed_that_gives_lengths_of_0(house):
    """obfs4proxy's client would die of it; its server in mode 0 does not."""
    need("obfs4proxy")
    for n, server in enumerate(("obfs4proxy", "ptah")):
        pair = Pair(house, "ptah", server, options=IDENTITY % SEED_WITH_0, client_iat=2,
            server_iat=0 if server == "obfs4proxy" else 2, name=str(n))
        pair.down(50000)
        pair.up(50000)


@pytest.mark.parametrize("client,server", PAIRS)
def test_a_hundred_connections_ten_at_once(house, client, server):
    pair = Pair(house, client, server)
    ten_by_ten(lambda n, i: pair.down(5000 + n * 1000 + i, 10 * n + i))
    assert pair.web.n_accepted == 100


def identity(server, house, name):
    state = house.path(name + "-state")
    with open(os.path.join(state, "obfs4_state.json")) as f:
        text = f.read()
    assert not text.endswith("\n")
    assert os.stat(os.path.join(state, "obfs4_state.json")).st_mode & 0o777 == 0o600
    with open(os.path.join(state, "obfs4_bridgeline.txt")) as f:
        line = f.read().splitlines()[-1]
    args = dict(server.args)
    assert line == ("Bridge obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT> cert=%s "
        "iat-mode=%s" % (args["cert"], args["iat-mode"]))
    return args["cert"], json.loads(text), list(json.loads(text))


@pytest.mark.parametrize("order", [("obfs4proxy", "ptah", "obfs4proxy"),
    ("ptah", "obfs4proxy", "ptah")], ids=lambda order: order[0] + "-first")
def test_obfs_015_a_bridge_moves_and_keeps_its_identity(house, order):
    need("obfs4proxy")
    seen = []
    for n, program in enumerate(order):
        options = "iat-mode=1" if n == 0 else ""
        server = Server(house, program_path(program), "obfs4", "127.0.0.1:9",
            options=options, name="bridge")
        seen.append(identity(server, house, "bridge"))
        server.process.stop()
        os.truncate(server.process.log, 0)
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1]["iat-mode"] == 1


@pytest.mark.parametrize("client", ["obfs4proxy", "ptah"])
def test_an_invitation_is_what_a_client_needs(house, client):
    """The bridge is started by the lines of its torrc, the client by one line."""
    need("curl", client)
    web, (port,) = house.add(HttpServer()), free_ports(1)
    where = "127.0.0.1:%d" % port
    got = subprocess.run([program_path("ptah"), "invite", "obfs4", "--bind",
        where, "--advertise", where, "--state", house.path("bridge"), "--json"],
        env={**os.environ, **module_env()}, capture_output=True, check=True)
    card = json.loads(got.stdout)
    lines = dict(line.split(" ", 1) for line in card["server-torrc"])
    bridge = house.start("bridge",
        lines["ServerTransportPlugin"].split(" ")[2:], {
            "TOR_PT_MANAGED_TRANSPORT_VER": "1",
            "TOR_PT_STATE_LOCATION": house.path("another"),
            "TOR_PT_SERVER_TRANSPORTS": "obfs4",
            "TOR_PT_SERVER_BINDADDR": lines["ServerTransportListenAddr"]
                .replace(" ", "-"),
            "TOR_PT_ORPORT": "127.0.0.1:%d" % web.port,
            **module_env()})
    bridge.wait_text("SMETHODS DONE\n", 20)
    name, address, *args = card["bridge-line"].split(" ")
    assert (name, address) == ("obfs4", where)
    c = Client(house, program_path(client), "obfs4")
    download(["--socks5", "%s:%d" % (c.host, c.port)] + login(socks_args(
        arg.split("=", 1) for arg in args)), "127.0.0.1", port, 100000, 1)


@pytest.mark.parametrize("client,server", PAIRS)
def test_tor_with_obfs4(house, client, server):
    need(*NEEDS, client, server)
    net = TorNetwork(house, "obfs4", program_path(client),
        program_path(server), say=print)
    net.start(BOOTSTRAP_S)
    net.fetch([4 << 20] * 4, 60)
    net.check_extorport()
