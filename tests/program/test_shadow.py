# SPDX-License-Identifier: BSD-3-Clause
"""shadow, whole: ptah against the model of Shadowsocks 2022, and rows WEB-nnn."""
import hashlib
import json
import os
import select
import socket
import threading
import time

import pytest

from harness import (F3C, F3S, MODULES, Ptah, connect, poll, recv_all,
                     recv_exact, socks5)

model = pytest.importorskip("ss2022model",
                            reason="python3-cryptography is not installed")

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "shadow.so")),
    reason="built without shadow")

KEYS = {"2022-blake3-aes-128-gcm": "AAECAwQFBgcICQoLDA0ODw==",
        "2022-blake3-aes-256-gcm":
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        model.CHACHA: "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="}
CIPHERS = sorted(KEYS)


def options(cipher, **more):
    return json.dumps(dict({"cipherName": cipher, "profile": "ss",
                            "password": KEYS[cipher]}, **more))


class Bridge(Ptah):
    def __init__(self, target, text):
        super().__init__(F3S(target, transport="shadow", options=text))

    def __enter__(self):
        super().__enter__()
        self.wait_done()
        self.where = self.methods()["shadow"][1]
        return self


@pytest.fixture(params=CIPHERS)
def bridge(request, echo):
    with Bridge(echo.port, options(request.param)) as b:
        b.cipher = request.param
        yield b


def model_client(bridge, sock=None):
    return model.Client(KEYS[bridge.cipher], sock, bridge.cipher)


@pytest.mark.parametrize("pad", [0, 1, 900])
def test_web_091_the_model_as_client(bridge, pad):
    client = model_client(bridge, connect(bridge.where))
    data = os.urandom(200000)
    client.sock.sendall(client.request(data[:1000], bytes(pad)))
    for at in range(1000, len(data), 50000):
        client.send(data[at:at + 50000])
    assert client.hear(len(data)) == data


@pytest.mark.parametrize("pad", [1, 900])
def test_a_request_without_payload(bridge, pad):
    client = model_client(bridge, connect(bridge.where))
    client.sock.sendall(client.request(padding=bytes(pad)))
    client.send(b"later")
    assert client.hear(5) == b"later"


def hears_only_eof(bridge, wire):
    """No byte, an EOF, and then it is read on without a reset."""
    sock = connect(bridge.where)
    sock.sendall(wire)
    assert sock.recv(100) == b""
    for _ in range(3):
        sock.sendall(bytes(3000))
        assert not select.select([sock], [], [], 0.05)[0] or \
            sock.recv(1) == b""
    sock.close()


@pytest.mark.parametrize("skew", [-31, 32, -1000000])
def test_web_092_a_wrong_time(bridge, skew):
    hears_only_eof(bridge, model_client(bridge).request(b"x", skew=skew))
    poll(lambda: [line for line in bridge.err_lines + bridge.out_lines
                  if "timestamp off by" in line], what="the log to say so")


def test_web_092_a_replay(bridge):
    client = model_client(bridge, connect(bridge.where))
    wire = client.request(b"ping")
    client.sock.sendall(wire)
    assert client.hear(4) == b"ping"
    for _ in range(20):
        hears_only_eof(bridge, wire)


def test_web_093_neither_padding_nor_payload(bridge):
    hears_only_eof(bridge, model_client(bridge).request())


def test_web_095_a_first_read_that_is_split(bridge):
    wire = model_client(bridge).request(b"ping")
    sock = connect(bridge.where)
    sock.sendall(wire[:40])
    assert sock.recv(100) == b""
    sock.sendall(wire[40:])
    assert not select.select([sock], [], [], 0.2)[0] or sock.recv(1) == b""


# --- ptah as the client ---------------------------------------------------

class Listener:
    """A place that a ptah client dials."""

    def __init__(self, cipher):
        self.cipher = cipher
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(10)
        self.client = Ptah(F3C(0, transport="shadow", options=options(
            cipher, serverAddress="127.0.0.1:%d"
            % self.sock.getsockname()[1])))

    def __enter__(self):
        self.client.__enter__()
        self.client.wait_done()
        return self

    def __exit__(self, *why):
        self.sock.close()
        self.client.__exit__(*why)


