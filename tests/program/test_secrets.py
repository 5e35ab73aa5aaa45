# SPDX-License-Identifier: BSD-3-Clause
"""What an image of the process shows: no key that is not needed any more,
those that are once, and never the text that they came as.

The model plays the peer, so it knows every key that a link has.
"""
import base64
import hashlib
import json
import os
import socket
import struct

import pytest

import obfs4model as model
import scramblemodel
from harness import MODULES, F3S, EchoServer, Ptah, connect, poll
from image import Image, flags_at
from lines import pattern
from test_obfs4 import (Bridge, ModelBridge, client_start, dial, server_start)

needs = [
    pytest.mark.skipif(
        not os.path.exists(os.path.join(MODULES, "obfs4.so")),
        reason="built without obfs4"),
    # A sanitizer keeps freed memory as it was, and copies of what it saw.
    pytest.mark.skipif(
        "PTAH_SLOW" in os.environ, reason="a sanitizer keeps what is freed"),
]
pytestmark = needs

NODE = bytes(range(0x40, 0x54))
# Not clamped: what a library clamps is the same but for the ends.
KEY = bytes.fromhex(
    "93d4e1708b2f5c6a9e07b8c1d2f3a4859697a8b9cadbecfd0e1f3042536475ff")
SEED = bytes.fromhex("5ab3c2d1e0f9887766554433221100ffeeddccbbaa99817e")


def long_term(key=KEY, seed=SEED):
    """Raw keys without the bits that clamping changes, and their texts."""
    def texts(name, raw):
        return {
            name + " hex": raw.hex()[2:-2].encode(),
            name + " HEX": raw.hex().upper()[2:-2].encode(),
        }

    return {"key": key[1:31], "seed": seed, **texts("key", key),
            **texts("seed", seed)}


def of_way(name, way, keys):
    """What can open one direction of a link: keys, and the lengths' state."""
    return {
        name + " key": keys[:32],
        name + " subkey": model.hsalsa(keys[:32], keys[32:48]),
        name + " length seed": keys[48:72],
        name + " length state": struct.pack("<4Q", *way.masks.v),
    }


class Watched(model.Hello):
    """A hello that remembers all that both sides agreed on."""

    def answer(self, data):
        known = super().answer(data)
        if known is None:
            return None
        y_public = model.decode(data[:32])
        exp1 = model.x25519(self.secret, y_public)
        exp2 = model.x25519(self.secret, self.b_public)
        _, keys = model.agree(exp1, exp2, self.b_public, self.public,
                              y_public, self.node)
        self.keys = keys
        self.shared = {"exp1": exp1, "exp2": exp2}
        return known

    def needles(self, link):
        """In the server's eyes 'out' is what comes in."""
        return {**self.shared, **of_way("up", link.out, self.keys[:72]),
                **of_way("down", link.into, self.keys[72:])}


def watched_link(bridge):
    hello = Watched(bridge.cert)
    link = model.Link(connect(bridge.where), hello)
    return hello, link


def options():
    return ("obfs4:node-id=%s;obfs4:private-key=%s;obfs4:drbg-seed=%s"
            % (NODE.hex(), KEY.hex(), SEED.hex()))


def by_variable(path, port):
    return Bridge(path, port, TOR_PT_SERVER_TRANSPORT_OPTIONS=options())


def by_state(path, port):
    """The second start: all comes from the file."""
    with by_variable(path, port):
        pass
    return Bridge(path, port)


class ByFlag(Bridge):
    def __init__(self, path, port):
        text = ('{"node-id": "%s", "private-key": "%s", "drbg-seed": "%s"}'
                % (NODE.hex(), KEY.hex(), SEED.hex()))
        Ptah.__init__(self, F3S(port, transport="obfs4").plus(
            "-options", text, "-state", str(path)))
        self.state = path


def check_long_term(bridge):
    image = Image(bridge.pid, long_term())
    assert image.n_bytes > 1 << 20
    assert image.there(leave=("key", "seed")) == {}, "text of a key"
    assert image.count("key") == 1, image.there()
    assert image.count("seed") == 1, image.there()
    for what in ("key", "seed"):
        flags = flags_at(bridge.pid, image.found[what][0][0])
        assert "dd" in flags and "lo" in flags, "in core images, or swapped"


