#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ptchild.py HABIT: a transport program with one bad habit, for test_exec.py.

It offers the transport "odd": a client that speaks SOCKS5 and then echoes,
or a server that connects each client to its ORPort.  What it was told goes to
the file that ODD_NOTES names, a line of JSON each.
"""

import json
import os
import signal
import socket
import sys
import threading
import time

HABIT = sys.argv[1]
NOTES = os.environ.get("ODD_NOTES")


def note(**what):
    if NOTES:
        with open(NOTES, "a") as f:
            f.write(json.dumps(what) + "\n")


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def leave(status):
    sys.stdout.flush()
    os._exit(status)


def read(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(n - len(got))
        if not more:
            raise EOFError
        got += more
    return got


def call(s):
    """One SOCKS5 connection: note its arguments, then echo."""
    methods = read(s, read(s, 2)[1])
    if HABIT == "no-login" or 2 not in methods:
        s.sendall(b"\x05\x00")
    else:
        s.sendall(b"\x05\x02")
        user = read(s, read(s, 2)[1])
        password = read(s, read(s, 1)[0])
        note(user=user.decode("latin-1"), password=password.decode("latin-1"))
        s.sendall(b"\x01\x00")
    head = read(s, 4)
    n = {1: 4, 4: 16, 3: 0}[head[3]]
    host = read(s, n) if n else read(s, read(s, 1)[0])
    note(atyp=head[3], host=host.hex(), port=int.from_bytes(read(s, 2), "big"))
    rep = int(HABIT[6:]) if HABIT.startswith("reply-") else 0
    s.sendall(bytes([5, rep, 0, 1, 0, 0, 0, 0, 0, 0]))
    if rep == 0:
        while True:
            got = s.recv(65536)
            if not got:
                break
            s.sendall(got)
    s.close()


def client():
    listener = socket.create_server(("127.0.0.1", 0))
    where = "127.0.0.1:%d" % listener.getsockname()[1]
    if HABIT == "elsewhere":
        where = "192.0.2.1:%d" % listener.getsockname()[1]
    if HABIT == "long-line":
        say("CMETHOD odd socks5 " + "1" * 9000)
    if HABIT == "binary":
        sys.stdout.buffer.write(bytes(range(256)) * 4 + b"\n")
        sys.stdout.flush()
    say("CMETHOD odd socks5 " + where)
    say("CMETHODS DONE")
    while True:
        s = listener.accept()[0]
        threading.Thread(target=run, args=(s,), daemon=True).start()


def run(s):
    try:
        call(s)
    except (EOFError, OSError):
        s.close()


def habits():
    if HABIT == "silent":
        time.sleep(600)
    if HABIT == "dies":
        leave(7)
    if HABIT == "no-version":
        say("CMETHODS DONE")
    if HABIT == "version-2":
        say("VERSION 2")
    if HABIT == "version-error":
        say("VERSION-ERROR no-version")
        leave(1)
    if HABIT == "env-error":
        say("VERSION 1\nENV-ERROR no TOR_PT_MOOD")
        leave(1)
    if HABIT == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if HABIT == "flood":
        threading.Thread(target=flood, daemon=True).start()
    if HABIT == "talks":
        say('LOG SEVERITY=warning MESSAGE="it is \\"odd\\"\\041"')
        say("STATUS TRANSPORT=odd TYPE=mood MOOD=fine")


def flood():
    while True:
        sys.stdout.write("NOISE " + "x" * 4000 + "\n")


def stdin_ends():
    while sys.stdin.buffer.read(4096):
        pass
    if HABIT != "stubborn":
        os._exit(0)


def has_terminal():
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def main():
    note(pid=os.getpid(), argv=sys.argv[1:], env=dict(os.environ),
        fds=sorted(int(n) for n in os.listdir("/proc/self/fd")),
        pgid=os.getpgid(0), terminal=has_terminal())
    threading.Thread(target=stdin_ends, daemon=True).start()
    if HABIT not in ("silent", "dies", "no-version", "version-2",
            "version-error", "env-error"):
        say("VERSION 1")
    habits()
    if os.environ.get("TOR_PT_PROXY"):
        if HABIT == "proxy-error":
            say("PROXY-ERROR cannot")
            leave(1)
        if HABIT != "proxy-deaf":
            say("PROXY DONE")
    if HABIT == "method-error":
        say("CMETHOD-ERROR odd not today")
        say("CMETHODS DONE")
        time.sleep(600)
    client()


if __name__ == "__main__":
    main()
