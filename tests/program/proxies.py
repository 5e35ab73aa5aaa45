# SPDX-License-Identifier: BSD-3-Clause
"""proxies.py: upstream proxies that do as told, keep each byte, and relay.

    with proxies.Socks5(login=(b"tor", b"test1234")) as up:
        up.names["nowhere.invalid"] = far.getsockname()
        ...
        assert up.calls[0].heard == bytes.fromhex("...")

A proxy answers to one connection per thread.  'heard' holds what came before
the tunnel was open, so the bytes of the proxy's own protocol and no other.
"""

import contextlib
import re
import select
import socket
import struct
import threading

import harness
import lines


class Call:
    """One connection to a proxy."""

    def __init__(self):
        self.heard = b""
        self.wanted = None
        self.error = None


class Proxy:
    """What the three kinds have in common."""

    def __init__(self, host="127.0.0.1"):
        self.listener = lines.listen(host)
        self.address = lines.address(self.listener)
        self.calls = []
        self.names = {}
        self.prefix = b""
        self._socks = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self.listener.settimeout(None)
        self._thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self._lock:
            for s in self._socks:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)
        self._thread.join(lines.PATIENCE)

    def wait_call(self, n=1):
        """The n-th call, once it has come."""
        harness.poll(lambda: len(self.calls) >= n, what=f"call {n}")
        return self.calls[n - 1]

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            s.settimeout(lines.PATIENCE)
            call = Call()
            with self._lock:
                self._socks.append(s)
                self.calls.append(call)
            threading.Thread(target=self._run, args=(s, call),
                             daemon=True).start()

    def _run(self, s, call):
        with s:
            try:
                self.serve(s, call)
            except (OSError, AssertionError) as error:
                call.error = error

    def serve(self, s, call):
        """Talk the protocol; relay when it has come to a tunnel."""
        raise NotImplementedError

    def _read(self, s, call, n):
        got = lines.read(s, n)
        call.heard += got
        return got

    def _read_to_nul(self, s, call):
        text = b""
        while True:
            got = self._read(s, call, 1)
            if got == b"\0":
                return text
            text += got

    def _dial(self, call, host, port):
        call.wanted = (host, port)
        host, port = self.names.get(host, (host, port))[:2]
        far = lines.connect(host, port)
        with self._lock:
            self._socks.append(far)
        return far

    def _relay(self, a, b):
        with b:
            a.settimeout(None)
            b.settimeout(None)
            open_ends = {a: b, b: a}
            while open_ends:
                ready, _, _ = select.select(list(open_ends), [], [])
                for one in ready:
                    got = one.recv(65536)
                    if got:
                        open_ends[one].sendall(got)
                    else:
                        open_ends.pop(one).shutdown(socket.SHUT_WR)


class Socks5(Proxy):
    """SOCKS5, with a login when one is given; 'refuse' is a reply code."""

    def __init__(self, login=None, refuse=0, bound=b"\x01" + bytes(6),
                 silent=False):
        super().__init__()
        self.login = login
        self.refuse = refuse
        self.bound = bound
        self.silent = silent
        self.logins = []

    def serve(self, s, call):
        n = self._read(s, call, 2)[1]
        offered = self._read(s, call, n)
        if self.silent:
            lines.expect_closed(s)
            return
        method = 2 if self.login else 0
        if method not in offered:
            s.sendall(b"\x05\xff")
            return
        s.sendall(bytes([5, method]))
        if self.login:
            user = self._read(s, call, self._read(s, call, 2)[1])
            password = self._read(s, call, self._read(s, call, 1)[0])
            self.logins.append((user, password))
            if (user, password) != self.login:
                s.sendall(b"\x01\x01")
                return
            s.sendall(b"\x01\x00")
        atyp = self._read(s, call, 4)[3]
        if atyp == 1:
            host = socket.inet_ntoa(self._read(s, call, 4))
        elif atyp == 4:
            host = socket.inet_ntop(socket.AF_INET6, self._read(s, call, 16))
        else:
            host = self._read(s, call, self._read(s, call, 1)[0]).decode()
        port, = struct.unpack(">H", self._read(s, call, 2))
        if self.refuse:
            call.wanted = (host, port)
            s.sendall(bytes([5, self.refuse, 0]) + self.bound)
            return
        far = self._dial(call, host, port)
        s.sendall(b"\x05\x00\x00" + self.bound + self.prefix)
        self._relay(s, far)


class Socks4a(Proxy):
    """SOCKS4 and 4a; 'code' is 5a or a refusal."""

    def __init__(self, code=0x5a):
        super().__init__()
        self.code = code
        self.users = []

    def serve(self, s, call):
        head = self._read(s, call, 8)
        port, = struct.unpack(">H", head[2:4])
        self.users.append(self._read_to_nul(s, call))
        if head[4:7] == b"\0\0\0" and head[7]:
            host = self._read_to_nul(s, call).decode()
        else:
            host = socket.inet_ntoa(head[4:8])
        if self.code != 0x5a:
            call.wanted = (host, port)
            s.sendall(bytes([0, self.code]) + bytes(6))
            return
        far = self._dial(call, host, port)
        s.sendall(b"\x00\x5a" + bytes(6) + self.prefix)
        self._relay(s, far)


class Http(Proxy):
    """HTTP CONNECT; 'answer' is the status line and header to give."""

    def __init__(self, answer=b"HTTP/1.1 200 OK\r\n\r\n"):
        super().__init__()
        self.answer = answer

    def serve(self, s, call):
        while not call.heard.endswith(b"\r\n\r\n"):
            self._read(s, call, 1)
        line = call.heard.split(b"\r\n")[0].decode()
        host, port = re.fullmatch(r"CONNECT (\S+):(\d+) HTTP/1\.1",
                                  line).groups()
        if self.answer.split(b" ")[1][:1] != b"2":
            call.wanted = (host, int(port))
            s.sendall(self.answer)
            return
        far = self._dial(call, host.strip("[]"), int(port))
        s.sendall(self.answer + self.prefix)
        self._relay(s, far)
