# SPDX-License-Identifier: BSD-3-Clause
"""relay.py: a small relay with a fault of your choice, to test the tests.

relay.py --to HOST:PORT [--socks] [--fault NAME] prints its own port and
carries TCP until it is ended.  With --socks it takes a SOCKS5 greeting and
request first, and drops who has not made one within five seconds.
"""

import argparse
import socket
import struct
import sys
import threading
import time

FAULTS = {
    "none": "a good relay",
    "drop": "loses one byte",
    "flip": "turns one bit",
    "repeat": "sends one piece twice",
    "swap": "exchanges two bytes",
    "extra": "adds a byte before the end of a stream",
    "full-close": "takes the end of one stream for the end of both",
    "no-eof": "never passes the end of a stream on",
    "deaf": "never passes a reset on",
    "greedy": "reads without regard for who does not",
    "patient": "never drops a slow greeting",
    "hasty": "drops a slow greeting after a second",
    "one-by-one": "serves one greeting at a time",
    "chatty": "answers a greeting that is not whole",
}

HANDSHAKE_S = 5.0
RESET = struct.pack("ii", 1, 0)


class NowAndThen:
    """Let the fault happen once in so many bytes of all links."""

    def __init__(self, every):
        self.every = every
        self.left = every
        self.lock = threading.Lock()

    def now(self, n):
        with self.lock:
            self.left -= n
            if self.left > 0:
                return False
            self.left = self.every
            return True


class Link:
    def __init__(self, relay, app, target):
        self.relay = relay
        self.ends = (app, target)
        self.lock = threading.Lock()
        self.left = 2

    def start(self):
        app, target = self.ends
        for a, b in ((app, target), (target, app)):
            pump = self.pump_greedily if self.relay.fault == "greedy" \
                else self.pump
            threading.Thread(target=pump, args=(a, b), daemon=True).start()

    def spoil(self, data):
        fault = self.relay.fault
        if len(data) > 8 and fault in ("drop", "flip", "repeat", "swap") \
                and self.relay.sometimes.now(len(data)):
            at = len(data) // 2
            if fault == "drop":
                return data[:at] + data[at + 1:]
            if fault == "flip":
                return data[:at] + bytes([data[at] ^ 4]) + data[at + 1:]
            if fault == "repeat":
                return data + data
            return data[:at] + data[at + 1:at + 2] + data[at:at + 1] \
                + data[at + 2:]
        return data

    def pump(self, a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(self.spoil(data))
            if self.relay.fault == "extra" and self.relay.sometimes.now(20000):
                b.sendall(b"x")
            if self.relay.fault == "full-close":
                self.reset()
                return
            if self.relay.fault != "no-eof":
                b.shutdown(socket.SHUT_WR)
        except OSError:
            if self.relay.fault == "deaf":
                self.relay.links.append(self)
            else:
                self.reset()
            return
        self.done()

    def pump_greedily(self, a, b):
        """Read all there is, whether 'b' takes it or not."""
        kept = []
        room = threading.Condition()

        def write():
            while True:
                with room:
                    while not kept:
                        room.wait()
                    data = kept.pop(0)
                try:
                    if data is None:
                        b.shutdown(socket.SHUT_WR)
                        return
                    b.sendall(data)
                except OSError:
                    self.reset()
                    return

        threading.Thread(target=write, daemon=True).start()
        while True:
            try:
                data = a.recv(65536)
            except OSError:
                self.reset()
                return
            with room:
                kept.append(data or None)
                room.notify()
            if not data:
                return

    def done(self):
        with self.lock:
            self.left -= 1
            if self.left > 0:
                return
        for s in self.ends:
            s.close()

    def reset(self):
        for s in self.ends:
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # The other pump may sit in recv() there; wake it up too.
                s.shutdown(socket.SHUT_RDWR)
                s.close()
            except OSError:
                pass


class Relay:
    def __init__(self, to, socks, fault):
        self.to = to
        self.socks = socks
        self.fault = fault
        self.sometimes = NowAndThen(200000)
        self.links = []
        self.turn = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def read(self, s, n, until):
        got = b""
        while len(got) < n:
            left = until - time.monotonic()
            if left <= 0:
                raise OSError("too slow")
            s.settimeout(left)
            piece = s.recv(n - len(got))
            if not piece:
                raise OSError("closed")
            got += piece
            if self.fault == "chatty" and got == b"\x05":
                s.sendall(b"\x05\xff")
        return got

    def greet(self, s):
        limit = {"patient": 1000, "hasty": 1}.get(self.fault, HANDSHAKE_S)
        until = time.monotonic() + limit
        self.read(s, self.read(s, 2, until)[1], until)
        s.sendall(b"\x05\x00")
        self.read(s, 10, until)
        s.settimeout(None)

    def serve(self, s):
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.socks and self.fault == "one-by-one":
                with self.turn:
                    self.greet(s)
            elif self.socks:
                self.greet(s)
            target = socket.create_connection(self.to)
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.socks:
                s.sendall(b"\x05\x00\x00\x01" + bytes(6))
        except OSError:
            s.close()
            return
        Link(self, s, target).start()

    def run(self):
        print(self.listener.getsockname()[1], flush=True)
        while True:
            s, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(s,),
                daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", required=True)
    parser.add_argument("--socks", action="store_true")
    parser.add_argument("--fault", default="none", choices=sorted(FAULTS))
    opt = parser.parse_args()
    host, port = opt.to.rsplit(":", 1)
    threading.stack_size(256 * 1024)
    Relay((host, int(port)), opt.socks, opt.fault).run()


if __name__ == "__main__":
    sys.exit(main())
