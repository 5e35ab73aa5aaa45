# SPDX-License-Identifier: BSD-3-Clause
"""ScrambleSuit: ptah's server with obfs4proxy's client (it has no server), and ptah with itself."""

import json
import os
import re
import socket

import pytest

from conftest import need
from curling import download, login, ten_by_ten, upload
from household import wait_for
from pair import Client, Server, program_path, socks_args
from servers import HttpServer, Target, digest, payload, receive

CLIENTS = ["obfs4proxy", "ptah"]
# A message holds 1427 bytes, a burst 32768.
SIZES = [0, 1, 1427, 1428, 4000, 32768, 32769, 3 * 1024 * 1024 + 17]


class Pair:
    def __init__(self, house, client, target, options="", server=None,
            name="client"):
        need("curl", client)
        self.house, self.word = house, client
        self.server = server or Server(house, program_path("ptah"),
            "scramblesuit", "127.0.0.1:%d" % target, options=options,
            name="server")
        self.start(client, name)

    def start(self, client, name):
        """A client with the state of this name."""
        self.client = Client(self.house, program_path(client),
            "scramblesuit", name=name)
        self.text = socks_args(self.server.args)
        self.file = self.house.path(name + "-state",
            "scramblesuit_tickets.json")

    def how(self):
        return ["--socks5", "%s:%d" % (self.client.host, self.client.port)
            ] + login(self.text)

    def down(self, size, seed=1):
        download(self.how(), self.server.host, self.server.port, size, seed)

    def up(self, size, seed=1):
        upload(self.how(), self.server.host, self.server.port, size, seed,
            self.house.folder)

    def connect(self):
        s, reply = self.dial(self.text)
        if reply[:2] != b"\5\0":
            raise AssertionError("SOCKS says %s" % reply.hex())
        return s

    def dial(self, text):
        s = socket.create_connection((self.client.host, self.client.port), 20)
        user, word = text.encode()[:255], text.encode()[255:] or b"\0"
        s.sendall(b"\5\1\2")
        assert s.recv(2, socket.MSG_WAITALL) == b"\5\2"
        s.sendall(b"\1" + bytes([len(user)]) + user + bytes([len(word)])
            + word)
        if s.recv(2, socket.MSG_WAITALL) != b"\1\0":
            return s, b"\1\1"
        s.sendall(b"\5\1\0\1" + socket.inet_aton(self.server.host)
            + self.server.port.to_bytes(2, "big"))
        return s, s.recv(10, socket.MSG_WAITALL)

    def ticket(self):
        """The ticket for this server that the client's file has, or None."""
        try:
            with open(self.file) as f:
                kept = json.load(f)
        except (FileNotFoundError, json.JSONDecodeError):
            return None  # obfs4proxy empties the file before it writes
        key = "%s:%d" % (self.server.host, self.server.port)
        return kept.get(key, {}).get("key-ticket")

    def new_ticket(self, old):
        return wait_for("the file has another ticket", 30,
            lambda: self.ticket() not in (None, old) and self.ticket())


@pytest.fixture
def web(house):
    return house.add(HttpServer())


@pytest.mark.parametrize("client", CLIENTS)
def test_obfs_020_sizes_both_ways(house, web, client):
    pair = Pair(house, client, web.port)
    for size in SIZES:
        pair.down(size, size)
        pair.up(size, size)


@pytest.mark.parametrize("client", CLIENTS)
def test_obfs_020_a_new_ticket_each_time(house, web, client):
    """The first by UniformDH, the others by what the one before got."""
    pair = Pair(house, client, web.port)
    tickets = [None]
    for n in range(4):
        pair.down(4000, n)
        tickets.append(pair.new_ticket(tickets[-1]))
    assert len(set(tickets)) == 5
    assert all(re.fullmatch("[A-Z2-7]{231}=", t) for t in tickets[1:])


@pytest.mark.parametrize("first,then", [("ptah", "obfs4proxy"),
    ("obfs4proxy", "ptah")])
def test_obfs_022_a_ticket_file_of_the_other_program(house, web, first, then):
    """What one was given the other shows: it is gone, and another came."""
    pair = Pair(house, first, web.port)
    pair.down(100)
    ticket = pair.new_ticket(None)
    pair.client.process.stop()
    os.rename(house.path("client-state"), house.path("other-state"))
    pair.start(then, "other")
    assert pair.ticket() == ticket
    with pair.connect() as s:
        s.sendall(b"GET /4000/5 HTTP/1.0\r\n\r\n")
        got = receive(s, 4000)
        assert b"200" in got[:20]
    pair.new_ticket(ticket)


def test_obfs_021_tickets_outlive_a_restart_of_the_server(house, web):
    """At the same address, with the same state: no UniformDH."""
    pair = Pair(house, "obfs4proxy", web.port)
    pair.down(4000)
    ticket = pair.new_ticket(None)
    pair.server.process.stop()
    old = pair.server
    env_port = "%s:%d" % (old.host, old.port)
    again = Again(house, env_port, web.port)
    assert again.args == old.args
    pair.server = again
    pair.down(4000)
    pair.new_ticket(ticket)


