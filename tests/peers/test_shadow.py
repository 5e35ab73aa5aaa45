# SPDX-License-Identifier: BSD-3-Clause
"""shadow between ptah and ss-local, ss-server, in both roles."""

import base64
import contextlib
import json
import os
import re
import select
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
from test_udp import example

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
    wait_for("ss-server", 30, lambda: listening(port))
    return process, ("127.0.0.1", port)


def ss_local(house, cipher, server):
    port, = free_ports(1)
    process = ss(house, "ss-local", "-b", "127.0.0.1", "-l", str(port),
        "-s", server[0], "-p", str(server[1]), "-m", cipher.lower())
    wait_for("ss-local", 30, lambda: listening(port))
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


# --- datagrams ---------------------------------------------------------------

DATAGRAMS = [0, 1, 2, 12, 100, 512, 1232, 1400]
UDP = {"profile": "ss", "messages": True}


class Names:
    """Answers each datagram as a name server would: its two first bytes as they came, a bit set, and the rest backwards."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((host, 0))
        self.at = self.socket.getsockname()[:2]
        self.heard = set()
        threading.Thread(target=self.run, daemon=True).start()

    @staticmethod
    def answer(word):
        return word[:2] + b"\x80" + word[:1:-1]

    def run(self):
        while True:
            try:
                word, at = self.socket.recvfrom(65536)
            except OSError:
                return
            self.heard.add(at)
            self.socket.sendto(self.answer(word), at)

    def close(self):
        with contextlib.suppress(OSError):  # it says so, and wakes all the same
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def udp_socket():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind(("127.0.0.1", 0))
    s.settimeout(10)
    return s


def ask(s, at, word, head=b""):
    """One question and its answer; 'head' is what a SOCKS5 relay wants."""
    s.sendto(head + word, at)
    got, _ = s.recvfrom(65536)
    assert got[len(head):] == Names.answer(word)
    return got[:len(head)]


def burst(s, at, n=20, size=300, head=b""):
    """Many at once: each comes back, once, in any order."""
    words = [i.to_bytes(2, "big") + bytes([i]) * size for i in range(n)]
    for word in words:
        s.sendto(head + word, at)
    got = sorted(s.recvfrom(65536)[0][len(head):] for _ in words)
    assert got == sorted(map(Names.answer, words))


def flows(names, at, head=b""):
    """Every size, a burst, and several at once, each with a socket of its own at the far end."""
    several = [udp_socket() for _ in range(4)]
    for size in DATAGRAMS:
        ask(several[0], at, bytes(size), head)
    burst(several[0], at, head=head)
    for s in several:
        burst(s, at, 5, head=head)
    assert len(names.heard) == len(several)
    for s in several:
        s.close()


def bound(port):
    """Has somebody this UDP port of 127.0.0.1?"""
    with open("/proc/net/udp") as f:
        return any(line.split()[1] == "0100007F:%04X" % port
            for line in f.readlines()[1:])


def ss_udp(house, program, cipher, server, *argv):
    port, = free_ports(1)
    ss(house, program, "-b", "127.0.0.1", "-l", str(port), "-s", server[0],
        "-p", str(server[1]), "-m", cipher.lower(), *argv)
    wait_for(program, 30, lambda: bound(port))
    return "127.0.0.1", port


def ss_server_udp(house, cipher):
    port, = free_ports(1)
    process = ss(house, "ss-server", "-s", "127.0.0.1", "-p", str(port),
        "-m", cipher.lower(), "-U")
    wait_for("ss-server", 30, lambda: bound(port))
    return process, ("127.0.0.1", port)


def ptah_udp_client(house, server, target=None, name="client", **options):
    if target:
        options["target"] = "%s:%d" % target if ":" not in target[0] \
            else "[%s]:%d" % target
    return ptah(house, "client", name, dict({"password": PASSWORD,
        "serverAddress": "%s:%d" % server}, **dict(UDP, **options)),
        "-mode", "transparent-UDP", "-udpQueue", "64")[1]


def ptah_udp_server(house, target, **options):
    return ptah(house, "server", "server", dict({"password": PASSWORD},
        **dict(UDP, **options)), "-mode", "transparent-UDP", "-bindhost",
        "127.0.0.1", "-bindport", "0", "-target", "%s:%d" % target)[1]


@pytest.mark.parametrize("cipher", CIPHERS)
def test_web_072_our_client_and_ss_server_carry_datagrams(house, cipher):
    names = house.add(Names())
    server = ss_server_udp(house, cipher)[1]
    flows(names, ptah_udp_client(house, server, names.at,
        cipherName=cipher))


def test_web_072_a_name_and_ipv6_as_target(house):
    server = ss_server_udp(house, CIPHERS[0])[1]
    v6 = house.add(Names("::1"))
    with udp_socket() as s:
        ask(s, ptah_udp_client(house, server, v6.at), b"six" * 100)
    v4 = house.add(Names())
    with udp_socket() as s:
        ask(s, ptah_udp_client(house, server, ("localhost", v4.at[1]),
            name="other"), b"name" * 100)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("allow", [False, True], ids=["target", "allow"])
def test_web_072_ss_tunnel_and_our_server(house, cipher, allow):
    names = house.add(Names())
    other = house.add(Names())
    server = ptah_udp_server(house, other.at if allow else names.at,
        cipherName=cipher, **({"allow": ["127.0.0.1:*"]} if allow else {}))
    flows(names, ss_udp(house, "ss-tunnel", cipher, server, "-L",
        "%s:%d" % (names.at if allow else ("192.0.2.1", 9)), "-U"))
    assert not other.heard


def test_web_072_ss_local_hears_who_answered(house):
    """Several destinations of one source, each with its own address in the answer."""
    several = [house.add(Names()) for _ in range(3)]
    server = ptah_udp_server(house, ("127.0.0.1", 9), allow=["127.0.0.1:*"])
    local = ss_udp(house, "ss-local", CIPHERS[0], server, "-u")
    with udp_socket() as s:
        for names in several * 2:
            head = b"\0\0\0\1\x7f\0\0\1" + names.at[1].to_bytes(2, "big")
            assert ask(s, local, b"who?", head) == head
            burst(s, local, 5, head=head)
    assert all(names.heard for names in several)


def test_web_072_outside_of_allow_nothing_goes(house):
    names, good = house.add(Names()), house.add(Names())
    server = ptah_udp_server(house, good.at,
        allow=["127.0.0.1:%d" % good.at[1]])
    local = ss_udp(house, "ss-local", CIPHERS[0], server, "-u")
    with udp_socket() as s:
        for to in (names, good):
            s.sendto(b"\0\0\0\1\x7f\0\0\1" + to.at[1].to_bytes(2, "big")
                + b"hello", local)
        assert s.recv(100)[10:] == Names.answer(b"hello")
    assert good.heard and not names.heard


def test_web_073_what_is_not_ours_is_not_answered(house):
    """Noise, what came before, what is cut, another password: nobody hears anything, and the rest goes on."""
    names = house.add(Names())
    server = ptah_udp_server(house, names.at)
    with udp_socket() as wire, udp_socket() as s:
        at = ptah_udp_client(house, wire.getsockname(), names.at)
        s.sendto(b"hello", at)
        packet = wire.recvfrom(65536)[0]
        wire.sendto(packet, server)
        answer = wire.recvfrom(65536)[0]
        for bad in (packet, packet[:-1], packet + b"x", b"", bytes(200),
                answer, packet[:31] + bytes([packet[31] ^ 1]) + packet[32:]):
            wire.sendto(bad, server)
        with udp_socket() as prober:
            prober.sendto(packet, server)
            prober.sendto(bytes(100), server)
            prober.settimeout(0.5)
            with pytest.raises(socket.timeout):
                prober.recv(1)
        wire.settimeout(0.1)
        with pytest.raises(socket.timeout):
            wire.recv(1)
        wire.settimeout(10)
        s.sendto(b"again", at)
        wire.sendto(wire.recvfrom(65536)[0], server)
        assert len(wire.recv(65536)) == len(answer)
        other = ptah_udp_client(house, server, names.at, name="other",
            password="another one")
        s.sendto(b"hello", other)
        s.settimeout(0.5)
        with pytest.raises(socket.timeout):
            s.recv(1)


@pytest.mark.parametrize("profile", ["raw", "ss"])
def test_both_ends_ours_carry_datagrams(house, profile):
    names = house.add(Names())
    server = ptah_udp_server(house, names.at, profile=profile)
    flows(names, ptah_udp_client(house, server,
        names.at if profile == "ss" else None, profile=profile))


def test_the_examples_carry_names(house):
    """conf/dns.*.conf, but for ports, words and the folder; a name server that is ours stands for dnsmasq."""
    names = house.add(Names())
    near, far = free_ports(2)
    key = base64.b64encode(bytes(range(32))).decode()
    ports = {"5353": near, "8388": far, "127.0.0.1:53": "127.0.0.1:%d" % names.at[1], "KEY": key,
        "SERVER": "127.0.0.1", "0.0.0.0": "127.0.0.1", "/var/lib/ptah": house.path("state")}
    for role in "server", "client":
        text, commands = example("dns.%s.conf" % role)
        argv = commands[role]
        for i, word in enumerate(argv):
            for old, new in ports.items():
                word = re.sub(r"(?<!\w)%s\b" % re.escape(old), str(new), word)
            argv[i] = word
        process = house.start(role, command_of(program_path("ptah")) + argv, module_env())
        process.wait_text("METHODS DONE\n", 20)
        assert "ERROR" not in process.text()
    with udp_socket() as s:
        ask(s, ("127.0.0.1", near), b"\x12\x34 is there such a name?")
        burst(s, ("127.0.0.1", near))


def test_web_065_still_open_after_59_seconds(house):
    """Noise of every length and another password: no byte, no end.  It takes a minute, for that is what it says."""
    server = ptah_server(house, ("127.0.0.1", 9))
    begun = time.monotonic()
    probes = [socket.create_connection(server, 10) for _ in range(100)]
    for i, probe in enumerate(probes):
        probe.sendall(os.urandom(1 + 3 * i))
    with connect(ptah_client(house, server, password="another one"),
            ("192.0.2.1", 9)) as s:
        s.sendall(b"hello")
        # Nobody closes before 60 s: what is seen after that, for the machine stood still, counts no more.
        while (now := time.monotonic()) < begun + 59:
            heard = select.select(probes + [s], [], [], min(0.2, begun + 59 - now))[0]
            assert not heard or time.monotonic() > begun + 60
    for probe in probes:
        probe.close()
