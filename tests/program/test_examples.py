# SPDX-License-Identifier: BSD-3-Clause
"""The examples of "ptah run" in conf/: each is right once its words in capitals are replaced, and does what it says."""
import base64
import glob
import os
import re
import socket
import subprocess
import threading

import pytest

import harness
import lines
import orport
from conffile import Checked, loads
from runner import Run
from socks import Client

CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf")
NAMES = sorted(os.path.basename(path) for path in glob.glob(os.path.join(CONF, "*.json"))
               if not os.path.basename(path).startswith("shadowsocks."))
# What stands for something that only the operator knows.
WORDS = {"KEY": base64.b64encode(b"0123456789abcdef" * 2).decode(), "SERVER": "192.0.2.1",
         "CERT": "g0ZBgHELVJocEooTYIouXpC4UD1S9fmULpebPIe2rcWxbVz8F8UdmJNiYDxIGsqktWs1AQ"}
ANY = "127.0.0.1:0"


def text_of(name):
    with open(os.path.join(CONF, name), encoding="utf-8") as f:
        return f.read()


def made_of(tmp_path, name, texts=(), **words):
    """An example as a file: 'texts' (old, new) are whole values, words stand in values; comments stay."""
    text = text_of(name)
    for old, new in texts:
        assert '"%s"' % old in text, (name, old)
        text = text.replace('"%s"' % old, '"%s"' % new)
    for word, value in {**WORDS, **words}.items():
        text = re.sub(r'("[^"\n]*)\b%s\b([^"\n]*")' % word, lambda m, v=value: m[1] + v + m[2], text)
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def running(tmp_path, name, texts=(), more=(), **words):
    """Run it, with a state folder of its own; the log tells where it listens."""
    path = made_of(tmp_path, name, [("/var/lib/ptah", tmp_path / "state" / name), *texts], **words)
    text = path.read_text(encoding="utf-8")
    for old, new in [("{\n\t", '{\n\t"unsafeLogging": true,\n\t'), *more]:
        assert old in text
        text = text.replace(old, new, 1)
    for address in re.findall(r'"listen":[^\n]*', text):
        assert "0.0.0.0" not in address and "[::]" not in address, address
    path.write_text(text, encoding="utf-8")
    return Running(path)


def cert_of(tmp_path, name, label):
    """As the comments of the examples say."""
    got = subprocess.run([harness.program()[0], "invite", "obfs4", "--state", str(tmp_path / "state" / name / label),
                          "--bind", "0.0.0.0:443", "--advertise", "192.0.2.1:443"], capture_output=True, text=True,
                         env=harness.environment(), timeout=120 * harness.SLOW, check=True)
    return re.search(r"cert=(\S+)", got.stdout)[1]


class Running(Run):
    """Run a file that is there."""

    def __init__(self, path):
        self.path = path
        harness.Ptah.__init__(self, ["run", str(path)])

    def __enter__(self):
        super().__enter__()
        line = self.wait_ready().wait_line(r"ready: \d+ of \d+ services serve", "err")
        n, total = re.search(r"ready: (\d+) of (\d+)", line).groups()
        assert n == total, self.err_lines
        return self


class UdpEcho:
    """Sends each datagram back, with a byte before it."""

    def __enter__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        while True:
            data, peer = self.sock.recvfrom(65536)
            if data == b"end":
                return
            self.sock.sendto(b"!" + data, peer)

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"end", self.sock.getsockname())
        self.thread.join(5)
        self.sock.close()


