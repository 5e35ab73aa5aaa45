# SPDX-License-Identifier: BSD-3-Clause
"""Start ptah as a parent would, and watch what it says.

    with Ptah(F3C(srv.port).plus("-ipcLogLevel", "DEBUG")) as p:
        p.wait_done()
        host, port = p.address("dummy")

The build folder comes from PTAH_BUILD (default: the current folder);
PTAH_PROGRAM names another program, for instance an installed one.
PTAH_SLOW multiplies every time limit, for sanitizer builds.

A parent's death ends ptah, and Linux means the parent *thread*: start a
Ptah on a thread that outlives it.
"""
import collections
import json
import os
import random
import re
import selectors
import signal as signals
import socket
import subprocess
import sys
import threading
import time

BUILD = os.path.abspath(os.environ.get("PTAH_BUILD", "."))
SLOW = float(os.environ.get("PTAH_SLOW", "1"))
TEST_MODULES = os.path.join(BUILD, "tests", "modules")
MODULES = os.path.join(BUILD, "modules")
MODULE_PATH = TEST_MODULES + ":" + MODULES

PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL

SANITIZER = re.compile(
    r"ERROR: (Address|Leak|Memory)Sanitizer|runtime error:"
    r"|WARNING: ThreadSanitizer|AddressSanitizer:DEADLYSIGNAL")
PROTOCOL = re.compile(r"^[A-Z][A-Z0-9_-]*( |$)")


def program():
    """The real program (not libtool's wrapper) and the library folder."""
    named = os.environ.get("PTAH_PROGRAM")
    if named:
        return os.path.abspath(named), None
    real = os.path.join(BUILD, ".libs", "ptah")
    if os.path.exists(real):
        return real, os.path.join(BUILD, ".libs")
    return os.path.join(BUILD, "ptah"), None


def environment(env=None):
    """Ours without what would configure a PT, plus the given variables."""
    out = {k: v for k, v in os.environ.items()
           if not k.startswith(("TOR_PT_", "SS_", "PTAH_"))}
    out["PTAH_MODULE_PATH"] = MODULE_PATH
    libs = program()[1]
    if libs:
        old = out.get("LD_LIBRARY_PATH")
        out["LD_LIBRARY_PATH"] = libs + (":" + old if old else "")
    for key, value in (env or {}).items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = str(value)
    return out


class Patience:
    """So many seconds in which all could run: of a pause in which nobody did, 'STEP' counts.

    Where a machine stops for seconds, a limit by the clock is over before
    anybody could do a thing.  To be asked often.
    """

    STEP = 0.1

    def __init__(self, seconds):
        self.left = seconds * SLOW
        self.at = time.monotonic()

    def is_over(self):
        now = time.monotonic()
        self.left -= min(now - self.at, self.STEP)
        self.at = now
        return self.left <= 0


def poll(check, timeout=10, what="the condition"):
    """Ask until 'check' gives something true; fail when patience is over."""
    patience = Patience(timeout)
    over = False
    while True:
        got = check()
        if got:
            return got
        if over:
            raise AssertionError("waited %g s for %s" % (timeout, what))
        over = patience.is_over()
        time.sleep(0.01)


# --- argv and environment of section 14's conventions ---------------------

class Start:
    """Flags in order, and variables; every change gives a new Start."""

    def __init__(self, flags=(), env=None):
        self.flags = list(flags)        # (name or None, value or None)
        self.env = dict(env or {})

    @property
    def argv(self):
        out = []
        for name, value in self.flags:
            if name is not None:
                out.append("-" + name)
            if value is not None:
                out.append(value)
        return out

    def plus(self, *argv, **env):
        """Add words to the end of argv, and variables."""
        out = Start(self.flags, self.env)
        out.flags += [(None, str(word)) for word in argv]
        out.env.update({k: str(v) for k, v in env.items()})
        return out

    def minus(self, *names):
        """Drop flags (by name, with their value) and variables."""
        known = {n for n, _ in self.flags} | set(self.env)
        for name in names:
            assert name in known, name
        return Start([f for f in self.flags if f[0] not in names],
                     {k: v for k, v in self.env.items() if k not in names})

    def change(self, **values):
        """Give flags or variables other values; None drops them."""
        out = Start(self.flags, self.env)
        for key, value in values.items():
            if key.isupper():
                if value is None:
                    out.env.pop(key, None)
                else:
                    out.env[key] = str(value)
            elif value is None:
                out = out.minus(key)
            else:
                had = [i for i, f in enumerate(out.flags) if f[0] == key]
                if had:
                    out.flags[had[0]] = (key, str(value))
                else:
                    out.flags.append((key, str(value)))
        return out


def options(**values):
    return json.dumps(values)


