# SPDX-License-Identifier: BSD-3-Clause
"""When obfs4 gives up: each limit as long as it is, so a minute for all of
them together.
"""

import os
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
    os.pardir, "program"))

import obfs4model as model  # noqa: E402
from conftest import need  # noqa: E402
from pair import Client, Server, program_path, socks_args  # noqa: E402
from servers import hang_up  # noqa: E402

HELLO_S, CLIENT_S, LEAST_S = 30, 60, 60
WATCHED_S = 61
# A busy machine is late; no probe is to differ from another by more.
LATE_S = 1.5
# What is further apart than that was not ours: the machine stood still.
STILL_S = 0.2
HOUR_S = 3600


def wait_for_an_hour_that_lasts():
    """A hello for the hour after the next is one for the next when the hour turns before it is read."""
    left = HOUR_S - time.time() % HOUR_S
    if left < 20:
        time.sleep(left)


def close_delay(seed):
    """What obfs4proxy adds to 30 s: the first draw below 60."""
    masks = model.Masks(seed)
    masks.next()
    block = struct.pack("<Q", masks.last)
    drawn = (int.from_bytes(block, "big") & (1 << 63) - 1) >> 32
    assert drawn <= (1 << 31) - 1 - (1 << 31) % 60  # else it draws again
    return drawn % 60


def early_seed():
    for n in range(1000):
        seed = struct.pack("<3Q", n, n * n, 7)
        if close_delay(seed) == 2:
            return seed
    raise AssertionError("no such seed")


def test_obfs_107_the_model_knows_the_delays():
    for seed, delay in [
            ("000102030405060708090a0b0c0d0e0f1011121314151617", 24),
            ("00" * 24, 55),
            ("c51106c816dbc463bdda29abf457cc9478a0f427d228ca10", 18)]:
        assert close_delay(bytes.fromhex(seed)) == delay


def probes(cert):
    wait_for_an_hour_that_lasts()
    wrong_mac = bytearray(model.Hello(cert).bytes)
    wrong_mac[-1] ^= 1
    return {
        "nothing": b"", "50 bytes": os.urandom(50),
        "8191 bytes": os.urandom(8191), "8192 bytes": os.urandom(8192),
        "100 kB": os.urandom(100000), "a wrong MAC": bytes(wrong_mac),
        "two hours ago": model.Hello(cert, skew=-2).bytes,
        "two hours ahead": model.Hello(cert, skew=2).bytes,
        "one byte too many": model.Hello(cert).bytes + b"x",
        "a key of zeros": model.Hello(cert, zero=0).bytes,
        "an endless stream": b"",
    }


class Probe:
    """One connection, from its birth to its end."""

    def __init__(self, address, name, data):
        self.name, self.ended, self.how = name, None, "open"
        self.born = time.monotonic()
        self.sock = socket.create_connection(address)
        self.sock.setblocking(False)
        self.rest = data

    def turn(self):
        if self.ended is not None:
            return
        try:
            got = self.sock.recv(100)
            self.how = "a byte" if got else "FIN"
        except BlockingIOError:
            self.speak()
            return
        except OSError:
            self.how = "RST"
        self.ended = time.monotonic() - self.born

    def speak(self):
        if self.name == "an endless stream":
            self.rest = self.rest or os.urandom(2000)
        try:
            if self.rest:
                self.rest = self.rest[self.sock.send(self.rest):]
        except BlockingIOError:
            pass
        except OSError:
            pass  # recv says how it ended

    def close(self):
        self.sock.close()


class Stalled:
    """A server that accepts, reads and says nothing, or half a reply."""

    def __init__(self, says):
        self.says = says
        self.ear = socket.create_server(("127.0.0.1", 0))
        self.port = self.ear.getsockname()[1]
        self.socks = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock = self.ear.accept()[0]
            except OSError:
                return
            self.socks.append(sock)
            sock.sendall(os.urandom(self.says))

    def close(self):
        hang_up(self.ear)
        for sock in self.socks:
            sock.close()


class Dial:
    """A client that is sent to a stalled server; when it gives up."""

    def __init__(self, client, stalled):
        args = socks_args([("cert", model.Identity().cert),
            ("iat-mode", "0")]).encode()
        self.sock = socket.create_connection((client.host, client.port))
        for said, heard in ((b"\5\1\2", b"\5\2"),
                (b"\1" + bytes([len(args)]) + args + b"\1\0", b"\1\0")):
            self.sock.sendall(said)
            assert self.sock.recv(2, socket.MSG_WAITALL) == heard
        self.born = time.monotonic()
        self.sock.sendall(b"\5\1\0\1\x7f\0\0\1" + struct.pack(">H",
            stalled.port))
        self.sock.setblocking(False)
        self.ended = self.code = None

    def turn(self):
        if self.ended is None and select.select([self.sock], [], [], 0)[0]:
            self.ended = time.monotonic() - self.born
            self.code = self.sock.recv(10)[1:2]

    def close(self):
        self.sock.close()


def test_obfs_107_119_130_when_it_gives_up(house):
    """A minute: what takes 30 and 60 s is watched for as long."""
    need("obfs4proxy")
    seed = early_seed()
    ours = "node-id=%s;private-key=%s;drbg-seed=%s" % ("83" * 20, "0f" * 32,
        seed.hex())
    servers = {
        "obfs4proxy": Server(house, program_path("obfs4proxy"), "obfs4",
            "127.0.0.1:9", options=ours, name="theirs"),
        "compat": Server(house, program_path("ptah"), "obfs4", "127.0.0.1:9",
            options=ours + ";close-as-obfs4proxy=true", name="compat"),
        "ptah": Server(house, program_path("ptah"), "obfs4", "127.0.0.1:9",
            name="ptah"),
    }
    stalled = [house.add(Stalled(0)), house.add(Stalled(500))]
    clients = [Client(house, program_path(name), "obfs4", name=name + "-client")
        for name in ("ptah", "obfs4proxy")]
    seen = {name: [house.add(Probe((server.host, server.port), what, data))
        for what, data in probes(dict(server.args)["cert"]).items()]
        for name, server in servers.items()}
    dials = [house.add(Dial(client, one)) for client in clients
        for one in stalled]
    all_of_them = sum(seen.values(), []) + dials
    end = time.monotonic() + WATCHED_S + LATE_S
    last, late = time.monotonic(), LATE_S
    while last < end:
        for one in all_of_them:
            one.turn()
        time.sleep(0.02)
        now = time.monotonic()
        if now - last > STILL_S:
            late += now - last
            end += now - last
        last = now

    # Like obfs4proxy where that is wished for: at one moment, whatever came.
    due = HELLO_S + close_delay(seed)
    for name in ("obfs4proxy", "compat"):
        for probe in seen[name]:
            # obfs4proxy closes at its time, and so resets where just then something came.
            assert probe.how == "FIN" or (name, probe.name) == ("obfs4proxy",
                "an endless stream"), (name, probe.name, probe.how)
            assert due - 0.1 < probe.ended < due + late, (name, probe.name,
                probe.ended)
    # By default none before the least, and then each at a moment of its own.
    for probe in seen["ptah"]:
        assert probe.how in ("open", "FIN"), (probe.name, probe.how)
        assert probe.ended is None or probe.ended > LEAST_S - 0.1, (
            probe.name, probe.ended)
    for dial in dials:
        assert dial.code in (b"\1", b"\6")  # ptah says that it took too long
        assert CLIENT_S - 0.1 < dial.ended < CLIENT_S + late, dial.ended
