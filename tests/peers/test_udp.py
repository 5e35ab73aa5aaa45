# SPDX-License-Identifier: BSD-3-Clause
"""Programs that speak UDP, through ptah's UDP modes: dig, WireGuard, OpenVPN, coturn.

WireGuard, OpenVPN and coturn run the examples of conf/ as they stand there,
with the words in capitals replaced.
"""

import json
import os
import re
import shlex
import signal
import subprocess

import pytest

from conftest import need
from household import free_ports, wait_for
from netns import Two, can
from pair import _last_field, module_env, program_path, split_args

CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf")
TRANSPORTS = ("dummy", "obfs4")
# What goes over each tunnel; `make check-tunnels` says a gigabyte.
MEGABYTES = int(os.environ.get("PTAH_TUNNEL_MEGABYTES", "128"))


def has_transport(transport):
    folder = module_env()["PTAH_MODULE_PATH"]
    if not os.path.exists(os.path.join(folder, transport + ".so")):
        pytest.skip("the build has no " + transport)


def example(name, **words):
    """The text of an example with its words replaced, and ptah's command lines in it, by role."""
    with open(os.path.join(CONF, name)) as f:
        text = f.read()
    for word, value in words.items():
        text = re.sub(r"\b%s\b" % word, value, text)
    commands = {}
    for block in re.findall(r"(?m)^#\tptah (.*(?:\n#\t    .*)*)", text):
        argv = shlex.split(block.replace("\n#\t", " "))
        commands["server" if "-server" in argv else "client"] = argv
    return text, commands


class Example:
    """ptah as an example starts it, with its state in our folder and, maybe, another transport."""

    def __init__(self, house, hosts, transport):
        self.house, self.hosts, self.transport = house, hosts, transport
        self.cert = ""
        self.processes = {}

    def counted(self, side):
        """What that side has counted until now."""
        process = self.processes[side]

        def lines():  # whole ones: it may be writing just now
            return re.findall(r"counters:(.*)\n", process.text())

        before = len(lines())
        # "ip netns exec" has become ptah.
        os.kill(process.pid, signal.SIGUSR1)
        wait_for("it tells its counters", 30, lambda: len(lines()) > before)
        return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", lines()[-1])}

    def check_borders(self):
        """As many datagrams came out as went in, each way, on one link: had a border been missed, they would not."""
        def dropped(c):
            return c["udp_drop_full"] + c["udp_drop_waiting"] + c["udp_drop_refused"]

        def equal():
            c, s = self.counted("c"), self.counted("s")
            return (c["udp_in"] - dropped(c) == s["udp_out"] + s["udp_drop_send"]
                and s["udp_in"] - dropped(s) == c["udp_out"] + c["udp_drop_send"])
        wait_for("as many datagrams leave as came", 30, equal, 0.3)
        for side in "cs":
            assert self.counted(side)["links_opened"] == 1
            assert self.counted(side)["udp_drop_alien"] == 0

    def start(self, side, argv):
        argv = list(argv)
        role = {"s": "server", "c": "client"}[side]
        argv[argv.index("-state") + 1] = self.house.path("state-" + role)
        argv[argv.index("-transport") + 1] = self.transport
        if self.transport != "obfs4" and "-options" in argv:
            at = argv.index("-options") + 1
            argv[at] = json.dumps({"serverAddress": json.loads(argv[at])["serverAddress"]})
        word = {"s": "SMETHOD", "c": "CMETHOD"}[side]
        argv += ["-ipcLogLevel", "INFO"]
        process = self.house.start("ptah-" + role, self.hosts.on(side, program_path("ptah"), *argv),
            module_env())
        self.processes[side] = process
        for field in _last_field(process, word, self.transport):
            if field.startswith("ARGS:"):
                self.cert = dict(split_args(field[5:])).get("cert", "")
        return process


@pytest.fixture
def hosts():
    need("ip", "iptables")
    if not can():
        pytest.skip("no network namespaces, or no /dev/net/tun")
    two = Two()
    yield two
    two.close()


def has_port(process, port, kind="tcp"):
    """Has somebody that port in the namespace where the process is?"""
    assert process.alive(), "%s ended:\n%s" % (process.name, process.text())
    with open("/proc/%d/net/%s" % (process.pid, kind)) as f:
        local = [line.split()[1] for line in f.readlines()[1:]]
    return any(word.endswith(":%04X" % port) for word in local)