@pytest.fixture(params=CIPHERS)
def listener(request):
    with Listener(request.param) as one:
        yield one


def dial(listener):
    app, reply = socks5(listener.client.address("shadow"),
                        ("192.0.2.1", 443))
    assert reply == 0
    return app, listener.sock.accept()[0]


def model_server(listener, wire):
    return model.Server(KEYS[listener.cipher], wire, listener.cipher)


def test_web_091_the_model_as_server(listener):
    app, wire = dial(listener)
    data = os.urandom(150000)
    threading.Thread(target=app.sendall, args=(data,), daemon=True).start()
    server = model_server(listener, wire)
    assert server.address == b"\1\xc0\0\2\1\1\xbb"
    got, rest = server.payload, server.early

    def read(sock, n):
        nonlocal rest
        take, rest = rest[:n], rest[n:]
        return take + (model.read(sock, n - len(take)) or b"")
    for payload in model.chunks(server.into, wire, read):
        got += payload
        if len(got) == len(data):
            break
    assert got == data
    wire.sendall(server.respond(b"first") + server.out.chunk(b"second"))
    answer = b""
    while len(answer) < 11:
        answer += app.recv(100)
    assert answer == b"firstsecond"


def test_padding_without_payload(listener):
    _, wire = dial(listener)
    server = model_server(listener, wire)
    assert server.payload == b"" and server.padding > 0


@pytest.mark.parametrize("how", [{"salt": True}, {"skew": 31}, {"skew": -31},
                                 {"kind": 0}],
                         ids=["salt", "future", "past", "type"])
def test_web_094_a_response_that_is_none(listener, how):
    app, wire = dial(listener)
    app.sendall(b"ping")
    server = model_server(listener, wire)
    if "salt" in how:
        how = {"salt": bytes(len(server.into.salt))}
    wire.sendall(server.respond(b"pong", **how))
    assert recv_all(app) == b""


# --- the ciphers of before ---------------------------------------------------

PASSWORD = "what both ends know"


def classic(text=None, **more):
    return json.dumps(dict({"cipherName": "aes-128-gcm"},
                           **(text or {"password": PASSWORD}), **more))


def classic_way():
    """A direction of aes-128-gcm, with a salt of its own."""
    salt = os.urandom(16)
    way = model.Way(bytes(16), salt)
    key = hashlib.md5(PASSWORD.encode()).digest()
    way.aead = model.AESGCM(model.HKDF(model.SHA1(), 16, salt, b"ss-subkey").derive(key))
    return way


