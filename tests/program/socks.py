# SPDX-License-Identifier: BSD-3-Clause
"""socks.py: a SOCKS client that says, and hears, each byte.

Nothing is hidden: a test writes what goes out and names what must come back.
With bytewise=True every byte is sent as a segment of its own.
"""

import json
import socket
import struct
import time

import harness
import lines


def reply(rep):
    """The ten bytes of a SOCKS5 reply."""
    return bytes([5, rep, 0, 1, 0, 0, 0, 0, 0, 0])


def reply4(code):
    """The eight bytes of a SOCKS4 reply."""
    return bytes([0, code, 0, 0, 0, 0, 0, 0])


def userpass(user, password=b"\0"):
    """The RFC 1929 message; lengths as they come out."""
    return (bytes([1, len(user)]) + user + bytes([len(password)]) + password)


def split_args(text):
    """Cut an argument string as Tor does: 255 bytes, then the rest."""
    if len(text) <= 255:
        return userpass(text)
    return userpass(text[:255], text[255:])


def block(text):
    """A JSON parameter block with its length before it."""
    return struct.pack(">I", len(text)) + text


def request(host, port, cmd=1):
    """A SOCKS5 request; what is no literal goes as a name."""
    head = bytes([5, cmd, 0])
    for family, atyp in ((socket.AF_INET, 1), (socket.AF_INET6, 4)):
        try:
            literal = socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return head + bytes([atyp]) + literal + struct.pack(">H", port)
    name = host.encode("ascii")
    return (head + bytes([3, len(name)]) + name + struct.pack(">H", port))


def request4(host, port, user=b"", name=None, cmd=1):
    """A SOCKS4 request, or 4a when a name is given."""
    end = name.encode("ascii") + b"\0" if name is not None else b""
    return (bytes([4, cmd]) + struct.pack(">H", port) +
            socket.inet_aton(host) + user + b"\0" + end)


class Client:
    """One connection to a SOCKS listener."""

    def __init__(self, where, bytewise=False, **buffers):
        self.bytewise = bytewise
        self.spoke_at = time.monotonic()
        self.sock = lines.connect(where[0], where[1], **buffers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """Send, whole or byte by byte."""
        self.spoke_at = time.monotonic()
        try:
            lines.send(self.sock, data, self.bytewise)
        except (BrokenPipeError, ConnectionResetError):
            if not self.is_late():
                raise

    def is_late(self):
        """Is whom we speak to byte by byte gone meanwhile?

        Who is refused is listened to for a second more; who is kept from the
        processor so long in the middle of its words hears a reset.
        """
        return self.bytewise and time.monotonic() - self.spoke_at > 0.9

    def expect_end(self):
        """The end comes next, and in order."""
        if self.is_late():
            lines.expect_closed(self.sock)
        else:
            lines.expect_eof(self.sock)

    def expect(self, data):
        """These bytes come next."""
        lines.expect(self.sock, data)

    def expect_reply(self, rep):
        """A SOCKS5 reply with this code comes next."""
        got = lines.read(self.sock, 10)
        assert got == reply(rep), f"wanted REP {rep:02x}, got {got.hex()}"

    def expect_refusal(self, rep):
        """A reply with this code, then the end, readable to its last byte."""
        self.expect_reply(rep)
        self.expect_end()

    def greet(self, methods, chosen):
        """Offer methods; this one is chosen."""
        self.send(bytes([5, len(methods)]) + methods)
        self.expect(bytes([5, chosen]))

    def auth(self, text):
        """Hand over PT 1 arguments; they are accepted."""
        self.send(split_args(text))
        self.expect(b"\x01\x00")

    def open(self, host="127.0.0.1", port=1, rep=0):
        """Ask for a connection without any settings; the reply is this."""
        self.greet(b"\x00", 0)
        self.send(request(host, port))
        self.expect_reply(rep)
        return self.sock


# What the plug-in was told: the test build of dummy logs it at DEBUG.

DEBUG = ("-ipcLogLevel", "DEBUG")


def _settings_of(line):
    _, mark, text = line.partition("settings {")
    if not mark:
        return None
    text = "{" + text
    if line.startswith("LOG SEVERITY="):
        # D1 writes ' for " and / for \ (and closes the MESSAGE).
        text = text.rstrip('"').replace("'", '"').replace("/", "\\")
    return json.loads(text)


def all_settings(ptah):
    """Each settings line so far, parsed."""
    found = [_settings_of(line) for line in ptah.logs()]
    return [one for one in found if one is not None]


def told(ptah, **wanted):
    """Wait until the plug-in was given these settings, among others."""
    wanted = {k.replace("_", "-"): v for k, v in wanted.items()}

    def look():
        return [one for one in all_settings(ptah)
                if all(one.get(k) == v for k, v in wanted.items())]

    try:
        return harness.poll(look, what=f"settings {wanted}")[-1]
    except AssertionError as why:
        raise AssertionError(f"{why}; told {all_settings(ptah)}") from None
