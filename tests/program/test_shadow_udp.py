# SPDX-License-Identifier: BSD-3-Clause
"""Datagrams of shadow: ptah against the model of Shadowsocks 2022, and rows WEB-nnn."""
import json
import os
import select
import socket

import pytest

from harness import F3C, F3S, MODULES, Ptah, poll
from test_messages import counted, udp

model = pytest.importorskip("ss2022model",
                            reason="python3-cryptography is not installed")

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "shadow.so")),
    reason="built without shadow")

HOP, USER = "AAECAwQFBgcICQoLDA0ODw==", "MjM0NTY3ODk6Ozw9Pj9AQQ=="
KEYS = {"16": ("2022-blake3-aes-128-gcm", USER),
        "32": ("2022-blake3-aes-256-gcm",
               "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        "chacha": (model.CHACHA,
                   "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="),
        "identity": ("2022-blake3-aes-128-gcm", HOP + ":" + USER),
        "identities": ("2022-blake3-aes-128-gcm",
                       ":".join((USER, HOP, USER)))}
# One of each kind of packet; what has AES differs in keys alone.
either = pytest.mark.parametrize("key", ["16", "chacha"])
SIZES = (0, 1, 100, 900, 1400, 9000)


def options(key, **more):
    cipher, psk = KEYS[key]
    return json.dumps(dict({"cipherName": cipher, "password": psk,
                            "profile": "ss", "messages": True}, **more))


def test_the_model_has_the_xchacha_of_its_draft():
    """draft-irtf-cfrg-xchacha-03, 2.2.1 and A.3.1."""
    assert model.hchacha(bytes(range(32)), bytes.fromhex(
        "000000090000004a0000000031415927")).hex() == \
        "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    nonce, more = bytes(range(0x40, 0x58)), bytes.fromhex(
        "50515253c0c1c2c3c4c5c6c7")
    plain = (b"Ladies and Gentlemen of the class of '99: If I could offer you "
             b"only one tip for the future, sunscreen would be it.")
    aead = model.XChaCha20Poly1305(bytes(range(0x80, 0xa0)))
    sealed = aead.encrypt(nonce, plain, more)
    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939"
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
    assert aead.decrypt(nonce, sealed, more) == plain


def header(at):
    return b"\1" + socket.inet_aton(at[0]) + at[1].to_bytes(2, "big")


def silent(*socks, seconds=0.2):
    assert not select.select(socks, [], [], seconds)[0]


class Bridge(Ptah):
    """A server of ours, and the place where it sends what comes."""

    def __init__(self, key, *words, **more):
        self.target, self.key = udp(), key
        super().__init__(F3S(self.target.getsockname()[1],
            transport="shadow", options=options(key, **more)).plus(
            "-mode", "transparent-UDP", "-ipcLogLevel", "INFO", *words))

    def __enter__(self):
        super().__enter__()
        self.wait_done()
        self.where = self.methods()["shadow"][1]
        self.client = model.packets(*KEYS[self.key], 0)
        self.wire = udp()
        self.wire.connect(self.where)
        return self

    def __exit__(self, *why):
        self.wire.close()
        self.target.close()
        return super().__exit__(*why)

    def works(self, body=b"ping", wire=None, **how):
        """A packet of the client's arrives, and the answer comes back."""
        wire = wire or self.wire
        wire.send(self.client.seal(body, **how))
        got, at = self.target.recvfrom(65536)
        assert got == body
        self.target.sendto(b"back" + body, at)
        answer = self.client.open(wire.recv(65536))
        assert answer[2] == self.client.session
        assert answer[4] == header(self.target.getsockname())
        assert answer[5] == b"back" + body
        return answer[:2]

    def refuses(self, packet, counter="udp_drop_rejected"):
        """Neither the target nor who sent it hears anything; how often that was counted."""
        before = counted(self)[counter]
        self.wire.send(packet)
        poll(lambda: counted(self)[counter] > before, what="it to be refused")
        silent(self.target, self.wire)
        return counted(self)[counter] - before


@pytest.fixture(params=sorted(KEYS))
def bridge(request):
    with Bridge(request.param) as b:
        yield b


def test_web_096_the_model_as_client(bridge):
    for size in SIZES:
        bridge.works(os.urandom(size))
        bridge.works(os.urandom(size), padding=900)
    session, number = bridge.works()
    assert bridge.works() == (session, number + 1)


@either
def test_web_096_what_is_refused(key):
    """A number that came before, a wrong time, another type, no address, a changed packet."""
    with Bridge(key) as bridge:
        bridge.works()
        seal = bridge.client.seal
        packet = seal(b"good")
        assert bridge.refuses(seal(b"x", number=0)) == 1
        assert bridge.refuses(seal(b"x", skew=-31)) == 1
        assert bridge.refuses(seal(b"x", skew=32)) == 1
        assert bridge.refuses(seal(b"x", kind=1)) == 1
        assert bridge.refuses(seal(b"", address=b"")) == 1
        assert bridge.refuses(seal(b"", address=b"\2\1\1\1\1\1\1")) == 1
        assert bridge.refuses(packet[:-1] + bytes([packet[-1] ^ 1])) == 1
        assert bridge.refuses(packet[:-1]) == 1
        # its nonce or the block of its session: it would begin another one
        assert bridge.refuses(bytes([packet[0] ^ 1]) + packet[1:],
                              "rejected") == 1
        assert bridge.refuses(packet[:30]) == 1
        bridge.wire.send(packet)
        assert bridge.target.recv(100) == b"good"
        assert bridge.refuses(packet) == 1
        bridge.works()
        assert any("timestamp off by" in line
                   for line in bridge.err_lines + bridge.out_lines)


