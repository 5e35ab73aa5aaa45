# SPDX-License-Identifier: BSD-3-Clause
"""Programs of others as modules: obfs4proxy and snowflake-client through exec.

A ptah whose module folder has NAME.json files offers obfs4 by a program; its
peers are ptah's own obfs4 and obfs4proxy itself.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time

import pytest

from conftest import need
from curling import CurlFailed, download, login, upload
from household import wait_for
from pair import (Client, Server, _host_port, _last_field, build_folder,
    module_env, program_path, socks_args, split_args)
from servers import HttpServer, hang_up

SIZE = 3 * 1024 * 1024 + 17


def folder_of(house, **definitions):
    """A module folder with exec.so and NAME.json of each definition."""
    folder = house.path("modules-" + "-".join(sorted(definitions)))
    os.makedirs(folder, mode=0o755)
    shutil.copy(os.path.join(build_folder(), "modules", "exec.so"), folder)
    for name, options in definitions.items():
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump(dict(options, module="exec"), f)
    return folder


def through(house, name="obfs4", program="obfs4proxy", **options):
    """A ptah that offers 'name' by that program."""
    folder = folder_of(house, **{name: dict(options, exec=program_path(program))})
    return ["/usr/bin/env", "PTAH_MODULE_PATH=" + folder, program_path("ptah")]


def command_of(house, word):
    if word == "exec":
        return through(house)
    return program_path(word)


class Pair:
    def __init__(self, house, client, server):
        need("curl", "obfs4proxy")
        self.house = house
        self.web = house.add(HttpServer())
        self.server = Server(house, server, "obfs4",
            "127.0.0.1:%d" % self.web.port)
        self.client = Client(house, client, "obfs4")

    def how(self):
        return ["--socks5", "%s:%d" % (self.client.host, self.client.port)
            ] + login(socks_args(self.server.args))

    def down(self, size, seed=1):
        download(self.how(), self.server.host, self.server.port, size, seed)

    def up(self, size, seed=1):
        upload(self.how(), self.server.host, self.server.port, size, seed,
            self.house.folder)


@pytest.mark.parametrize("client,server", [("exec", "exec"), ("exec", "ptah"),
    ("ptah", "exec"), ("exec", "obfs4proxy"), ("obfs4proxy", "exec")])
def test_web_130_obfs4proxy_through_exec(house, client, server):
    made = {w: command_of(house, w) for w in {client, server}}
    pair = Pair(house, made[client], made[server])
    for size in (0, 1, 1427, 32769, SIZE):
        pair.down(size, size)
        pair.up(size, size)


def children(process):
    with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as f:
        threads = f.read().split()
    for task in os.listdir("/proc/%d/task" % process.pid):
        with open("/proc/%d/task/%s/children" % (process.pid, task)) as f:
            threads += f.read().split()
    return sorted({int(pid) for pid in threads})


def test_a_killed_server_comes_back_at_its_port(house):
    pair = Pair(house, program_path("ptah"), through(house))
    pair.down(5000)
    before = children(pair.server.process)
    assert len(before) == 1
    os.kill(before[0], signal.SIGKILL)

    def works():
        try:
            pair.down(5000)
        except CurlFailed:
            return False
        return True

    wait_for("the server's program again", 60, works)
    after = children(pair.server.process)
    assert len(after) == 1 and after != before


class Detour:
    """A relay that connects on from another address of loopback."""

    def __init__(self, where, source):
        self.where, self.source = where, source
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(self.where,
                    source_address=(self.source, 0))
                for a, b, how in ((near, far, self.carry), (far, near, self.back)):
                    threading.Thread(target=how, args=(a, b), daemon=True).start()

    def back(self, far, near):
        self.carry(far, near)

    @staticmethod
    def carry(a, b, got=b""):
        with contextlib.suppress(OSError):
            b.sendall(got)
            while True:
                got = a.recv(65536)
                if not got:
                    b.shutdown(socket.SHUT_WR)
                    return
                b.sendall(got)

    def close(self):
        hang_up(self.listener)


@pytest.mark.parametrize("extended", [True, False])
def test_the_program_says_who_the_client_is(house, extended):
    """What it says is handed on, here as a PROXY line."""
    need("curl", "obfs4proxy")
    target = house.add(socket.create_server(("127.0.0.1", 0)))
    target.settimeout(20)
    command = through(house, **{"ext-orport": extended})
    server = Server(house, command + ["-proxyProtocol", "1"], "obfs4",
        "127.0.0.1:%d" % target.getsockname()[1])
    detour = house.add(Detour((server.host, server.port), "127.0.0.9"))
    client = Client(house, program_path("ptah"), "obfs4")
    curl = house.start("curl", ["curl", "-sS", "--max-time", "20", "--socks5",
        "%s:%d" % (client.host, client.port)] + login(socks_args(server.args))
        + ["http://127.0.0.1:%d/" % detour.port])
    got = b""
    with target.accept()[0] as there:
        there.settimeout(20)
        while not got.endswith(b"\r\n\r\n"):
            got += there.recv(65536)
    curl.stop()
    first = got.split(b"\r\n")[0].split(b" ")
    if extended:
        assert first[:3] == [b"PROXY", b"TCP4", b"127.0.0.9"], first
    else:
        assert first == [b"PROXY", b"UNKNOWN"], first


def test_web_132_snowflake_client(house):
    """It starts, says where it listens, and ends when its stdin does."""
    need("snowflake-client")
    command = through(house, "snowflake", "snowflake-client", start="eager",
        args=["-ice", "stun:127.0.0.1:9", "-url", "http://127.0.0.1:9/"])
    client = Client(house, command, "snowflake")
    child = children(client.process)
    assert len(child) == 1
    assert os.readlink("/proc/%d/exe" % child[0]).endswith("snowflake-client")
    client.process.stop()
    wait_for("its end", 30, lambda: not os.path.exists("/proc/%d" % child[0]))


def test_web_133_134_what_real_programs_say_of_it(house):
    """obfs4proxy knows no such transport, snowflake 2.5.1 no proxy."""
    need("obfs4proxy", "snowflake-client")
    with pytest.raises(AssertionError, match="CMETHOD-ERROR none .*none"):
        Client(house, through(house, "none", start="eager"), "none")
    Client(house, through(house, start="eager"), "obfs4",
        proxy="socks5://127.0.0.1:9", name="with-proxy")
    with pytest.raises(AssertionError, match="CMETHOD-ERROR snowflake .*proxy"):
        Client(house, through(house, "snowflake", "snowflake-client",
            start="eager"), "snowflake", proxy="socks5://127.0.0.1:9", name="no-proxy")


def each_one(process, words, *names):
    """The method line of each, and what it says but the name."""
    process.wait_text(words[0] + "S DONE\n", 20)
    said = {}
    for line in process.text().splitlines():
        word = line.split(" ", 2)
        if word[0] in words:
            said[word[1]] = (word[0], word[2])
    assert set(said) == set(names), process.text()
    return said


def test_two_services_on_one_program(house):
    """A server's folder is its own program's alone: the second is told so, and a name of its own helps."""
    need("curl", "obfs4proxy")
    program = {"exec": program_path("obfs4proxy"), "name": "obfs4"}
    command = ["/usr/bin/env", "PTAH_MODULE_PATH=%s:%s" % (
        folder_of(house, one=program, other=program),
        module_env()["PTAH_MODULE_PATH"]), program_path("ptah")]
    web = house.add(HttpServer())

    def start(side, called, words):
        env = dict(module_env(), TOR_PT_MANAGED_TRANSPORT_VER="1",
            TOR_PT_STATE_LOCATION=house.path(side + "-state"), **words)
        return house.start(called, command, env)

    def server(called, *names):
        return start("server", called, {"TOR_PT_SERVER_TRANSPORTS": ",".join(names),
            "TOR_PT_SERVER_BINDADDR": ",".join(n + "-127.0.0.1:0" for n in names),
            "TOR_PT_ORPORT": "127.0.0.1:%d" % web.port})

    names = ("obfs2+one", "obfs3+one")
    process = server("alike", *names)
    said = each_one(process, ("SMETHOD", "SMETHOD-ERROR"), *names)
    assert sorted(said[n][0] for n in names) == ["SMETHOD", "SMETHOD-ERROR"]
    why = next(text for word, text in said.values() if word == "SMETHOD-ERROR")
    assert "exec-one is in use" in why and "NAME.json" in why, why
    process.stop()

    names = ("obfs2+one", "obfs3+other")
    servers = each_one(server("server", *names), ("SMETHOD",), *names)
    names = ("obfs2+one", "obfs3+one")
    clients = each_one(start("client", "client",
        {"TOR_PT_CLIENT_TRANSPORTS": ",".join(names)}), ("CMETHOD",), *names)
    certs = set()
    for far, near in zip(("obfs2+one", "obfs3+other"), names):
        where, args = servers[far][1].split(" ")
        args = split_args(args[len("ARGS:"):])
        certs.add(dict(args)["cert"])
        for size in (1, 100000):
            download(["--socks5", clients[near][1].split(" ")[1]]
                + login(socks_args(args)), *_host_port(where), size, size)
    assert len(certs) == 2
    assert sorted(os.listdir(house.path("server-state"))) == ["exec-one", "exec-other"]
    assert sorted(os.listdir(house.path("client-state"))) == ["exec-one", "exec-one.2"]


BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42twelve bytes"


def bound(kind):
    s = socket.socket(socket.AF_INET, kind)
    s.bind(("127.0.0.1", 0))
    s.settimeout(0.3 if kind == socket.SOCK_DGRAM else 20)
    if kind == socket.SOCK_STREAM:
        s.listen()
    return s


def mode_pair(house, name, mode, target, detour=None):
    """Both sides by flags, over obfs4proxy; gives where the client listens.

    'detour' is given the server's address, and gives where to dial instead.
    """
    need("obfs4proxy")
    command = through(house)
    command[1] += ":" + module_env()["PTAH_MODULE_PATH"]
    password = {"password": "open sesame"} if "+" in name else {}
    words = ["-ptversion", "3.0", "-transport", name, "-mode", mode]
    server = house.start("s", command + words + ["-server", "-bindhost",
        "127.0.0.1", "-bindport", "0", "-target", "127.0.0.1:%d"
        % target.getsockname()[1], "-state", house.path("s-state"),
        "-options", json.dumps(password)], module_env())
    said = _last_field(server, "SMETHOD", name)
    args = dict(split_args(said[1][len("ARGS:"):]))
    client = house.start("c", command + words + ["-client", "-udpQueue", "8",
        "-state", house.path("c-state"), "-options",
        json.dumps(dict(args, serverAddress=detour(said[0]) if detour else said[0],
            **password))], module_env())
    return _host_port(_last_field(client, "CMETHOD", name)[1])


@pytest.mark.parametrize("name", ["obfs4", "shadow+obfs4"])
def test_web_130_transparent_tcp_through_exec(house, name):
    target = house.add(bound(socket.SOCK_STREAM))
    app = house.add(socket.create_connection(
        mode_pair(house, name, "transparent-TCP", target), 20))
    block = os.urandom(300000)
    app.sendall(block)
    far = house.add(target.accept()[0])
    far.settimeout(20)
    for one, other in ((None, far), (far, app)):
        if one:
            one.sendall(block)
        got = b""
        while len(got) < len(block):
            more = other.recv(65536)
            assert more
            got += more
        assert got == block


class Gathering(Detour):
    """What the server says within a moment of its first byte comes as one."""

    moment_s = 0.1
    longest_s = 0

    def back(self, far, near):
        with contextlib.suppress(OSError):
            far.settimeout(self.moment_s)
            got = b""
            until = None
            while until is None or time.monotonic() < until:
                with contextlib.suppress(socket.timeout):
                    more = far.recv(65536)
                    until = until or time.monotonic() + self.moment_s
                    if not more:
                        break
                    got += more
            far.settimeout(None)
            near.sendall(got)
            if until is not None:
                self.longest_s = max(self.longest_s, time.monotonic() - until + self.moment_s)
            self.carry(far, near)


# Who is heard only half a second later cannot come with what is gathered in this time.
GATHERED_S = 0.4


@pytest.mark.parametrize("name", ["obfs2+obfs4", "obfs3+obfs4", "obfs4"])
def test_who_speaks_first_is_heard_through_obfs4proxy(house, name):
    """Its client holds what came in one read with the handshake until more comes.

    A read takes 8192 bytes, and lengths are drawn, so it needs some tries.
    """
    target = house.add(bound(socket.SOCK_STREAM))
    relays = []

    def gathering(address):
        relays.append(house.add(Gathering(_host_port(address), "127.0.0.1")))
        return "127.0.0.1:%d" % relays[0].port

    where = mode_pair(house, name, "transparent-TCP", target, gathering)
    for server_first in 4 * (False, True):
        app = house.add(socket.create_connection(where, 10))
        if not server_first:
            app.sendall(b"first")
        there = house.add(target.accept()[0])
        there.settimeout(10)
        assert server_first or there.recv(5) == b"first"
        there.sendall(b"second")
        try:
            assert app.recv(6) == b"second"
        except socket.timeout:
            if relays[0].longest_s < GATHERED_S:
                raise
            relays[0].longest_s = 0  # the machine stood still, and all came as one after all


@pytest.mark.parametrize("mode", ["transparent-UDP", "STUN"])
@pytest.mark.parametrize("name", ["obfs4", "shadow+obfs4"])
def test_web_130_datagrams_through_exec(house, name, mode):
    target = house.add(bound(socket.SOCK_DGRAM))
    app = house.add(bound(socket.SOCK_DGRAM))
    app.connect(mode_pair(house, name, mode, target))

    def comes_back(word):
        app.send(word)
        try:
            heard, at = target.recvfrom(65536)
            target.sendto(heard, at)
            return heard == word and app.recv(65536) == word
        except socket.timeout:
            return False

    words = [BINDING] if mode == "STUN" else [b"x", os.urandom(1400), os.urandom(9000)]
    for word in words:
        wait_for("a datagram there and back", 20, lambda w=word: comes_back(w), 0.01)