class Again(Server):
    """The server 'server' once more, where it was."""

    def __init__(self, house, where, target):
        self.where = where
        super().__init__(Elsewhere(house, where), program_path("ptah"),
            "scramblesuit", "127.0.0.1:%d" % target, name="server")


class Elsewhere:
    """A household whose processes listen at one place."""

    def __init__(self, house, where):
        self.house, self.where = house, where
        self.path = house.path

    def start(self, name, command, env):
        env = dict(env, TOR_PT_SERVER_BINDADDR="scramblesuit-" + self.where)
        return self.house.start(name + "-again", command, env)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_hundred_connections_ten_at_once(house, web, client):
    """A hundred draws of each padding."""
    pair = Pair(house, client, web.port)
    ten_by_ten(lambda n, i: pair.down(5000 + n * 1000 + i, 10 * n + i))
    assert web.n_accepted == 100
    assert pair.client.process.alive()


@pytest.mark.parametrize("client", CLIENTS)
def test_obfs_014_a_target_that_speaks_first(house, client):
    for n, size in enumerate((1, 20, 1427, 20000)):
        target = house.add(Target(payload(size, n)))
        server = Server(house, program_path("ptah"), "scramblesuit",
            "127.0.0.1:%d" % target.port, name="server%d" % n)
        pair = Pair(house, client, target.port, server=server, name="client%d" % n)
        with pair.connect() as s:
            assert digest(receive(s, size)) == digest(payload(size, n))


@pytest.mark.parametrize("client", CLIENTS)
def test_no_byte_is_lost_when_a_target_closes(house, client):
    for n, size in enumerate((1, 4097, 300001, 2000003)):
        target = house.add(Target(payload(size, n)))
        server = Server(house, program_path("ptah"), "scramblesuit",
            "127.0.0.1:%d" % target.port, name="server%d" % n)
        pair = Pair(house, client, target.port, server=server, name="client%d" % n)
        with pair.connect() as s:
            got = receive(s, size)
            assert s.recv(1) == b""
        assert digest(got) == digest(payload(size, n))


def test_no_byte_is_lost_when_an_application_closes(house):
    """It sends, and is gone at once."""
    for n, size in enumerate((1, 4097, 300001, 2000003)):
        target = house.add(Target())
        server = Server(house, program_path("ptah"), "scramblesuit",
            "127.0.0.1:%d" % target.port, name="server%d" % n)
        pair = Pair(house, "ptah", target.port, server=server, name="client%d" % n)
        with pair.connect() as s:
            s.sendall(payload(size, n))
        wait_for("all has come", 30, lambda: len(target.got) >= size)
        assert digest(target.got) == digest(payload(size, n))


def test_half_close_is_held(house, web):
    """The application has said all and waits for the answer."""
    pair = Pair(house, "ptah", web.port)
    with pair.connect() as s:
        s.sendall(b"GET /500000/7 HTTP/1.0\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        got = b""
        while b"\r\n\r\n" not in got:
            got += receive(s, 1)
        got += receive(s, 500000)
    assert digest(got.split(b"\r\n\r\n", 1)[1]) == digest(payload(500000, 7))


@pytest.mark.parametrize("client", CLIENTS)
def test_pauses_between_segments(house, web, client):
    pair = Pair(house, client, web.port, options="timing=true")
    if client == "ptah":
        pair.text += ";timing=true"
    pair.down(100000)
    pair.up(100000)


def test_obfs_127_obfs4proxy_has_no_server(house):
    need("obfs4proxy")
    with pytest.raises(AssertionError) as e:
        Server(house, program_path("obfs4proxy"), "scramblesuit",
            "127.0.0.1:9")
    assert "SMETHOD-ERROR scramblesuit" in str(e.value)


@pytest.mark.parametrize("client", CLIENTS)
def test_obfs_128_passwords(house, web, client):
    """Both refuse what is none; small letters are fine for ours alone."""
    pair = Pair(house, client, web.port)
    word = dict(pair.server.args)["password"]
    for text in ("password=" + word[:31], "password=%s\\=" % word,
            "password=%sA" % word, "password=" + word[:31] + "8", "a=b"):
        s, reply = pair.dial(text)
        s.close()
        assert reply[1] == 1, (text, reply)
    s, reply = pair.dial("password=" + word)
    s.close()
    assert reply[1] == 0
    s, reply = pair.dial("password=" + word.lower())
    s.close()
    assert (reply[1] == 0) == (client == "ptah")


def test_obfs_118_a_damaged_ticket_file_stays_as_it_is(house):
    os.makedirs(house.path("client-state"))
    path = house.path("client-state", "scramblesuit_tickets.json")
    with open(path, "w") as f:
        f.write("{\"a\":")
    with pytest.raises(AssertionError) as e:
        Client(house, program_path("ptah"), "scramblesuit", name="client")
    assert "CMETHOD-ERROR scramblesuit" in str(e.value)
    with open(path) as f:
        assert f.read() == "{\"a\":"