@pytest.mark.parametrize("start", [by_variable, by_state, ByFlag])
def test_long_term_keys_are_there_once(tmp_path, start):
    """In each state of its links; what the parent gave is overwritten."""
    with EchoServer() as echo, start(tmp_path / "bridge", echo.port) as bridge:
        check_long_term(bridge)                       # idle
        waits = connect(bridge.where)
        waits.sendall(os.urandom(100))
        failed = connect(bridge.where)
        failed.sendall(os.urandom(9000))
        _, link = watched_link(bridge)
        link.send(pattern(5000))
        assert link.read(5000) == pattern(5000)
        check_long_term(bridge)                       # all kinds of links
        link.sock.close()
        poll(lambda: echo.connections[0].closed.is_set(), what="the link's end")
        check_long_term(bridge)
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (bridge.pid, name), "rb") as f:
                text = f.read()
            assert KEY.hex().encode() not in text
            assert SEED.hex().encode() not in text


def closed_on(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
    sock.close()


def assert_gone(pid, needles, what):
    """Soon: a link ends when its worker hears of it."""
    seen = {}

    def gone():
        seen.clear()
        seen.update(Image(pid, needles).there())
        return not seen

    try:
        poll(gone, what="the keys of a link to go")
    except AssertionError:
        raise AssertionError("%s: %s" % (what, seen)) from None


@pytest.mark.parametrize("how", ["eof", "reset"])
def test_link_keys_of_a_server_end_with_the_link(tmp_path, how):
    with EchoServer() as echo, \
            by_variable(tmp_path / "bridge", echo.port) as bridge:
        # Opened, and nothing said.
        hello, link = watched_link(bridge)
        alive = hello.needles(link)
        assert Image(bridge.pid, alive).count("down length state") > 0, \
            "the model does not know the keys, so it would find nothing"
        closed_on(link.sock, how)
        assert_gone(bridge.pid, alive, "opened")

        # Used, in both directions, for many frames.
        hello, link = watched_link(bridge)
        data = pattern(200000)
        link.send(data)
        assert link.read(len(data)) == data
        alive = hello.needles(link)
        closed_on(link.sock, how)
        assert_gone(bridge.pid, alive, "used")

        # In the middle of a frame.
        hello, link = watched_link(bridge)
        link.sock.sendall(link.out.burst(pattern(4000))[:-100])
        poll(lambda: len(echo.connections) == 3 and
             echo.connections[2].n_read > 2000, what="what is whole")
        closed_on(link.sock, how)
        assert_gone(bridge.pid, hello.needles(link), "in a frame")


def test_link_keys_of_a_server_do_not_outlive_a_broken_frame(tmp_path):
    """The connection is kept open for a while; its keys are not."""
    with EchoServer() as echo, \
            by_variable(tmp_path / "bridge", echo.port) as bridge:
        hello, link = watched_link(bridge)
        frame = bytearray(link.out.seal(bytes(1000)))
        frame[500] ^= 1
        link.sock.sendall(frame)
        assert_gone(bridge.pid, hello.needles(link), "a broken frame")


def test_what_a_handshake_needed_is_gone_when_it_is_open(tmp_path):
    """Shared secrets and the keys as they were derived: only what frames need stays."""
    with EchoServer() as echo, \
            by_variable(tmp_path / "bridge", echo.port) as bridge:
        hello, link = watched_link(bridge)
        link.send(b"ping")
        assert link.read(4) == b"ping"
        needles = {what: needle for what, needle in hello.needles(link).items()
                   if "subkey" not in what and "state" not in what}
        assert_gone(bridge.pid, needles, "open")


class WatchedBridge(ModelBridge):
    """A bridge that remembers what it agreed on with its clients."""

    def __init__(self, **how):
        self.agreed = []
        super().__init__(**how)
        bridge = self

        class Told(model.Identity):
            def reply(self, hello, pad=300, skew=0):
                out = super().reply(hello, pad, skew)
                bridge.agreed.append(out[1:])
                return out

        told = Told()
        self.identity = told

    def needles(self, i=0):
        into, out = self.agreed[i]
        found = {}
        for name, way in (("up", into), ("down", out)):
            found[name + " key"] = way.key
            found[name + " subkey"] = model.hsalsa(way.key, way.prefix)
            found[name + " length state"] = struct.pack("<4Q", *way.masks.v)
        return found


@pytest.mark.parametrize("change", [None, 33, -1, -20],
                         ids=["good", "auth", "mac", "mark"])
def test_link_keys_of_a_client_end_with_the_link(tmp_path, change):
    """Also where the bridge's answer was wrong, so that none should come to be."""
    with WatchedBridge(change=change, pad=8051 if change == -20 else 300) as bridge, \
            Ptah(client_start(tmp_path)) as p:
        sock, code, _ = dial(p, bridge.where, bridge.identity.cert)
        assert code == (0 if change is None else 1)
        if change is None:
            data = pattern(100000)
            sock.sendall(data)
            got = b""
            while len(got) < len(data):
                got += sock.recv(65536)
            assert Image(p.pid, bridge.needles()).count("up subkey") > 0
            bridge.connections[0].sock.shutdown(socket.SHUT_RDWR)
            assert sock.recv(1) == b""
        assert_gone(p.pid, bridge.needles(), "closed")


# --- passwords -----------------------------------------------------------------

needs_shadow = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "shadow.so")),
    reason="built without shadow")
