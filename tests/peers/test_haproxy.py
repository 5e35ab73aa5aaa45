# SPDX-License-Identifier: BSD-3-Clause
"""haproxy in front of a ptah obfs4 server: who the client is, in both versions of the PROXY protocol."""

import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from conftest import need
from curling import curl, login, url
from household import free_ports, listening, wait_for
from pair import Client, module_env, program_path, socks_args
from servers import hang_up

sys.path.append(os.path.join(os.path.dirname(__file__), os.pardir, "program"))

import orport  # noqa: E402

CONFIG = """
global
    maxconn 200
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend f
    bind 127.0.0.1:{front}
    bind [::1]:{front}
    default_backend b
backend b
    server s 127.0.0.1:{back} source 127.0.0.3 {how}
"""

HOWS = ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Target:
    """Serves by HTTP what 'greet' leaves to be served; keeps what that gave."""

    def __init__(self, greet):
        self.greet = greet
        self.heard = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(20)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rb") as lines:
            self.heard.append(self.greet(sock, lines))
            while lines.readline() not in (b"\r\n", b""):
                pass
            sock.sendall(ANSWER)

    def close(self):
        hang_up(self.listener)


class Stand:
    """obfs4 client, haproxy, ptah run, target."""

    def __init__(self, house, how, greet, **more):
        need("curl", "haproxy", "ptah")
        self.house = house
        self.target = house.add(Target(greet))
        self.front, back = free_ports(2)
        state = house.path("state", "bridge")
        made = json.loads(subprocess.run(
            [program_path("ptah"), "invite", "obfs4", "--bind", "127.0.0.1:%d" % back, "--advertise",
             "127.0.0.1:%d" % self.front, "--state", state, "--json"],
            check=True, capture_output=True, env={**os.environ, **module_env()}, timeout=20).stdout)
        self.args = {k: v for k, v in made["client-options"].items() if k != "serverAddress"}
        more = {k: v.replace("TARGET", "127.0.0.1:%d" % self.target.port) if isinstance(v, str) else v
                for k, v in more.items()}
        self.write("ptah.json", json.dumps({
            "stateDir": house.path("state"), "unsafeLogging": True,
            "services": {"bridge": {"role": "server", "transport": "obfs4", "listen": "127.0.0.1:%d" % back,
                                    "proxyProtocolFrom": ["127.0.0.3", "::1"], **more}}}))
        self.ptah = house.start("ptah-run", [program_path("ptah"), "run", house.path("ptah.json")], module_env())
        self.ptah.wait_text("ready: 1 of 1 services serve", 20)
        self.write("haproxy.cfg", CONFIG.format(front=self.front, back=back, how=how))
        house.start("haproxy", [program_path("haproxy"), "-db", "-f", house.path("haproxy.cfg")])
        wait_for("haproxy listens", 30, lambda: listening(self.front))
        self.client = Client(house, program_path("ptah"), "obfs4")

    def write(self, name, text):
        with open(self.house.path(name), "w") as out:
            out.write(text)
        os.chmod(self.house.path(name), 0o600)

    def fetch(self, host="127.0.0.1", seconds=20):
        return curl(["--socks5", "%s:%d" % (self.client.host, self.client.port),
                     *login(socks_args(self.args.items())), url(host, self.front)], seconds)


@pytest.mark.parametrize("how", HOWS)
def test_target_hears_who_the_client_is(house, how):
    """haproxy says it to ptah, and ptah to the target: the client's address, and the one that it dialled."""
    stand = Stand(house, how, lambda sock, lines: lines.readline(), target="TARGET", proxyProtocol=1)
    assert stand.fetch() == b"hello"
    assert stand.fetch("::1") == b"hello"
    four, six = stand.target.heard
    assert re.fullmatch(rb"PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ %d\r\n" % stand.front, four), four
    assert re.fullmatch(rb"PROXY TCP6 ::1 ::1 \d+ %d\r\n" % stand.front, six), six


@pytest.mark.parametrize("how", HOWS[:2])
def test_extended_orport_hears_who_the_client_is(house, how, tmp_path):
    """USERADDR is the client's, not haproxy's."""
    cookie = orport.cookie_file(tmp_path / "cookie")
    stand = Stand(house, how, lambda sock, lines: orport.Exchange(sock).talk(cookie), extorport="TARGET",
                  authcookie=str(tmp_path / "cookie"))
    assert stand.fetch() == b"hello"
    assert stand.fetch("::1") == b"hello"
    users = [dict(commands)[orport.USERADDR].decode() for commands in stand.target.heard]
    assert re.fullmatch(r"127\.0\.0\.1:\d+", users[0]) and re.fullmatch(r"\[::1\]:\d+", users[1]), users


def test_haproxy_that_says_nothing_is_refused(house):
    """Without send-proxy no client gets through, and ptah's log says what is missing."""
    stand = Stand(house, "", lambda sock, lines: b"", target="TARGET")
    with pytest.raises(AssertionError):
        stand.fetch(seconds=10)
    stand.ptah.wait_text("it has no PROXY header (send-proxy or send-proxy-v2", 10)
    assert stand.target.heard == []