def no_byte_and_no_reset(sock, seconds=0.3):
    """Nothing is answered, and what is sent is still taken."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sock.sendall(bytes(1000))
        if select.select([sock], [], [], 0.05)[0]:
            assert sock.recv(1) == b""


@pytest.mark.parametrize("n", [1, 17, 49, 50, 51, 100, 300])
def test_web_065_random_bytes(echo, n):
    with Bridge(echo.port, classic()) as bridge:
        sock = connect(bridge.where)
        sock.sendall(os.urandom(n))
        no_byte_and_no_reset(sock)


def test_web_065_a_wrong_password(echo):
    with Bridge(echo.port, classic()) as bridge, Ptah(F3C(
            bridge.where[1], transport="shadow", options=classic(
                {"password": "another"},
                serverAddress="%s:%d" % bridge.where))) as client:
        client.wait_done()
        app, reply = socks5(client.address("shadow"), ("192.0.2.1", 443))
        assert reply == 0
        no_byte_and_no_reset(app)


@pytest.mark.parametrize("what", ["zero", "0x4000", "length", "payload"])
def test_web_067_a_broken_second_chunk(echo, what):
    """What came before is answered, nothing else is, and nobody is reset."""
    with Bridge(echo.port, classic()) as bridge:
        way = classic_way()
        sock = connect(bridge.where)
        sock.sendall(way.salt + way.chunk(b"good"))
        n = 16 + 34 + 4
        assert len(recv_exact(sock, n)) == n
        bad = bytearray(way.chunk(b"evil"))
        if what == "zero" or what == "0x4000":
            way.n -= 2
            bad = way.seal(b"\0\0" if what == "zero" else b"\x40\0")
        else:
            bad[5 if what == "length" else -1] ^= 1
        sock.sendall(bytes(bad))
        no_byte_and_no_reset(sock)


@pytest.mark.parametrize("text,says", [
    ({"password": "x", "cipherName": "aes-256-cfb"}, "aes-256-cfb"),
    ({"password": "x", "cipherName": "rot13"}, "rot13"),
    ({"password": "x", "cipherName": CIPHERS[0]}, "profile ss"),
    ({"password": "x", "cipherName": CIPHERS[0], "profile": "ss"}, "base64"),
    ({"password": KEYS[CIPHERS[0]], "cipherName": CIPHERS[1],
      "profile": "ss"}, "this has 16"),
    ({"password": KEYS[CIPHERS[0]], "cipherName": model.CHACHA,
      "profile": "ss"}, "this has 16"),
    ({"password": ":".join([KEYS[model.CHACHA]] * 2),
      "cipherName": model.CHACHA, "profile": "ss"}, "takes one key"),
    ({"password": "x", "key": "AAAAAAAAAAAAAAAAAAAAAA=="}, "one of the two"),
    ({"key": "AAAAAAAAAAAAAAAAAAAAAA=="}, "takes 32 bytes"),
], ids=["stream", "unknown", "raw", "password", "length", "chacha-length",
        "chacha-keys", "both", "key"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_web_074_097_options_that_cannot_be(echo, role, text, says):
    start = F3S(echo.port, transport="shadow", options=json.dumps(text)) \
        if role == "server" else F3C(0, transport="shadow", options=json.dumps(
            dict(text, serverAddress="127.0.0.1:9")))
    with Ptah(start) as p:
        p.wait_done()
        line, = [l for l in p.out_lines + p.err_lines
                 if "METHOD-ERROR shadow" in l]
        assert says in line


@pytest.mark.parametrize("mode", ["transparent-TCP", "transparent-UDP", "STUN"])
def test_web_074_no_password_where_no_connection_brings_one(mode):
    """Only SOCKS has words for it: elsewhere what the client lacks now it lacks for good."""
    with Ptah(F3C(9, transport="shadow", options=json.dumps(
            {"serverAddress": "127.0.0.1:9"})).plus("-mode", mode)) as p:
        p.wait_done()
        line, = [l for l in p.out_lines + p.err_lines
                 if "CMETHOD-ERROR shadow" in l]
        assert "password" in line


def test_web_074_no_password(echo):
    """A server says so at once, a client of a SOCKS mode when a connection brings none: with Tor, bridge lines bring them."""
    with Ptah(F3S(echo.port, transport="shadow", options="{}")) as p:
        p.wait_done()
        line, = [l for l in p.out_lines + p.err_lines
                 if "METHOD-ERROR shadow" in l]
        assert "password" in line
    with Ptah(F3C(9, transport="shadow",
                  options='{"serverAddress": "127.0.0.1:9"}')) as p:
        p.wait_done()
        assert socks5(p.address("shadow"), ("192.0.2.1", 443))[1] not in \
            (0, 5)


def test_a_key_instead_of_a_password(echo):
    key = {"key": "AAECAwQFBgcICQoLDA0ODw"}
    with Bridge(echo.port, classic(key)) as bridge, Ptah(F3C(
            0, transport="shadow", options=classic(key, serverAddress="%s:%d"
                                                   % bridge.where))) as p:
        p.wait_done()
        app, reply = socks5(p.address("shadow"), ("192.0.2.1", 443))
        assert reply == 0
        app.sendall(b"ping")
        assert recv_exact(app, 4) == b"ping"
