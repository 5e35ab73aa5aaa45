# SPDX-License-Identifier: BSD-3-Clause
"""servers.py: the destinations that the tests carry bytes to."""

import contextlib
import hashlib
import http.server
import random
import socket
import socketserver
import threading

_block = random.Random(0x70746168).randbytes(1 << 20)


def payload(size, seed):
    """Make 'size' bytes that differ for each seed and from place to place."""
    out = bytearray()
    n = 0
    while len(out) < size:
        out += hashlib.sha256(b"%d.%d" % (seed, n)).digest()
        at = (n * 7919) % 1000
        out += _block[at:at + 60000 + (seed * 13 + n) % 5000]
        n += 1
    return bytes(out[:size])


def digest(data):
    return hashlib.sha256(data).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET /SIZE/SEED gives payload(); PUT answers with the body's digest."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, size, seed = self.path.split("/")
        data = payload(int(size), int(seed))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        h = hashlib.sha256()
        while left > 0:
            got = self.rfile.read(min(left, 65536))
            if not got:
                return
            h.update(got)
            left -= len(got)
        text = h.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class HttpServer(http.server.ThreadingHTTPServer):
    """An HTTP server on loopback that counts what it accepts."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host="127.0.0.1"):
        self.address_family = (socket.AF_INET6 if ":" in host
            else socket.AF_INET)
        self.n_accepted = 0
        super().__init__((host, 0), _Handler)
        self.port = self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever,
            kwargs={"poll_interval": 0.1}, daemon=True)
        self.thread.start()

    def server_bind(self):
        # The base class would look its own name up in the DNS.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def get_request(self):
        got = super().get_request()
        self.n_accepted += 1
        return got

    def handle_error(self, request, client_address):
        pass

    def close(self):
        self.shutdown()
        self.server_close()


def hang_up(listener):
    """Close it, and wake who waits in accept(): it would look again at this
    number when it is interrupted, and that may be another listener's by then."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def receive(s, size):
    """So many bytes, or an error that says how many there were."""
    s.settimeout(30)
    got = bytearray()
    while len(got) < size:
        part = s.recv(min(size - len(got), 65536))
        if not part:
            raise AssertionError("ended after %d of %d bytes"
                % (len(got), size))
        got += part
    return bytes(got)


class Target:
    """Takes one connection, and does with it what 'act' says; without that it
    sends, says EOF if it has sent anything, and reads to the end."""

    def __init__(self, send=b"", act=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.send, self.act, self.got = send, act or Target.send_and_read, b""
        self.ended = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            s, _ = self.listener.accept()
        except OSError:
            return
        with s:
            s.settimeout(30)
            self.act(self, s)
        self.ended.set()

    def send_and_read(self, s):
        s.sendall(self.send)
        if self.send:
            s.shutdown(socket.SHUT_WR)
        self.read_on(s)

    def read_on(self, s):
        while True:
            part = s.recv(65536)
            if not part:
                return
            self.got += part

    def close(self):
        hang_up(self.listener)