PASSWORD = "correct-horse-Battery_staple"


def shadow_server(path, port, how):
    if how == "variable":
        return server_start(path, port).change(
            TOR_PT_SERVER_TRANSPORTS="shadow",
            TOR_PT_SERVER_BINDADDR="shadow-127.0.0.1:0",
            TOR_PT_SERVER_TRANSPORT_OPTIONS="shadow:password=" + PASSWORD)
    flags = F3S(port, transport="shadow").plus("-state", str(path))
    text = '{"password": "%s"}' % PASSWORD
    if how == "flag":
        return flags.plus("-options", text)
    if how == "flag=":
        return flags.plus("--options=" + text)
    (path.parent / "options").write_text(text)
    os.chmod(path.parent / "options", 0o600)
    return flags.plus("-optionsFile", str(path.parent / "options"))


@needs_shadow
@pytest.mark.parametrize("how", ["variable", "flag", "flag=", "file"])
def test_a_password_is_there_once_or_for_one_link(tmp_path, how):
    """The server has its own in locked memory; the client's came by SOCKS."""
    needles = {"password": PASSWORD.encode()}
    with EchoServer() as echo, \
            Ptah(shadow_server(tmp_path / "s", echo.port, how)) as server, \
            Ptah(client_start(tmp_path).change(
                TOR_PT_CLIENT_TRANSPORTS="shadow")) as client:
        server.wait_done()
        image = Image(server.pid, needles)
        assert image.count("password") == 1
        flags = flags_at(server.pid, image.found["password"][0][0])
        assert "dd" in flags and "lo" in flags
        sock, code, _ = dial(client, server.address("shadow"),
                             text="password=" + PASSWORD, name="shadow")
        assert code == 0
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"
        assert Image(server.pid, needles).count("password") <= 1
        sock.close()
        poll(lambda: echo.connections[0].closed.is_set(), what="the end")
        assert_gone(client.pid, needles, "a client's link")


@needs_shadow
@pytest.mark.parametrize("text", [
    "password=%s;cipherName=none" % PASSWORD, "password=%s;junk" % PASSWORD],
    ids=["cipher", "text"])  # of its own, or it stands in our environment
def test_a_password_that_was_refused_is_gone(tmp_path, text):
    with Ptah(client_start(tmp_path).change(
            TOR_PT_CLIENT_TRANSPORTS="shadow")) as p:
        sock, code, status = dial(p, ("127.0.0.1", 9), text=text, name="shadow")
        assert code == 1 or status == b"\1\1"
        sock.close()
        assert_gone(p.pid, {"password": PASSWORD.encode()}, text)


def test_the_words_of_a_proxy_are_hidden(tmp_path):
    """Everybody on the machine may read the words that a program was started with."""
    uri = "socks5://user:%s@127.0.0.1:9" % PASSWORD
    by_variable = client_start(tmp_path).change(TOR_PT_PROXY=uri)
    by_flag = client_start(tmp_path).change(
        TOR_PT_MANAGED_TRANSPORT_VER="2.1").plus("-proxy", uri)
    for start in (by_variable, by_flag):
        with Ptah(start) as p:
            p.wait_done()
            for name in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (p.pid, name), "rb") as f:
                    assert PASSWORD.encode() not in f.read()


