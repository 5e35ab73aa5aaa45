# SPDX-License-Identifier: BSD-3-Clause
"""obfs4 between ptah and obfs4proxy, in both roles and every iat-mode."""

import json
import os
import subprocess

import pytest

from conftest import need
from curling import CurlFailed, download, login, ten_by_ten, upload
from household import free_ports
from pair import Client, Server, module_env, program_path, socks_args
from servers import HttpServer
from tor_network import BOOTSTRAP_S, NEEDS, TorNetwork

PAIRS = [("ptah", "obfs4proxy"), ("obfs4proxy", "ptah"), ("ptah", "ptah")]
# A burst of 1427 bytes fills one frame, 32768 is the most of one burst.
SIZES = [0, 1, 1427, 1428, 32768, 32769, 3 * 1024 * 1024 + 17]
IDENTITY = "node-id=%s;private-key=%s;drbg-seed=%%s" % ("83" * 20, "0f" * 32)
# The first has a length of 0 in its table, as one in thirty has; the other none.
SEED_WITH_0 = "b7a71c2d123eca91efb8d3df5ca9efa4b689ca697f7750e9"
SEED_WITHOUT_0 = "c5" * 24
# What obfs4proxy dies of in mode 2 when it draws that length.
PANIC = "panic: BUG: Write(), iat length was 0"
# So many tables in a row that have it and use it: one in some millions.
TABLES_MOST = 5


class Pair:
    """A web server behind an obfs4 server, and an obfs4 client.

    obfs4proxy in mode 2 dies of a table of lengths that has a 0.  Its server
    gets a seed that gives none; its client, which draws one for each link
    until the server's has come, is started again when it died of just that.
    """

    def __init__(self, house, client, server, server_iat=0, client_iat=None,
            name="", options=""):
        need("curl", client, server)
        if server == "obfs4proxy" and server_iat == 2 and not options:
            options = IDENTITY % SEED_WITHOUT_0
        self.house = house
        self.web = house.add(HttpServer())
        self.server = Server(house, program_path(server), "obfs4",
            "127.0.0.1:%d" % self.web.port, name="server" + name,
            options=";".join(filter(None, [options, "iat-mode=%d"
            % server_iat])))
        self.client_is = (program_path(client), "client" + name)
        self.client = self.start_client()
        self.args = dict(self.server.args)
        assert self.args["iat-mode"] == str(server_iat)
        if client_iat is not None:
            self.args["iat-mode"] = str(client_iat)

    def start_client(self, again=""):
        path, name = self.client_is
        return Client(self.house, path, "obfs4", name=name + again)

    def client_drew_0(self):
        """Its links go before the process does."""
        if self.args["iat-mode"] != "2":
            return False
        process = self.client.process
        try:
            process.popen.wait(2)
        except subprocess.TimeoutExpired:
            return False
        return PANIC in process.text()

    def carry(self, job, *args):
        for n in range(TABLES_MOST):
            try:
                return job(self.how(), self.server.host, self.server.port, *args)
            except CurlFailed:
                if not self.client_drew_0():
                    raise
            self.client = self.start_client("-again%d" % n)
        raise AssertionError("%d clients in a row drew a 0" % TABLES_MOST)

    def how(self):
        return ["--socks5", "%s:%d" % (self.client.host, self.client.port)
            ] + login(socks_args(self.args.items()))

    def down(self, size, seed=1):
        self.carry(download, size, seed)

    def up(self, size, seed=1):
        self.carry(upload, size, seed, self.house.folder)


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
    pair = Pair(house, client, server, client_iat=iat[0], server_iat=iat[1])
    pair.down(100000)
    pair.up(100000)


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