@either
def test_web_096_the_edge_of_the_window(key):
    with Bridge(key) as bridge:
        bridge.works(number=5000)
        bridge.works(number=5000 - 1983)
        assert bridge.refuses(bridge.client.seal(b"x", number=5000 - 1984)) == 1
        assert bridge.refuses(bridge.client.seal(b"x", number=5000 - 1983)) == 1
        bridge.works(number=4999)
        bridge.works(number=1 << 63)


@either
@pytest.mark.parametrize("workers", ["1", "2"])
def test_web_096_a_client_moves(workers, key):
    """Its session goes along, answers follow it, and a replay does not move it."""
    with Bridge(key, "-workers", workers) as bridge:
        first = bridge.works()
        for _ in range(6):
            with udp() as other:
                other.connect(bridge.where)
                packet = bridge.client.seal(b"moved")
                other.send(packet)
                got, at = bridge.target.recvfrom(100)
                assert got == b"moved"
                with udp() as thief:
                    thief.connect(bridge.where)
                    thief.send(packet)
                    silent(thief, bridge.target, seconds=0.1)
                    bridge.target.sendto(b"here", at)
                    answer = bridge.client.open(other.recv(65536))
                    assert answer[0] == first[0] and answer[5] == b"here"
                    silent(thief, seconds=0.05)


@either
def test_sessions_do_not_mix(key):
    """Several of one address have sockets of their own, and each hears its answers."""
    with Bridge(key) as bridge:
        clients = [model.packets(*KEYS[key], 0) for _ in range(5)]
        for client in clients:
            bridge.wire.send(client.seal(client.session))
        heard = [bridge.target.recvfrom(100) for _ in clients]
        assert len({at for _, at in heard}) == len(clients)
        for session, at in heard:
            bridge.target.sendto(b"to " + session, at)
            packet = bridge.wire.recv(65536)
            client, = [c for c in clients if c.session == session]
            assert client.open(packet)[5] == b"to " + session


@either
def test_noise_makes_no_links(key):
    with Bridge(key) as bridge:
        for _ in range(3):      # no more at once than the kernel keeps
            for _ in range(100):
                bridge.wire.send(os.urandom(200))
            silent(bridge.target, bridge.wire)
        bridge.works()
        now = counted(bridge)
        assert now["links_opened"] - now["links_closed"] == 1


# --- ptah as the client -------------------------------------------------------

class Visitor(Ptah):
    """A client of ours, and the place that it takes for its server."""

    def __init__(self, key, target="192.0.2.1:443"):
        self.far, self.key = udp(), key
        self.server = model.packets(*KEYS[key], 1)
        super().__init__(F3C(0, transport="shadow", options=options(key,
            serverAddress="127.0.0.1:%d" % self.far.getsockname()[1],
            target=target)).plus("-mode", "transparent-UDP", "-udpQueue",
            "8"))

    def __enter__(self):
        super().__enter__()
        self.wait_done()
        self.app = udp()
        self.app.connect(self.methods()["shadow"][1])
        return self

    def __exit__(self, *why):
        self.app.close()
        self.far.close()
        return super().__exit__(*why)

    def hears(self, body, **how):
        how.setdefault("client", self.session)
        self.far.sendto(self.server.seal(body, address=header(
            ("192.0.2.1", 443)), **how), self.at)

    def asks(self, body=b"ping"):
        self.app.send(body)
        packet, self.at = self.far.recvfrom(65536)
        self.session, number, _, padding, address, got = \
            self.server.open(packet)
        assert got == body
        return number, padding, address


@pytest.mark.parametrize("key", sorted(KEYS))
def test_web_096_the_model_as_server(key):
    with Visitor(key) as visitor:
        for i, size in enumerate(SIZES):
            body = os.urandom(size)
            assert visitor.asks(body) == (i, 0, header(("192.0.2.1", 443)))
            visitor.hears(body, padding=i * 100)
            assert visitor.app.recv(65536) == body


@either
def test_web_096_what_a_client_refuses(key):
    with Visitor(key) as visitor:
        visitor.asks()
        for how in ({"skew": 31}, {"skew": -31}, {"kind": 0},
                    {"client": bytes(8)}):
            visitor.hears(b"evil", **how)
        packet = visitor.server.seal(b"once", client=visitor.session)
        visitor.far.sendto(packet, visitor.at)
        assert visitor.app.recv(100) == b"once"
        visitor.far.sendto(packet, visitor.at)
        with udp() as stranger:
            stranger.sendto(visitor.server.seal(
                b"evil", client=visitor.session), visitor.at)
        visitor.hears(b"good")
        assert visitor.app.recv(100) == b"good"
        silent(visitor.app)


@either
def test_questions_of_names_have_padding(key):
    with Visitor(key, "192.0.2.1:53") as visitor:
        lens = [visitor.asks(b"a question")[1] for _ in range(30)]
        assert min(lens) > 0 and len(set(lens)) > 10


def test_a_client_without_a_target_says_so():
    with Ptah(F3C(0, transport="shadow", options=options(
            "16", serverAddress="127.0.0.1:9")).plus(
            "-mode", "transparent-UDP", "-ipcLogLevel", "INFO")) as p, \
            udp() as app:
        p.wait_done()
        app.connect(p.methods()["shadow"][1])
        app.send(b"hello")
        p.wait_line(r".*profile ss needs a destination.*target.*", "out")