@needs_shadow
def test_what_a_password_makes_ends_with_the_handshake(tmp_path):
    """Links that are open have keys of their own, and no other."""
    master, last = b"", b""
    while len(master) < 32:
        last = hashlib.md5(last + PASSWORD.encode()).digest()
        master += last
    with EchoServer() as echo, \
            Ptah(shadow_server(tmp_path / "s", echo.port, "flag")) as server, \
            Ptah(client_start(tmp_path).change(
                TOR_PT_CLIENT_TRANSPORTS="shadow")) as client:
        socks = []
        for _ in range(3):
            sock, code, _ = dial(client, server.address("shadow"),
                                 text="password=" + PASSWORD, name="shadow")
            assert code == 0
            sock.sendall(b"hello")
            assert sock.recv(5) == b"hello"
            socks.append(sock)
        for p in (server, client):
            assert_gone(p.pid, {"master": master[:32]}, "open links")
        for sock in socks:
            sock.sendall(b"again")
            assert sock.recv(5) == b"again"


# --- ScrambleSuit ----------------------------------------------------------------

needs_scramblesuit = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "scramblesuit.so")),
    reason="built without scramblesuit")
B32 = "WCWGC5UQTYHT4MDUDO66TYRFACA3TUQZ"


class ScrambleBridge(Ptah):
    def __init__(self, path, port, **changes):
        super().__init__(server_start(path, port).change(
            TOR_PT_SERVER_TRANSPORTS="scramblesuit",
            TOR_PT_SERVER_BINDADDR="scramblesuit-127.0.0.1:0", **changes))
        self.state = path

    def __enter__(self):
        super().__enter__()
        self.wait_done()
        self.where = self.address("scramblesuit")
        return self

    def link(self):
        hello = scramblemodel.Hello(B32)
        sock = connect(self.where)
        sock.settimeout(10)
        sock.sendall(hello.bytes)
        hello.read_answer(sock)
        return hello, sock

    def long_term(self):
        """Raw, and as the files and the parent have it."""
        with open(self.state / "scramblesuit_state.json") as f:
            state = json.load(f)
        needles = {"secret": base64.b32decode(B32)}
        for name, key in (("aes", "ticket-aes-key"),
                          ("mac", "ticket-hmac-key")):
            needles[name] = bytes.fromhex(state[key])
            needles[name + " text"] = state[key].encode()
        return needles


def scramble_keys(hello):
    """What opens a link, in either direction, and what it was made of."""
    return {"shared": hello.shared, "master": hello.master,
            "up": hello.keys[:32], "down": hello.keys[40:72],
            "up mac": hello.keys[80:112], "down mac": hello.keys[112:144]}


@needs_scramblesuit
@pytest.mark.parametrize("again", [False, True], ids=["option", "state"])
def test_a_bridges_keys_of_tickets_are_in_locked_memory(tmp_path, again):
    """Those of the home, and of each worker that had a link; the secret once."""
    option = "scramblesuit:password=" + B32
    with EchoServer() as echo:
        with ScrambleBridge(tmp_path / "b", echo.port,
                            TOR_PT_SERVER_TRANSPORT_OPTIONS=option) as bridge:
            bridge.finish()
        how = {} if again else {"TOR_PT_SERVER_TRANSPORT_OPTIONS": option}
        with ScrambleBridge(tmp_path / "b", echo.port, **how) as bridge:
            socks = [bridge.link()[1] for _ in range(8)]
            needles = bridge.long_term()
            image = Image(bridge.pid, needles)
            assert image.there(leave=("secret", "aes", "mac")) == {}
            assert image.count("secret") == 1
            # by the home, and by all workers at most
            assert 2 <= image.count("aes") <= 1 + len(os.sched_getaffinity(0))
            assert image.count("mac") == image.count("aes")
            for what in ("secret", "aes", "mac"):
                for at, _ in image.found[what]:
                    flags = flags_at(bridge.pid, at)
                    assert "dd" in flags and "lo" in flags, what
            for sock in socks:
                sock.close()


@needs_scramblesuit
@pytest.mark.parametrize("how", ["eof", "reset"])
def test_link_keys_of_a_scramblesuit_bridge(tmp_path, how):
    """Secrets of the handshake go when it is over, keys with the link."""
    option = "scramblesuit:password=" + B32
    with EchoServer() as echo, ScrambleBridge(
            tmp_path / "b", echo.port,
            TOR_PT_SERVER_TRANSPORT_OPTIONS=option) as bridge:
        hello, sock = bridge.link()
        keys = scramble_keys(hello)
        assert_gone(bridge.pid, {name: keys[name] for name in
                                 ("shared", "master")}, "open")
        image = Image(bridge.pid, keys)
        assert all(image.count(name) > 0 for name in
                   ("up", "down", "up mac", "down mac")), \
            "the model does not know the keys, so it would find nothing"
        closed_on(sock, how)
        assert_gone(bridge.pid, keys, how)