def datagrams_pass(where):
    """Ten of several lengths, each until it is answered: a datagram may be lost while all begins."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(where)
        s.settimeout(0.2)
        for n in range(10):
            data = lines.pattern(1 + n * 130, b"%d" % n)

            def answered(data=data):
                s.send(data)
                try:
                    got = s.recv(65536)
                    while got != b"!" + data:
                        got = s.recv(65536)
                    return True
                except (TimeoutError, ConnectionRefusedError):
                    return False
            harness.poll(answered, timeout=15, what="datagram %d" % n)


def echoed(sock, n=200000):
    """What goes there comes back."""
    data = lines.pattern(n)
    writer = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
    writer.start()
    assert lines.read(sock, n) == data
    writer.join(5)


# --- as they stand ------------------------------------------------------------------

def test_there_are_some():
    assert {"bridge.json", "client.json", "several.json", "wireguard-client.json", "wireguard-server.json",
            "openvpn-client.json", "openvpn-server.json"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_right(tmp_path, name):
    got = Checked(made_of(tmp_path, name))
    assert got.rc == 0 and got.faults == [], got.said


@pytest.mark.parametrize("name", NAMES)
def test_a_word_that_is_left_is_a_fault(tmp_path, name):
    """Nobody shall run with a key that all the world can read in an example."""
    values = re.sub(r"//[^\n]*", "", text_of(name))
    words = [word for word in ("CERT", "KEY") if re.search(r'"%s"' % word, values)]
    for word in words:
        got = Checked(made_of(tmp_path, name, **{word: word}))
        assert got.rc == 78 and got.errors, (word, got.said)


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_takes_it(tmp_path, name):
    jsonschema = pytest.importorskip("jsonschema")
    schema = subprocess.run([harness.program()[0], "check", "--schema"], capture_output=True,
                            env=harness.environment(), timeout=120 * harness.SLOW, check=True).stdout
    conf = loads(made_of(tmp_path, name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(loads(schema.decode())).validate(conf)


# --- at work ------------------------------------------------------------------------

def test_a_bridge_and_its_client(tmp_path):
    """bridge.json, reached by the obfs4 of client.json: Tor hears who it is, and bytes pass."""
    cookie, path = b"c" * 32, tmp_path / "cookie"
    orport.cookie_file(path, cookie)
    with orport.Port() as port, running(tmp_path, "bridge.json", [
            ("0.0.0.0:443", ANY), ("[::]:443", "[::1]:0"), ("127.0.0.1:9002", port.address),
            ("/var/lib/tor/extended_orport_auth_cookie", path)]) as bridge:
        with running(tmp_path, "client.json", [
                ("127.0.0.1:1080", ANY), ("127.0.0.1:2222", ANY), ("SERVER:443", "%s:%d" % bridge.where("bridge"))],
                CERT=cert_of(tmp_path, "bridge.json", "bridge")) as client:
            with lines.connect(*client.where("ssh")) as near, port.accept() as far:
                seen = far.talk(cookie)
                assert (orport.TRANSPORT, b"obfs4") in seen
                assert any(command == orport.USERADDR and body.startswith(b"127.0.0.1:") for command, body in seen)
                far.sock.sendall(b"there")
                assert lines.read(near, 5) == b"there"
                near.sendall(b"back")
                assert lines.read(far.sock, 4) == b"back"


def test_several_transports_and_their_clients(tmp_path, echo):
    """several.json: two of its services by client.json, the third by a client of the same stack."""
    target = "127.0.0.1:%d" % echo.port
    web = lines.listen()
    with running(tmp_path, "several.json", [
            ("0.0.0.0:443", ANY), ("0.0.0.0:8388", ANY), ("0.0.0.0:8443", ANY), ("127.0.0.1:9100", tmp_path / "metrics"),
            ("127.0.0.1:22", target), ("*:443", "*:%d" % echo.port), ("127.0.0.1:8080", lines.address(web))]) as host:
        with running(tmp_path, "client.json", [
                ("127.0.0.1:1080", ANY), ("127.0.0.1:2222", ANY), ("SERVER:8388", "%s:%d" % host.where("proxy")),
                ("SERVER:443", "%s:%d" % host.where("ssh"))], CERT=cert_of(tmp_path, "several.json", "ssh")) as client:
            with lines.connect(*client.where("ssh")) as sock:
                echoed(sock)
            with Client(client.where("browser")) as browser:
                browser.open("127.0.0.1", echo.port)
                echoed(browser.sock)
        stack = tmp_path / "stack.json"
        stack.write_text("""{"unsafeLogging": true, "stateDir": "%s", "services": {"web": {
            "role": "client", "mode": "transparent-TCP", "listen": "127.0.0.1:0", "stack": [
            {"transport": "obfs4", "options": {"serverAddress": "%s:%d", "cert": "%s", "iat-mode": 1}},
            {"transport": "shadow", "options": {"method": "chacha20-ietf-poly1305", "password": "%s"}}]}}}""" % (
                tmp_path / "state", *host.where("web"), cert_of(tmp_path, "several.json", "web"), WORDS["KEY"]))
        with Running(stack) as client, lines.connect(*client.where("web")) as near:
            near.sendall(b"hello")
            with lines.accept(web) as far:
                header = lines.read(far, 16)
                assert header.startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11")
                lines.read(far, int.from_bytes(header[14:16], "big"))
                assert lines.read(far, 5) == b"hello"
    web.close()


@pytest.mark.parametrize("pair, port, target, listen", [
    ("wireguard", 443, "127.0.0.1:51820", "127.0.0.1:51821"),
    ("openvpn", 8388, "127.0.0.1:1194", "127.0.0.1:1194"),
])
def test_datagrams_of_a_pair(tmp_path, pair, port, target, listen):
    server, client = pair + "-server.json", pair + "-client.json"
    with UdpEcho() as echo, running(tmp_path, server, [("0.0.0.0:%d" % port, ANY), (target, echo.address)]) as host:
        words = {"CERT": cert_of(tmp_path, server, pair)} if pair == "wireguard" else {}
        more = [('"target": "127.0.0.1:1194"', '"target": "%s"' % echo.address)] if pair == "openvpn" else []
        with running(tmp_path, client, [("SERVER:%d" % port, "%s:%d" % host.where(pair))],
                     [('"listen": "%s"' % listen, '"listen": "127.0.0.1:0"'), *more], **words) as near:
            datagrams_pass(near.where(pair))