def E1C(tmp, **changes):
    """Client by environment, PT 1."""
    return Start(env={
        "TOR_PT_MANAGED_TRANSPORT_VER": "1",
        "TOR_PT_STATE_LOCATION": str(tmp),
        "TOR_PT_CLIENT_TRANSPORTS": "dummy",
    }).change(**changes)


def E1S(tmp, echo, **changes):
    """Server by environment, PT 1; 'echo' is the port of the ORPort."""
    return Start(env={
        "TOR_PT_MANAGED_TRANSPORT_VER": "1",
        "TOR_PT_STATE_LOCATION": str(tmp),
        "TOR_PT_SERVER_TRANSPORTS": "dummy",
        "TOR_PT_SERVER_BINDADDR": "dummy-127.0.0.1:0",
        "TOR_PT_ORPORT": "127.0.0.1:%d" % echo,
        "TOR_PT_EXTENDED_SERVER_PORT": "",
    }).change(**changes)


def F3C(srv, **changes):
    """Client by flags, PT 3.0; 'srv' is the port of the PT server."""
    return Start([
        ("ptversion", "3.0"), ("client", None), ("transport", "dummy"),
        ("options", options(serverAddress="127.0.0.1:%d" % srv)),
    ]).change(**changes)


def F3S(echo, **changes):
    """Server by flags, PT 3.0; 'echo' is the port of the target."""
    return Start([
        ("ptversion", "3.0"), ("server", None), ("transport", "dummy"),
        ("bindhost", "127.0.0.1"), ("bindport", "0"),
        ("target", "127.0.0.1:%d" % echo),
    ]).change(**changes)


# --- the process ----------------------------------------------------------

class Line(str):
    """One line, without its LF; 'at' is when it was read."""

    def __new__(cls, text, at):
        out = str.__new__(cls, text)
        out.at = at
        return out


class Stream:
    def __init__(self, fd):
        self.fd = fd
        self.raw = b""
        self.rest = b""
        self.lines = []
        self.eof = False


