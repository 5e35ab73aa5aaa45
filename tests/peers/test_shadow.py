# SPDX-License-Identifier: BSD-3-Clause
"""shadow between ptah and ss-local, ss-server, in both roles."""

import json
import socket
import socketserver
import threading
import time

import pytest

from conftest import need
from curling import download, upload
from household import free_ports, listening, wait_for
from pair import _host_port, command_of, module_env, program_path
from servers import HttpServer

CIPHERS = ["CHACHA20-IETF-POLY1305", "AES-256-GCM", "aes-128-gcm"]
PASSWORD = "a password that both ends know"
SIZES = [0, 1, 0x3fff, 0x4000, 3 * 1024 * 1024 + 17]


def ptah(house, role, name, options, *flags):
    """Start one side; give its process and address."""
    kind = {"client": "CMETHOD", "server": "SMETHOD"}[role]
    argv = command_of(program_path("ptah")) + ["-ptversion", "3.0",
        "-" + role, "-transport", "shadow", "-state", house.path(name),
        "-options", json.dumps({"shadow": options})] + list(flags)
    process = house.start(name, argv, module_env())
    process.wait_text(kind + "S DONE\n", 20)
    for line in process.text().splitlines():
        if line.startswith(kind + " shadow "):
            words = line.split()
            return process, _host_port(
                words[3] if role == "client" else words[2])
    raise AssertionError(process.text())


def ptah_server(house, target, name="server", **options):
    return ptah(house, "server", name,
        dict({"password": PASSWORD}, **options), "-bindhost", "127.0.0.1",
        "-bindport", "0", "-target", "%s:%d" % target)[1]


def ptah_client(house, server, name="client", **options):
    return ptah(house, "client", name, dict({"password": PASSWORD,
        "serverAddress": "%s:%d" % server}, **options), "-mode", "socks5")[1]


def ss(house, program, *argv, name=None):
    """Start one of theirs on a port of ours."""
    need(program)
    process = house.start(name or program,
        [program_path(program), "-k", PASSWORD, "-v"] + list(argv))
    return process


def ss_server(house, cipher):
    port, = free_ports(1)
    process = ss(house, "ss-server", "-s", "127.0.0.1", "-p", str(port),
        "-m", cipher.lower())
    wait_for("ss-server", 10, lambda: listening(port))
    return process, ("127.0.0.1", port)


def ss_local(house, cipher, server):
    port, = free_ports(1)
    process = ss(house, "ss-local", "-b", "127.0.0.1", "-l", str(port),
        "-s", server[0], "-p", str(server[1]), "-m", cipher.lower())
    wait_for("ss-local", 10, lambda: listening(port))
    return process, ("127.0.0.1", port)


def socks(at, by_name=False):
    return ["--socks5-hostname" if by_name else "--socks5", "%s:%d" % at]


def connect(at, dest):
    """A SOCKS5 connection to 'dest', as a socket."""
    s = socket.create_connection(at, 10)
    s.sendall(b"\5\1\0")
    assert s.recv(2) == b"\5\0"
    s.sendall(b"\5\1\0\1" + socket.inet_aton(dest[0])
        + dest[1].to_bytes(2, "big"))
    got = b""
    while len(got) < 10:
        more = s.recv(10 - len(got))
        assert more, got
        got += more
    assert got[1] == 0
    return s


def read_all(s):
    got = b""
    while True:
        more = s.recv(65536)
        if not more:
            return got
        got += more