def connects(hosts, address):
    """iperf3 listens there from the start."""
    return subprocess.run(hosts.on("c", "iperf3", "-c", address, "-n", "1K", "--connect-timeout", "1000"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20).returncode == 0


def carry(house, hosts, address, ptah):
    """Megabytes over the tunnel each way, then some at 1 % and 5 % loss on the outer path."""
    house.start("iperf3", hosts.on("s", "iperf3", "-s"))
    wait_for("the tunnel is up", 60, lambda: connects(hosts, address), 0.3)
    # Of what is sent at last up to 10 MiB are on their way when iperf3 counts.
    for n, (percent, more) in enumerate(((0, ["-n", "%dM" % MEGABYTES]),
            (0, ["-R", "-n", "%dM" % (MEGABYTES // 2)]), (1, ["-n", "24M"]), (5, ["-n", "12M"]))):
        # A server of its own for each: one that has not heard of the end of the last refuses the next.
        port = 5300 + n
        server = house.start("iperf3-%d" % n, hosts.on("s", "iperf3", "-s", "-1", "-p", str(port)))
        wait_for("iperf3 listens", 30, lambda p=port, s=server: has_port(s, p) or has_port(s, p, "tcp6"))
        hosts.lose(percent)
        out = subprocess.run(hosts.on("c", "iperf3", "-J", "-c", address, "-p", str(port), *more),
            stdout=subprocess.PIPE, text=True, timeout=60 + MEGABYTES).stdout
        said = json.loads(out)
        assert "error" not in said, said["error"]
        received = said["end"]["sum_received"]["bytes"]
        sent = said["end"]["sum_sent"]["bytes"]
        print("%d %% loss: %d of %d bytes, %.0f Mbit/s" % (percent, received, sent,
            said["end"]["sum_received"]["bits_per_second"] / 1e6))
        ptah.check_borders()
        if percent == 0:
            assert received >= (int(more[-1][:-1]) << 20) * 0.9
        else:
            assert received > 100000, "it stalls"
    hosts.lose(0)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_wireguard(house, hosts, transport):
    """A tunnel of WireGuard, by the examples, carries all at 0, 1 and 5 % loss."""
    need("wg", "wireguard-go", "iperf3")
    has_transport(transport)
    ptah = Example(house, hosts, transport)
    words = {}
    for side in ("CLIENT", "SERVER"):
        key = subprocess.run(["wg", "genkey"], stdout=subprocess.PIPE, text=True).stdout.strip()
        words[side + "_PRIVATE_KEY"] = key
        words[side + "_PUBLIC_KEY"] = subprocess.run(["wg", "pubkey"], input=key, stdout=subprocess.PIPE,
            text=True).stdout.strip()
    for side, role in (("s", "server"), ("c", "client")):
        text, commands = example("wireguard.%s.conf" % role, SERVER=hosts.server, CERT=ptah.cert, **words)
        # Two namespaces share /var/run, where wireguard-go has its socket by interface name.
        tunnel = "wg%d%s" % (os.getpid() % 100000, side)
        process = house.start("wireguard-" + role, hosts.on(side, "wireguard-go", "-f", tunnel),
            {"LOG_LEVEL": "error"})
        house.add(Gone("/var/run/wireguard/%s.sock" % tunnel))
        wait_for("wireguard-go answers", 30, lambda p=process, t=tunnel, s=side: p.alive()
            and subprocess.run(hosts.on(s, "wg", "show", t), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=30).returncode == 0)
        with open(house.path(role + ".conf"), "w") as f:
            f.write("".join(x for x in text.splitlines(True) if not x.startswith(("Address", "MTU"))))
        hosts.run(side, "wg", "setconf", tunnel, house.path(role + ".conf"))
        hosts.run(side, "ip", "addr", "add", re.search(r"Address = (\S+)", text)[1], "dev", tunnel)
        hosts.run(side, "ip", "link", "set", tunnel, "mtu", re.search(r"MTU = (\d+)", text)[1], "up")
        ptah.start(side, commands[role])
    carry(house, hosts, "10.9.0.1", ptah)


class Gone:
    """A file that a program leaves behind."""

    def __init__(self, path):
        self.path = path

    def close(self):
        if os.path.exists(self.path):
            os.unlink(self.path)


def certify(folder):
    """A certificate authority, and a server and a client of it."""
    def openssl(*argv):
        subprocess.run(["openssl", *argv], cwd=folder, check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=ca")
    for name in ("server", "client"):
        openssl("req", *new, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        with open(os.path.join(folder, name + ".ext"), "w") as f:
            f.write("extendedKeyUsage=%sAuth\nkeyUsage=digitalSignature\n" % name)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", name + ".ext", "-out", name + ".crt")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_openvpn(house, hosts, transport):
    """OpenVPN over UDP with TLS, by the examples, the same."""
    need("openvpn", "openssl", "iperf3")
    has_transport(transport)
    certify(house.folder)
    ptah = Example(house, hosts, transport)
    for side, role in (("s", "server"), ("c", "client")):
        text, commands = example("openvpn.%s.conf" % role, SERVER=hosts.server, CERT=ptah.cert)
        with open(house.path(role + ".conf"), "w") as f:
            f.write(text)
        ptah.start(side, commands[role])
        process = house.start("openvpn-" + role, hosts.on(side, program_path("openvpn"), "--config",
            role + ".conf"))
        if side == "s":
            process.wait_text("Initialization Sequence Completed", 60)
    process.wait_text("Initialization Sequence Completed", 60)
    carry(house, hosts, "10.8.0.1", ptah)


@pytest.mark.parametrize("transport, how", (("dummy", "indications"), ("obfs4", "channels")))
def test_coturn(house, hosts, transport, how):
    """Applications of a TURN server by STUN mode: what its own test client sends to a peer comes back."""
    need("turnserver", "turnutils_uclient", "turnutils_peer")
    has_transport(transport)
    ptah = Example(house, hosts, transport)
    text, commands = example("turn.server.conf", RELAY_ADDRESS=hosts.server, PASSWORD="secret")
    with open(house.path("turn.conf"), "w") as f:
        f.write(text)
    turn = house.start("turnserver", hosts.on("s", "turnserver", "-c", house.path("turn.conf"), "--log-file", "stdout",
        "--userdb", house.path("turn.db"), "--pidfile", house.path("turn.pid")))
    peer = house.start("peer", hosts.on("s", "turnutils_peer", "-L", hosts.server, "-p", "3480"))
    wait_for("both listen", 30, lambda: has_port(turn, 3478, "udp") and has_port(peer, 3480, "udp"))
    ptah.start("s", commands["server"])
    _, commands = example("turn.server.conf", SERVER=hosts.server, CERT=ptah.cert)
    ptah.start("c", commands["client"])
    n = 200
    got = subprocess.run(hosts.on("c", "turnutils_uclient", "-u", "ptah", "-w", "secret", "-e", hosts.server,
        "-r", "3480", "-n", str(n), "-m", "2", "-l", "171", "-z", "5", "-c",
        *(["-s"] if how == "indications" else []), "-p", "3478", "127.0.0.1"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=40)
    assert got.returncode == 0, got.stdout[-2000:]
    said = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", got.stdout)
    assert said and said[-1] == (str(2 * n), str(2 * n)), got.stdout[-2000:]


def test_dig(house):
    """A name asked of a server behind transparent UDP, many at once."""
    need("dig", "dnsmasq")
    port, = free_ports(1)
    names = house.start("dnsmasq", [program_path("dnsmasq"), "-k", "-C", "/dev/null", "-p", str(port), "-R", "-h",
        "-i", "lo", "--bind-interfaces", "-a", "127.0.0.1", "--pid-file=", "-u", "root",
        "--address=/example.test/192.0.2.77", "--txt-record=long.example.test," + ",".join(["x" * 250] * 4)])
    wait_for("dnsmasq listens", 30, lambda: has_port(names, port, "udp"))
    command = [program_path("ptah"), "-ptversion", "3.0", "-transport", "dummy", "-mode", "transparent-UDP"]
    server = house.start("ptah-server", command + ["-server", "-bindhost", "127.0.0.1", "-bindport", "0",
        "-target", "127.0.0.1:%d" % port], module_env())
    to = _last_field(server, "SMETHOD", "dummy")[0]
    client = house.start("ptah-client", command + ["-client", "-udpQueue", "8", "-options",
        json.dumps({"serverAddress": to})], module_env())
    at = _last_field(client, "CMETHOD", "dummy")[1].rsplit(":", 1)[1]

    def ask(*words):
        """What dig says, but for the answers that it had to wait for too long."""
        said = subprocess.run(["dig", "@127.0.0.1", "-p", at, "+short", "+tries=5", "+time=2", *words],
            stdout=subprocess.PIPE, text=True, timeout=60).stdout
        return [line for line in said.splitlines() if not line.startswith(";;")]

    for i in range(10):
        assert ask("host%d.example.test" % i) == ["192.0.2.77"]
    assert "".join(ask("+bufsize=4096", "+ignore", "long.example.test", "TXT")).count("x") == 1000