class Ptah:
    """A running ptah, ended (and judged) when the 'with' block ends."""

    def __init__(self, argv=(), env=None, cwd=None, stdin=PIPE, argv0=None,
                 close_fds_012=False, wrapper=(), executable=None,
                 stdout=PIPE, clean_stop=True):
        variables = {}
        if isinstance(argv, Start):
            variables.update(argv.env)
            argv = argv.argv
        variables.update(env or {})
        path = executable or program()[0]
        words = list(wrapper)
        kwargs = {}
        if close_fds_012:
            words += ["/bin/sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"]
        if words:
            words += [path]
        else:
            words = [argv0 or path]
            kwargs["executable"] = path
        self.argv = words + [str(word) for word in argv]
        self.clean_stop = clean_stop
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.argv, env=environment(variables), cwd=cwd and str(cwd),
            stdin=stdin, stdout=stdout, stderr=PIPE, bufsize=0, **kwargs)
        self.pid = self.process.pid
        self._news = threading.Condition()
        self._paused = False
        self._close = False
        self._wake = os.pipe()
        self._out = Stream(
            self.process.stdout.fileno() if stdout == PIPE else None)
        self._out.eof = stdout != PIPE
        self._err = Stream(self.process.stderr.fileno())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # the reading thread

    def _read(self):
        with selectors.DefaultSelector() as sel:
            sel.register(self._wake[0], selectors.EVENT_READ)
            sel.register(self._err.fd, selectors.EVENT_READ, self._err)
            listening = False
            while not (self._out.eof and self._err.eof):
                want = not self._out.eof and not self._paused
                if want and not listening:
                    sel.register(self._out.fd, selectors.EVENT_READ, self._out)
                elif listening and not want:
                    sel.unregister(self._out.fd)
                listening = want
                for key, _ in sel.select():
                    if key.data is None:
                        os.read(self._wake[0], 100)
                        if self._close and not self._out.eof:
                            if listening:
                                sel.unregister(self._out.fd)
                                listening = False
                            self.process.stdout.close()
                            self._end(self._out)
                    elif key.data.eof:
                        continue
                    else:
                        got = os.read(key.fd, 65536)
                        if not got:
                            sel.unregister(key.fd)
                            if key.data is self._out:
                                listening = False
                            self._end(key.data)
                        else:
                            self._take(key.data, got)

    def _end(self, stream):
        with self._news:
            stream.eof = True
            self._news.notify_all()

    def _take(self, stream, got):
        now = time.monotonic()
        with self._news:
            stream.raw += got
            *whole, stream.rest = (stream.rest + got).split(b"\n")
            stream.lines += [
                Line(one.decode("utf-8", "backslashreplace"), now)
                for one in whole]
            self._news.notify_all()

    def pause_out(self):
        """Stop reading stdout, so that the pipe fills."""
        self._paused = True
        os.write(self._wake[1], b"p")

    def resume_out(self):
        self._paused = False
        os.write(self._wake[1], b"r")

    def close_out(self):
        """Close our end of stdout, as a parent that has heard enough."""
        self._close = True
        os.write(self._wake[1], b"c")
        poll(lambda: self._out.eof, what="our end of stdout to close")

    # what was said

    @property
    def out_lines(self):
        with self._news:
            return list(self._out.lines)

    @property
    def err_lines(self):
        with self._news:
            return list(self._err.lines)

    @property
    def out_bytes(self):
        return self._out.raw

    @property
    def err_bytes(self):
        return self._err.raw

    def err_protocol(self):
        """The lines of stderr that are protocol messages."""
        return [line for line in self.err_lines if PROTOCOL.match(line)]

    def out_messages(self):
        """The lines of stdout but LOG and STATUS."""
        return [line for line in self.out_lines
                if line.split(" ")[0] not in ("LOG", "STATUS")]

    def logs(self):
        return [line for line in self.out_lines if line.startswith("LOG ")]

    def wait_line(self, regex, stream="out", timeout=10, since=0):
        """The first line from number 'since' on that has 'regex' in it."""
        of = self._out if stream == "out" else self._err
        pattern = re.compile(regex)
        patience = Patience(timeout)
        with self._news:
            while True:
                for line in of.lines[since:]:
                    if pattern.search(line):
                        return line
                since = max(since, len(of.lines))
                if of.eof or patience.is_over():
                    raise AssertionError("no line %r on %s %s\n%s" % (
                        regex, stream, "before its end" if of.eof
                        else "within %g s" % timeout, self._said()))
                self._news.wait(Patience.STEP / 2)

    def wait_done(self, timeout=10):
        """Wait for the end of start-up; gives the messages on stdout."""
        self.wait_line(r"^[CS]METHODS DONE$", timeout=timeout)
        return self.out_messages()

    def methods(self):
        """name -> (protocol or None, (host, port), rest of the line)."""
        out = {}
        for line in self.out_lines:
            words = line.split(" ")
            if words[0] == "CMETHOD":
                name, proto, addr, *rest = words[1:]
            elif words[0] == "SMETHOD":
                name, addr, *rest = words[1:]
                proto = None
            else:
                continue
            assert name not in out, line
            host, port = addr.rsplit(":", 1)
            out[name] = (proto, (host.strip("[]"), int(port)), " ".join(rest))
        return out

    def address(self, name="dummy"):
        """Wait for the method line of 'name'; gives (host, port)."""
        self.wait_line(r"^[CS]METHOD %s " % re.escape(name))
        return self.methods()[name][1]

    # life and death

    def alive(self):
        return self.process.poll() is None

    def stays_alive(self, seconds=0.2):
        """True if it is still running after a while."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def exit(self, timeout=10):
        """Wait for the end and for all that was said; gives the status."""
        rc = self._wait(timeout)
        if rc is None:
            raise AssertionError("still running after %g s\n%s" % (
                timeout, self._said()))
        if not self._paused:
            self._reader.join(20 * SLOW)
            assert not self._reader.is_alive(), "a pipe is still held open"
        return rc

    def _wait(self, timeout):
        """Its status, or None if it lives on."""
        patience = Patience(timeout)
        while not patience.is_over():
            try:
                return self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                pass
        return self.process.poll()

    def signal(self, number):
        self.process.send_signal(number)

    def close_stdin(self):
        self.process.stdin.close()

    def stop(self, timeout=4):
        """End it with SIGTERM; gives the status, or None if it was dead."""
        if not self.alive():
            return None
        self.signal(signals.SIGTERM)
        rc = self._wait(timeout)
        if rc is None:
            self.process.kill()
            self.process.wait()
            return -signals.SIGKILL
        return rc

    def finish(self):
        """End it with SIGTERM and read to the end; gives the status."""
        assert self.alive(), "ended by itself\n" + self._said()
        self.signal(signals.SIGTERM)
        return self.exit(4)

    def _said(self):
        return "\n".join(
            ["$ " + " ".join(self.argv)] +
            ["out| " + line for line in self._out.lines] +
            ["err| " + line for line in self._err.lines])

    def check(self):
        """Fail on what no run may ever have said."""
        for text in (self._err.raw, self._out.raw):
            bad = SANITIZER.search(text.decode("utf-8", "replace"))
            assert not bad, self._said()
        assert b"\r" not in self._out.raw, self._said()
        assert self._close or not self._out.eof or not self._out.rest, \
            "a cut line on stdout\n" + self._said()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.resume_out()
        rc = self.stop()
        self._reader.join(20 * SLOW)
        for pipe in (self.process.stdin, self.process.stdout,
                     self.process.stderr):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:
                    pass
        if not self._reader.is_alive():
            for fd in self._wake:
                os.close(fd)
        if kind is not None:
            print(self._said(), file=sys.stderr)
            return
        self.check()
        if self.clean_stop and rc is not None:
            assert rc == 0, "SIGTERM ended it with %d\n%s" % (
                rc, self._said())


# --- the world around it --------------------------------------------------

class Connection:
    """What a server of ours saw of one connection."""

    def __init__(self, sock, peer):
        self.sock = sock
        self.peer = peer
        self.data = b""
        self.n_read = 0
        self.eof = False
        self.error = None
        self.closed = threading.Event()


class Server:
    """A TCP server on loopback with a thread for each connection."""

    def __init__(self, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port or free_port(host)))
        self.listener.listen(4096)
        self.host, self.port = self.listener.getsockname()[:2]
        self.connections = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            conn = Connection(sock, peer)
            self.connections.append(conn)
            threading.Thread(
                target=self._run, args=(conn,), daemon=True).start()

    def _run(self, conn):
        try:
            self.serve(conn)
        except OSError as error:
            conn.error = error
        finally:
            conn.sock.close()
            conn.closed.set()

    def serve(self, conn):
        raise NotImplementedError

    def wait_connections(self, n, timeout=10):
        poll(lambda: len(self.connections) >= n, timeout,
             "connection %d" % n)
        return self.connections[:n]

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for conn in self.connections:
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class EchoServer(Server):
    """Sends back what comes; keeps the first MiB for the test to see."""

    def serve(self, conn):
        while True:
            got = conn.sock.recv(65536)
            if not got:
                break
            conn.n_read += len(got)
            if len(conn.data) < 1 << 20:
                conn.data += got
            conn.sock.sendall(got)
        conn.eof = True
        conn.sock.shutdown(socket.SHUT_WR)


class SinkServer(Server):
    """Reads and answers nothing; 'greeting' is sent first."""

    def __init__(self, host="127.0.0.1", port=0, greeting=b""):
        self.greeting = greeting
        super().__init__(host, port)

    def serve(self, conn):
        if self.greeting:
            conn.sock.sendall(self.greeting)
        while True:
            got = conn.sock.recv(65536)
            if not got:
                break
            conn.n_read += len(got)
            if len(conn.data) < 1 << 20:
                conn.data += got
        conn.eof = True


# The sockets that keep the names of the last ports that free_port() gave.
_kept_ports = collections.deque(maxlen=256)


def free_port(host="127.0.0.1"):
    """A port that nobody has, for who must be told its port beforehand.

    It is none of those that the kernel gives to sockets without a wish, which
    could take it before it is used; and it is kept from the tests that run
    beside this one, by a socket of its name.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(1000):
        port = random.SystemRandom().randrange(*_ports_for_us())
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind("\0ptah-test-port-%d" % port)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(family, kind) as sock:
                    sock.bind((host, port))
        except OSError:
            name.close()
            continue
        _kept_ports.append(name)
        return port
    raise AssertionError("no port is free")