class Late:
    """Reads to EOF, and answers a second later with what it has read."""

    def __init__(self):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                got = read_all(self.request)
                time.sleep(1)
                self.request.sendall(got)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0),
            Handler)
        self.server.daemon_threads = True
        self.at = self.server.server_address
        threading.Thread(target=self.server.serve_forever,
            kwargs={"poll_interval": 0.1}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def both_ways(house, how, web, sizes=SIZES, host="127.0.0.1"):
    for size in sizes:
        download(how, host, web.port, size, size)
        upload(how, host, web.port, size, size, house.folder)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_web_062_064_our_client_and_ss_server(house, cipher):
    need("curl")
    web = house.add(HttpServer())
    server = ss_server(house, cipher)[1]
    client = ptah_client(house, server, cipherName=cipher, profile="ss")
    both_ways(house, socks(client), web)
    download(socks(client, True), "localhost", web.port, 70000, 1)


def test_web_062_ipv6(house):
    need("curl")
    web = house.add(HttpServer("::1"))
    server = ss_server(house, CIPHERS[0])[1]
    client = ptah_client(house, server, profile="ss")
    both_ways(house, socks(client), web, [70000], "::1")


def test_the_target_of_the_options_stands_in_the_header(house):
    need("curl")
    web = house.add(HttpServer())
    server = ss_server(house, CIPHERS[0])[1]
    client = ptah_client(house, server, profile="ss",
        target="127.0.0.1:%d" % web.port)
    both_ways(house, socks(client), web, [70000], "192.0.2.1")


@pytest.mark.parametrize("cipher", CIPHERS)
def test_web_063_064_ss_local_and_our_server(house, cipher):
    need("curl")
    web = house.add(HttpServer())
    server = ptah_server(house, ("127.0.0.1", web.port), profile="ss",
        cipherName=cipher)
    both_ways(house, socks(ss_local(house, cipher, server)[1]), web)


def test_web_063_late_data_and_a_header_alone(house):
    """The header alone admits: who speaks first may be the destination."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        server = ptah_server(house, listener.getsockname(), profile="ss",
            allow=["127.0.0.1:*"])
        for at in (ss_local(house, CIPHERS[0], server)[1],
                ptah_client(house, server, profile="ss")):
            with connect(at, listener.getsockname()) as s:
                there = listener.accept()[0]
                there.sendall(b"first")
                assert s.recv(5) == b"first"
                time.sleep(1)
                s.sendall(b"late")
                assert there.recv(4) == b"late"
                there.close()


def test_web_069_ss_server_wants_the_header_in_one_chunk(house):
    """Of the peer: it waits for no second one, and ours must not cut it."""
    process, server = ss_server(house, CIPHERS[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = listener.getsockname()
        client = ptah_client(house, server, cipherName=CIPHERS[2])
        header = b"\1" + socket.inet_aton(at[0]) + at[1].to_bytes(2, "big")
        with connect(client, ("192.0.2.1", 9)) as s:
            s.sendall(header[:3])
            process.wait_text("invalid", 10)
            s.sendall(header[3:] + b"hello")
            s.settimeout(1)
            with pytest.raises(socket.timeout):
                s.recv(1)
        listener.settimeout(0.1)
        with pytest.raises(socket.timeout):
            listener.accept()


def test_web_070_an_address_outside_of_allow(house):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = listener.getsockname()
        server = ptah_server(house, at, profile="ss",
            allow=["127.0.0.2:*", "localhost:%d" % at[1]])
        local = ss_local(house, CIPHERS[0], server)[1]
        with connect(local, at) as s:
            s.sendall(b"hello")
            s.settimeout(2)
            with pytest.raises(socket.timeout):
                s.recv(1)
        listener.settimeout(0.1)
        with pytest.raises(socket.timeout):
            listener.accept()


def test_without_allow_all_goes_to_the_target(house):
    need("curl")
    web = house.add(HttpServer())
    server = ptah_server(house, ("127.0.0.1", web.port), profile="ss")
    local = ss_local(house, CIPHERS[0], server)[1]
    download(socks(local), "192.0.2.1", 9, 70000, 1)


@pytest.mark.parametrize("cipher", CIPHERS + ["AEAD_AES_192_GCM"])
def test_web_071_raw_and_raw(house, cipher):
    need("curl")
    web = house.add(HttpServer())
    server = ptah_server(house, ("127.0.0.1", web.port), cipherName=cipher)
    client = ptah_client(house, server, method=cipher)
    both_ways(house, socks(client), web)


def test_raw_carries_a_half_close(house):
    late = house.add(Late())
    server = ptah_server(house, late.at)
    with connect(ptah_client(house, server), ("192.0.2.1", 9)) as s:
        s.sendall(b"x" * 100000)
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == b"x" * 100000


def test_web_075_a_prefix(house):
    """What the wire begins with, and that ss-server takes it."""
    need("curl")
    web = house.add(HttpServer())
    server = ss_server(house, CIPHERS[0])[1]
    prefix = "%16%03%01%00%c2%a8%01%01"
    both_ways(house, socks(ptah_client(house, server, profile="ss",
        prefix=prefix)), web, [70000])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        client = ptah_client(house, listener.getsockname(), name="other",
            profile="ss", prefix=prefix)
        with connect(client, ("127.0.0.1", 9)) as s:
            s.sendall(b"hello")
            there = listener.accept()[0]
            assert there.recv(8) == b"\x16\x03\x01\0\xc2\xa8\1\1"
            there.close()


def either_server(house, theirs, target):
    if theirs:
        return ss_server(house, CIPHERS[0])[1]
    return ptah_server(house, target, profile="ss")


@pytest.mark.parametrize("theirs", [True, False], ids=["ss-server", "ptah"])
def test_web_077_our_eof_is_withheld(house, theirs):
    """So the answer of a destination that does not wait for it arrives."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        server = either_server(house, theirs, listener.getsockname())
        client = ptah_client(house, server, profile="ss")
        with connect(client, listener.getsockname()) as s:
            s.sendall(b"question")
            s.shutdown(socket.SHUT_WR)
            there = listener.accept()[0]
            assert there.recv(100) == b"question"
            there.settimeout(1)
            with pytest.raises(socket.timeout):
                there.recv(1)
            there.sendall(b"answer")
            there.close()
            assert read_all(s) == b"answer"


@pytest.mark.parametrize("theirs", [True, False], ids=["ss-server", "ptah"])
def test_web_077_our_eof_goes_at_once_if_asked(house, theirs):
    """ss-server drops the answer then, and ours does not."""
    late = house.add(Late())
    client = ptah_client(house, either_server(house, theirs, late.at),
        profile="ss", **{"half-close": "send"})
    with connect(client, late.at) as s:
        s.sendall(b"question")
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == (b"" if theirs else b"question")


def test_a_wrong_password_gets_no_byte(house):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ptah_server(house, listener.getsockname())
        client = ptah_client(house, server, password="another one")
        with connect(client, ("192.0.2.1", 9)) as s:
            s.sendall(b"hello")
            s.settimeout(2)
            with pytest.raises(socket.timeout):
                s.recv(1)


@pytest.mark.parametrize("cipher", ["aes-256-cfb", "rc4-md5", "rot13"])
def test_web_074_ciphers_that_are_refused(house, cipher):
    process = house.start("server", command_of(program_path("ptah")) + [
        "-ptversion", "3.0", "-server", "-transport", "shadow",
        "-state", house.path("s"), "-bindhost", "127.0.0.1", "-bindport", "0",
        "-target", "127.0.0.1:9", "-options",
        json.dumps({"shadow": {"password": "x", "cipherName": cipher}})],
        module_env())
    process.wait_text("SMETHODS DONE\n", 20)
    line, = [l for l in process.text().splitlines()
        if l.startswith("SMETHOD-ERROR")]
    assert cipher in line and "CHACHA20-IETF-POLY1305" in line


def test_web_074_no_password(house):
    process = house.start("server", command_of(program_path("ptah")) + [
        "-ptversion", "3.0", "-server", "-transport", "shadow",
        "-state", house.path("s"), "-bindhost", "127.0.0.1", "-bindport", "0",
        "-target", "127.0.0.1:9"], module_env())
    process.wait_text("SMETHODS DONE\n", 20)
    line, = [l for l in process.text().splitlines()
        if l.startswith("SMETHOD-ERROR")]
    assert "password" in line