def _ports_for_us():
    """The wider part of 10000 to 65535 that the kernel leaves alone."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first, last = map(int, f.read().split())
    below, above = (10000, first), (max(last + 1, 10000), 65536)
    widest = max(below, above, key=lambda part: part[1] - part[0])
    return widest if widest[1] - widest[0] > 1000 else (10000, 65536)


def connect(address, timeout=10):
    sock = socket.create_connection(address, timeout=timeout * SLOW)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def recv_exact(sock, n):
    """n bytes, or what came before the end."""
    out = b""
    while len(out) < n:
        got = sock.recv(n - len(out))
        if not got:
            break
        out += got
    return out


def recv_all(sock):
    """Everything up to the end; a reset counts as an end."""
    out = b""
    while True:
        try:
            got = sock.recv(65536)
        except ConnectionResetError:
            return out
        if not got:
            return out
        out += got


def socks5(proxy, dest, timeout=10):
    """CONNECT without login; gives (socket, reply code)."""
    sock = connect(proxy, timeout)
    sock.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x01" +
                 socket.inet_aton(dest[0]) + dest[1].to_bytes(2, "big"))
    assert recv_exact(sock, 2) == b"\x05\x00"
    reply = recv_exact(sock, 10)
    assert len(reply) == 10 and reply[0] == 5, reply
    return sock, reply[1]


def echoes(sock, data=b"ping"):
    """Send bytes and have the same ones back."""
    sock.sendall(data)
    got = recv_exact(sock, len(data))
    assert got == data, (got, data)
    return True
