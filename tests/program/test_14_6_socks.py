# SPDX-License-Identifier: BSD-3-Clause
"""The SOCKS listener: rows IPC-160 to IPC-219."""

import contextlib
import json
import resource
import select
import socket
import struct
import time

import pytest

import harness
import lines
import socks
from harness import E1C, F3C, Ptah
from socks import Client, reply, reply4, request, request4, userpass

JSON57 = b'{"shared-secret": "rahasia", "secrets-file": "/tmp/blob"}'

paces = pytest.mark.parametrize("bytewise", [False, True],
                                ids=["whole", "bytewise"])


@pytest.fixture
def far():
    """Where links are expected to end."""
    with lines.listen() as s:
        yield s


@pytest.fixture
def other():
    """A second place, where links may end by mistake."""
    with lines.listen() as s:
        yield s


def port_of(listener):
    return listener.getsockname()[1]


@contextlib.contextmanager
def v3(far=None, *more, **options):
    """A client in dialect 3; 'far' is its global server, None for none."""
    start = F3C(port_of(far) if far else 1)
    if far is None:
        start = start.minus("options")
    elif options:
        options["serverAddress"] = f"127.0.0.1:{port_of(far)}"
        start = start.change(options=json.dumps(options))
    with Ptah(start.plus(*socks.DEBUG, *more)) as p:
        p.wait_done()
        p.where = p.address("dummy")
        yield p


@contextlib.contextmanager
def v1(tmp_path, *more, name="dummy"):
    """A client in dialect 1, as Tor starts it."""
    start = E1C(tmp_path, TOR_PT_CLIENT_TRANSPORTS=name)
    with Ptah(start.plus(*socks.DEBUG, *more)) as p:
        p.wait_done()
        p.where = p.address(name)
        yield p


def test_ipc_160_no_method_connects_and_echoes(far):
    """Method 00 and a CONNECT give REP 00, and bytes pass both ways."""
    with v3(far) as p, Client(p.where) as c:
        c.send(b"\x05\x01\x00")
        c.expect(b"\x05\x00")
        c.send(request("127.0.0.1", port_of(far)))
        with lines.accept(far) as f:
            c.expect(bytes.fromhex("05000001000000000000"))
            lines.echo_works(c.sock, f)


@paces
def test_ipc_161_dialect_1_takes_login_before_none(tmp_path, bytewise):
    """In dialect 1 a client that offers 00 and 02 gets 02."""
    with v1(tmp_path) as p, Client(p.where, bytewise) as c:
        c.greet(b"\x00\x02", 2)


@paces
def test_ipc_162_dialect_3_takes_none_before_login(far, bytewise):
    """In dialect 3 a client that offers 00 and 02 gets 00."""
    with v3(far) as p:
        for methods in (b"\x00\x02", b"\x02\x00"):
            with Client(p.where, bytewise) as c:
                c.greet(methods, 0)


def test_ipc_163_dialect_3_serves_login_alone(far):
    """In dialect 3 a client that offers only 02 gets it, and is served."""
    with v3(far) as p, Client(p.where) as c:
        c.greet(b"\x02", 2)
        c.auth(b"k=v")
        c.send(request("127.0.0.1", port_of(far)))
        c.expect_reply(0)
        socks.told(p, k="v")


def test_ipc_164_json_block_is_preferred(far, tmp_path):
    """Method 09 beats 00 and 02 in dialect 3, wherever it stands."""
    with v3(far) as p:
        for methods in (b"\x00\x02\x09", b"\x09\x02\x00", b"\x09"):
            with Client(p.where) as c:
                c.greet(methods, 9)
    with v1(tmp_path) as p:
        for methods, chosen in ((b"\x00\x09\x02", 2), (b"\x00\x09", 9)):
            with Client(p.where) as c:
                c.greet(methods, chosen)


def test_ipc_165_unknown_methods_get_ff(tmp_path, far):
    """A client that offers only GSSAPI hears 05ff and then the end."""
    with v1(tmp_path) as p, v3(far) as q:
        for where in (p.where, q.where):
            with Client(where) as c:
                c.greet(b"\x01", 0xff)
                c.expect_end()


def test_ipc_166_no_methods_get_ff(tmp_path, far):
    """A greeting with no method at all gets 05ff and then the end."""
    with v1(tmp_path) as p, v3(far) as q:
        for where in (p.where, q.where):
            with Client(where) as c:
                c.greet(b"", 0xff)
                c.expect_end()


def test_ipc_167_private_method_behind_its_switch(far):
    """Method 80 is refused, unless -legacySocks80 is given."""
    with v3(far) as p, Client(p.where) as c:
        c.greet(b"\x80", 0xff)
        c.expect_end()
    with v3(far, "-legacySocks80") as p:
        for methods, chosen in ((b"\x80", 0x80), (b"\x00\x80", 0x80),
                                (b"\x80\x09", 9)):
            with Client(p.where) as c:
                c.greet(methods, chosen)


@paces
def test_ipc_168_two_pairs_in_the_user_name(tmp_path, far, bytewise):
    """PT 1 arguments in the user name reach the plug-in as pairs."""
    text = b"shared-secret=rahasia;secrets-file=/tmp/blob"
    assert len(text) == 0x2c
    with v1(tmp_path) as p, Client(p.where, bytewise) as c:
        c.greet(b"\x02", 2)
        c.send(b"\x01\x2c" + text + b"\x01\x00")
        c.expect(b"\x01\x00")
        c.send(request("127.0.0.1", port_of(far)))
        c.expect_reply(0)
        harness.poll(lambda: any(
            "'shared-secret'" in line and "'rahasia'" in line and
            "'secrets-file'" in line and "'/tmp/blob'" in line
            for line in p.logs() if "settings {" in line),
            what="both pairs in the settings")


def args_arrive(p, message, far, **wanted):
    """This login is accepted, and the plug-in is given these settings."""
    with Client(p.where) as c:
        c.greet(b"\x02", 2)
        c.send(message)
        c.expect(b"\x01\x00")
        c.send(request("127.0.0.1", port_of(far)))
        c.expect_reply(0)
        socks.told(p, **wanted)
        lines.accept(far).close()


def test_ipc_169_arguments_cut_in_two(far):
    """300 bytes of arguments, cut into 255 and 45, are put together."""
    value = "".join(chr(ord("a") + i * i % 26) for i in range(298))
    text = b"k=" + value.encode()
    assert len(text) == 300
    with v3(far) as p:
        args_arrive(p, userpass(text[:255], text[255:]), far, k=value)


def test_ipc_170_full_user_name_and_nul_password(far):
    """A string of exactly 255 bytes comes without the password's NUL."""
    text = b"k=" + b"z" * 253
    with v3(far) as p:
        args_arrive(p, userpass(text, b"\0"), far, k="z" * 253)


def test_ipc_171_one_byte_in_the_password(far):
    """A password of one byte that is not NUL belongs to the value."""
    text = b"k=" + b"z" * 253
    with v3(far) as p:
        args_arrive(p, userpass(text, b"x"), far, k="z" * 253 + "x")


def test_ipc_172_cut_inside_an_escape(far):
    """An escape cut between user name and password is still one byte."""
    with v3(far) as p:
        args_arrive(p, userpass(b"k=a\\", b";b"), far, k="a;b")
        text = b"k=" + b"z" * 252 + b"\\"
        args_arrive(p, userpass(text, b";"), far, k="z" * 252 + ";")


def test_ipc_173_later_equals_signs_belong_to_the_value(far):
    """The first unescaped = parts the pair."""
    with v3(far) as p:
        args_arrive(p, userpass(b"cert=abc=def"), far, cert="abc=def")


def test_ipc_174_escapes_in_a_value(far):
    """Backslash before ; \\ and = yields that byte."""
    with v3(far) as p:
        args_arrive(p, userpass(rb"k=a\;b\\c\=d"), far, k="a;b\\c=d")


@paces
def test_ipc_175_bad_arguments_are_refused(tmp_path, far, bytewise):
    """Arguments that do not parse get 0101 and the end."""
    with v1(tmp_path) as p, v3(far) as q:
        for where in (p.where, q.where):
            for text in (b"=v", b"k", b"k=v;", b"k=v\\", b"k=v;;x=y",
                         b"k=a\0b"):
                with Client(where, bytewise) as c:
                    c.greet(b"\x02", 2)
                    c.send(userpass(text))
                    c.expect(b"\x01\x01")
                    c.expect_end()


@paces
def test_ipc_176_bad_login_messages_are_refused(tmp_path, bytewise):
    """No user, no password or another version get 0101 and the end."""
    with v1(tmp_path) as p:
        for message in (b"\x01\x00\x01\x00", b"\x01\x03k=v\x00",
                        b"\x05\x03k=v\x01\x00"):
            with Client(p.where, bytewise) as c:
                c.greet(b"\x02", 2)
                c.send(message)
                c.expect(b"\x01\x01")
                c.expect_end()


def test_ipc_177_empty_value(far):
    """A value may be empty."""
    with v3(far) as p:
        args_arrive(p, userpass(b"k="), far, k="")


def test_ipc_178_repeated_key(far, other, tmp_path):
    """Of two values both are seen, and the first one is used."""
    with v3(far) as p:
        args_arrive(p, userpass(b"a=1;a=2"), far, a=["1", "2"])
    text = (f"serverAddress=127.0.0.1:{port_of(far)};"
            f"serverAddress=127.0.0.1:{port_of(other)}").encode()
    with v1(tmp_path) as p, Client(p.where) as c:
        c.greet(b"\x02", 2)
        c.auth(text)
        c.send(request("127.0.0.1", port_of(other)))
        c.expect_reply(0)
        lines.accept(far).close()
        lines.expect_nobody(other)


def test_ipc_179_plug_in_refuses_arguments(tmp_path, far):
    """Good arguments that the plug-in refuses: 0100, and later REP 01."""
    with v1(tmp_path) as p, Client(p.where) as c:
        c.greet(b"\x02", 2)
        c.auth(b"refuse=1")
        c.send(request("127.0.0.1", port_of(far)))
        c.expect_refusal(1)
        lines.expect_nobody(far)


def test_ipc_180_block_is_not_acknowledged(far):
    """After a JSON block nothing is sent until the request has come."""
    assert len(JSON57) == 0x39
    with v3(far) as p, Client(p.where) as c:
        c.greet(b"\x09", 9)
        c.send(b"\x00\x00\x00\x39" + JSON57)
        lines.expect_silence(c.sock)
        c.send(request("127.0.0.1", port_of(far)))
        c.expect_reply(0)
        socks.told(p, shared_secret="rahasia", secrets_file="/tmp/blob")


def block_at_once(far, bytewise):
    message = (b"\x05\x01\x09" + socks.block(JSON57) +
               request("127.0.0.1", port_of(far)))
    with v3(far) as p, Client(p.where, bytewise) as c:
        c.send(message)
        c.expect(b"\x05\x09" + reply(0))
        socks.told(p, shared_secret="rahasia", secrets_file="/tmp/blob")
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)


def test_ipc_181_everything_in_one_segment(far):
    """Greeting, block and request in one segment are served."""
    block_at_once(far, bytewise=False)


def test_ipc_182_one_byte_per_segment(far):
    """The same, one byte at a time."""
    block_at_once(far, bytewise=True)


def test_ipc_183_empty_block(far):
    """{} is a block without settings; spaces around it are fine."""
    with v3(far) as p:
        for text in (b"{}", b" {} \r\n\t"):
            with Client(p.where) as c:
                c.greet(b"\x09", 9)
                c.send(socks.block(text) + request("127.0.0.1", 1))
                c.expect_reply(0)


def test_ipc_184_block_too_long(far):
    """A block of 65537 bytes is refused by its length; 65536 are not."""
    with v3(far) as p:
        with Client(p.where) as c:
            c.greet(b"\x09", 9)
            c.send(b"\x00\x01\x00\x01")
            c.expect_refusal(0x10)
        text = b'{"k":"' + b"v" * (65536 - 8) + b'"}'
        assert len(text) == 65536
        with Client(p.where) as c:
            c.greet(b"\x09", 9)
            c.send(socks.block(text) + request("127.0.0.1", 1))
            c.expect_reply(0)


def test_ipc_185_huge_block_takes_no_memory(far):
    """A length of 4 GiB is refused, and the memory does not grow."""
    def huge():
        with Client(p.where) as c:
            c.greet(b"\x09", 9)
            c.send(b"\xff\xff\xff\xff" + b"{" * 30000)
            c.expect_refusal(0x10)

    # One worker, so that the first connection has made all that the others use.
    with v3(far, "-workers", "1") as p:
        huge()
        before = lines.rss_kib(p.pid)
        for _ in range(50):
            huge()
        assert lines.rss_kib(p.pid) - before < lines.slack_kib(2048)


def test_ipc_186_block_that_stays_short(far):
    """Half a block and then nothing: REP 11 when five seconds are over."""
    with v3(far) as p:
        start = time.monotonic()
        with Client(p.where) as c:
            c.greet(b"\x09", 9)
            c.send(b"\x00\x00\x00\x0a" + b'{"a":')
            c.expect_refusal(0x11)
        took = time.monotonic() - start
        assert 4 <= took <= 5 + 4 * harness.SLOW


def block_refused(p, message, rep=0x12, bytewise=False):
    with Client(p.where, bytewise) as c:
        c.greet(b"\x09", 9)
        c.send(message)
        c.expect_refusal(rep)


@paces
def test_ipc_187_length_zero(far, bytewise):
    """A block of length 0 and a request get REP 12."""
    with v3(far) as p:
        block_refused(p, b"\0\0\0\0" + request("127.0.0.1", port_of(far)),
                      bytewise=bytewise)
        lines.expect_nobody(far)


@paces
def test_ipc_188_not_json(far, bytewise):
    """A block that is no JSON and a request get REP 12."""
    with v3(far) as p:
        message = socks.block(b"}{") + request("127.0.0.1", port_of(far))
        block_refused(p, message, bytewise=bytewise)
        lines.expect_nobody(far)


def test_ipc_188_refused_block_without_a_request(far):
    """A bad block whose request does not come is refused after a second."""
    with v3(far) as p:
        start = time.monotonic()
        block_refused(p, socks.block(b"}{"))
        took = time.monotonic() - start
        assert 0.5 <= took <= 1 + 3.5 * harness.SLOW # not the five of a handshake


def test_ipc_189_not_an_object(far):
    """JSON that is no object, or has anything beside it, gets REP 12."""
    deep = b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"
    with v3(far) as p:
        for text in (b"[]", b"null", b'{"a":1}x', b'{"a":1}{}', b'"a"',
                     b'{"a":"\xff"}', b'{"a":"\xc0\x80"}',
                     b"\xef\xbb\xbf{}", b'{"a":1', b'{"a":1,}', b"   ",
                     deep):
            block_refused(p, socks.block(text) +
                          request("127.0.0.1", port_of(far)))
        lines.expect_nobody(far)
        deep = b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"
        with Client(p.where) as c:
            c.greet(b"\x09", 9)
            c.send(socks.block(deep) + request("127.0.0.1", 1))
            c.expect_reply(0)


def test_ipc_190_keys_want_their_quotes(far):
    """A block with an unquoted key gets REP 12."""
    with v3(far) as p:
        block_refused(p, socks.block(b"{shared: 1}") +
                      request("127.0.0.1", port_of(far)))


def test_ipc_191_plug_in_refuses_the_block(far, tmp_path):
    """A block that the plug-in refuses gets REP 13, in dialect 1 too."""
    with v3(far) as p, v1(tmp_path) as q:
        for one in (p, q):
            block_refused(one, socks.block(b'{"refuse":1}') +
                          request("127.0.0.1", port_of(far)), 0x13)
        lines.expect_nobody(far)


def test_ipc_192_block_overlays_the_options(far):
    """The settings of a connection are the options and, above, its own."""
    with v3(far, a="1", b="1") as p:
        with Client(p.where) as c:
            c.greet(b"\x09", 9)
            c.send(socks.block(b'{"b":"2"}') + request("127.0.0.1", 1))
            c.expect_reply(0)
            socks.told(p, a="1", b="2")
        # and the next connection knows nothing of it
        seen = len(socks.all_settings(p))
        Client(p.where).open()
        harness.poll(lambda: len(socks.all_settings(p)) > seen,
                     what="settings of the second connection")
        last = socks.all_settings(p)[-1]
        assert (last["a"], last["b"]) == ("1", "1")


def test_ipc_193_address_of_the_block_wins(far, other):
    """serverAddress of the block beats the global one."""
    text = json.dumps({"serverAddress": f"127.0.0.1:{port_of(far)}"})
    with v3(other) as p, Client(p.where) as c:
        c.greet(b"\x09", 9)
        c.send(socks.block(text.encode()) +
               request("127.0.0.1", port_of(other)))
        c.expect_reply(0)
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)
        lines.expect_nobody(other)


def test_ipc_194_dialect_3_dials_the_global_address(far, other):
    """In dialect 3 the global serverAddress beats the destination."""
    with v3(far) as p, Client(p.where) as c:
        c.open(port=port_of(other))
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)
        lines.expect_nobody(other)


def test_ipc_195_dialect_1_dials_the_destination(tmp_path, far, other):
    """In dialects 1 and 2 the destination is dialled, option or not."""
    with v1(tmp_path) as p, Client(p.where) as c:
        c.open(port=port_of(far))
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)
    start = F3C(port_of(other)).change(ptversion="2.1")
    with Ptah(start) as p, Client(p.address("dummy")) as c:
        c.open(port=port_of(far))
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)
        lines.expect_nobody(other)


def test_ipc_196_all_zero_destination(far):
    """[::]:0 means the configured server."""
    with v3(far) as p, Client(p.where) as c:
        c.open("::", 0)
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)


def test_ipc_197_nothing_to_dial(tmp_path):
    """No destination and no server: REP 13, in dialect 1 REP 01."""
    for zero in ("0.0.0.0", "::"):
        with v3() as p, Client(p.where) as c:
            c.greet(b"\x00", 0)
            c.send(request(zero, 0))
            c.expect_refusal(0x13)
        with v1(tmp_path) as p, Client(p.where) as c:
            c.greet(b"\x00", 0)
            c.send(request(zero, 0))
            c.expect_refusal(1)


def test_ipc_198_transport_that_needs_no_address(tmp_path):
    """selfaddr knows its way: an all-zero destination is fine."""
    with v1(tmp_path, name="selfaddr") as p, Client(p.where) as c:
        c.open("0.0.0.0", 0)


def test_ipc_199_port_zero(tmp_path):
    """Port 0 of a real address is refused with REP 01."""
    with v3() as p, v1(tmp_path) as q:
        for one in (p, q):
            with Client(one.where) as c:
                c.greet(b"\x00", 0)
                c.send(request("127.0.0.1", 0))
                c.expect_refusal(1)


def request_refused(p, message, rep, bytewise=False):
    with Client(p.where, bytewise) as c:
        c.greet(b"\x00", 0)
        c.send(message)
        c.expect_refusal(rep)


@paces
def test_ipc_200_only_connect(far, bytewise):
    """BIND, UDP ASSOCIATE and Tor's RESOLVE commands get REP 07."""
    with v3(far) as p:
        for cmd in (2, 3, 0xf0, 0xf1, 0):
            request_refused(p, request("127.0.0.1", port_of(far), cmd), 7,
                            bytewise)
        lines.expect_nobody(far)


@paces
def test_ipc_201_unknown_address_type(far, bytewise):
    """ATYP 05 gets REP 08."""
    with v3(far) as p:
        for atyp in (0, 2, 5, 0xff):
            request_refused(
                p, bytes([5, 1, 0, atyp]) + b"\x7f\0\0\x01\0\x50", 8,
                bytewise)


@paces
def test_ipc_202_empty_name(far, bytewise):
    """A name of length 0 gets REP 01."""
    with v3(far) as p:
        request_refused(p, b"\x05\x01\x00\x03\x00\x00\x50", 1, bytewise)


@paces
def test_ipc_203_bad_version_or_reserved_byte(far, bytewise):
    """A request of version 04 or with RSV 01 gets REP 01."""
    good = request("127.0.0.1", port_of(far))
    with v3(far) as p:
        request_refused(p, b"\x04" + good[1:], 1, bytewise)
        request_refused(p, good[:2] + b"\x01" + good[3:], 1, bytewise)
        lines.expect_nobody(far)


def test_ipc_203_truncated_request(far):
    """A request that ends too early gets REP 01."""
    with v3(far) as p, Client(p.where) as c:
        c.greet(b"\x00", 0)
        c.send(request("127.0.0.1", port_of(far))[:7])
        c.sock.shutdown(socket.SHUT_WR)
        c.expect_refusal(1)


def test_ipc_203_refusal_is_read_whatever_follows(far):
    """A refusal arrives although unread bytes were on their way."""
    with v3(far) as p:
        for _ in range(20):
            request_refused(p, request("127.0.0.1", 1, 2) + b"x" * 20000, 7)


def test_ipc_204_destination_by_name(tmp_path, far):
    """In dialect 1 localhost is dialled by its name."""
    with v1(tmp_path) as p, Client(p.where) as c:
        c.open("localhost", port_of(far))
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)


def test_ipc_205_closed_port(tmp_path):
    """A refused connection gives REP 05."""
    port = harness.free_port()
    with v1(tmp_path) as p, v3() as q:
        for one in (p, q):
            request_refused(one, request("127.0.0.1", port), 5)


def test_ipc_206_no_route(tmp_path):
    """An unreachable network gives REP 03."""
    with v1(tmp_path) as p, v3() as q:
        for one in (p, q):
            request_refused(one, request("127.255.255.255", 9), 3)


def test_ipc_206_host_unreachable_and_prohibited(tmp_path):
    """Unreachable hosts give REP 04, forbidden ones REP 02."""
    with lines.namespace() as ns:
        if ns is None:
            pytest.skip("needs root and ip netns")
        ns.ip("route", "add", "unreachable", "198.51.100.0/24")
        ns.ip("route", "add", "prohibit", "203.0.113.0/24")
        with ns.inside(), v1(tmp_path) as p:
            request_refused(p, request("198.51.100.1", 9), 4)
            request_refused(p, request("203.0.113.1", 9), 2)


def test_ipc_207_dial_timer():
    """A dial that is not answered gives REP 06 after -dialTimeout."""
    with lines.deaf_listener() as deaf, \
            v3(None, "-dialTimeout", "1") as p, Client(p.where) as c:
        c.greet(b"\x00", 0)
        start = time.monotonic()
        c.send(request("127.0.0.1", port_of(deaf)))
        c.expect_refusal(6)
        took = time.monotonic() - start
        assert 0.8 <= took <= 1 + 4 * harness.SLOW


def test_ipc_208_name_that_cannot_be(tmp_path):
    """A name with a label of 64 octets does not resolve: REP 04."""
    with v1(tmp_path) as p, v3() as q:
        for one in (p, q):
            request_refused(one, request("x" * 64 + ".example", 80), 4)


def test_ipc_209_silent_client(far):
    """Who connects and says nothing is dropped at 5 s, without a byte."""
    with v3(far) as p:
        start = time.monotonic()
        with Client(p.where) as c:
            c.expect_end()
        assert 4 <= time.monotonic() - start <= 5 + 4 * harness.SLOW


def test_ipc_210_not_socks(far, tmp_path):
    """An HTTP request is closed without a byte."""
    with v3(far) as p, v1(tmp_path) as q:
        for one in (p, q):
            for first in (b"\x47", b"GET / HTTP/1.0\r\n\r\n", b"\0", b"\x06"):
                with Client(one.where) as c:
                    start = time.monotonic()
                    c.send(first)
                    lines.expect_closed(c.sock)
                    assert time.monotonic() - start < 4.5 * harness.SLOW


def early_data(p, far, hello, answer):
    """What stands behind a request in one segment reaches the far end."""
    with Client(p.where) as c:
        c.send(hello + b"0123456789")
        with lines.accept(far) as f:
            c.expect(answer)
            lines.expect(f, b"0123456789")
            lines.echo_works(c.sock, f, b"later")


def test_ipc_211_early_data(far, tmp_path):
    """Early bytes come first at the far end, with every method."""
    there = request("127.0.0.1", port_of(far))
    ok = reply(0)
    with v3(far, "-legacySocks80") as p:
        early_data(p, far, b"\x05\x01\x00" + there, b"\x05\x00" + ok)
        early_data(p, far, b"\x05\x01\x02" + userpass(b"k=v") + there,
                   b"\x05\x02\x01\x00" + ok)
        early_data(p, far, b"\x05\x01\x09" + socks.block(b"{}") + there,
                   b"\x05\x09" + ok)
        early_data(p, far, b"\x05\x01\x80" + b'{"a":1}' + there,
                   b"\x05\x80" + ok)
        early_data(p, far, b"\x05\x01\x80" + socks.block(b'{"a":1}') + there,
                   b"\x05\x80" + ok)
    with v1(tmp_path) as p:
        early_data(p, far, request4("127.0.0.1", port_of(far)), reply4(0x5a))
        early_data(p, far, request4("0.0.0.1", port_of(far),
                                    name="localhost"), reply4(0x5a))


@paces
def test_ipc_212_socks4(tmp_path, far, bytewise):
    """In dialect 1 SOCKS4 is served; USERID carries the arguments."""
    with v1(tmp_path) as p, Client(p.where, bytewise) as c:
        c.send(request4("127.0.0.1", port_of(far), b"k=v"))
        c.expect(bytes.fromhex("005a000000000000"))
        socks.told(p, k="v")
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)


@paces
def test_ipc_213_socks4a(tmp_path, far, bytewise):
    """In dialect 1 SOCKS4a is served, by name."""
    with v1(tmp_path) as p, Client(p.where, bytewise) as c:
        c.send(b"\x04\x01" + struct.pack(">H", port_of(far)) +
               b"\0\0\0\x01\0localhost\0")
        c.expect(bytes.fromhex("005a000000000000"))
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)


@paces
def test_ipc_214_socks4_refusals(tmp_path, far, bytewise):
    """SOCKS4 refuses all that it refuses with 5b."""
    port = port_of(far)
    with v1(tmp_path) as p:
        for message in (request4("127.0.0.1", port, cmd=2),
                        request4("127.0.0.1", port, b"=v"),
                        request4("127.0.0.1", harness.free_port()),
                        request4("127.0.0.1", port, b"refuse=1")):
            with Client(p.where, bytewise) as c:
                c.send(message)
                c.expect(bytes.fromhex("005b000000000000"))
                c.expect_end()
        lines.expect_nobody(far)


def test_ipc_214_socks4_limits(tmp_path, far):
    """USERID may have 1024 bytes and DOMAIN 255, and not one more."""
    port = port_of(far)
    good = request4("127.0.0.1", port, b"k=" + b"v" * 1022)
    with v1(tmp_path) as p:
        with Client(p.where) as c:
            c.send(good)
            c.expect(reply4(0x5a))
        for bad in (request4("127.0.0.1", port, b"k=" + b"v" * 1023),
                    request4("0.0.0.1", port, name="x" * 256)):
            with Client(p.where) as c:
                c.send(bad)
                c.expect(reply4(0x5b))
                c.expect_end()


def test_ipc_215_no_socks4_in_dialect_3(far):
    """In dialect 3 SOCKS4 is closed without a byte."""
    with v3(far) as p, Client(p.where) as c:
        c.send(request4("127.0.0.1", port_of(far)))
        lines.expect_closed(c.sock)
        lines.expect_nobody(far)


def test_ipc_216_half_close(far):
    """The application ends its half; the answer still arrives."""
    data = lines.pattern(300000)
    with v3(far) as p, Client(p.where) as c:
        c.open()
        with lines.accept(far) as f:
            c.send(b"question")
            c.sock.shutdown(socket.SHUT_WR)
            assert lines.read_all(f) == b"question"
            f.sendall(data)
            f.close()
            assert lines.read_all(c.sock) == data


def test_ipc_217_thousand_half_handshakes(far):
    """1000 half-sent handshakes delay nobody and are dropped at 5 s."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2500:
        pytest.skip("needs 2500 descriptors")
    if soft != resource.RLIM_INFINITY and soft < 2500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2500, hard))
    with v3(far) as p, contextlib.ExitStack() as stack:
        before = lines.descriptors(p.pid)
        start = time.monotonic()
        half = []
        for i in range(1000):
            c = stack.enter_context(Client(p.where))
            c.send((b"\x05", b"\x05\x02\x00", b"\x05\x01\x00\x05\x01\x00\x01",
                    b"\x05\x01\x02\x01\x10k=", b"\x05\x01\x09\0\0\0\x10{",
                    )[i % 5])
            half.append(c.sock)
        for c in half:
            c.setblocking(False)
        last = time.monotonic()
        with Client(p.where) as c:
            c.open()
            with lines.accept(far) as f:
                lines.echo_works(c.sock, f)
        assert time.monotonic() - last < 4.5 * harness.SLOW
        waiting = select.epoll()
        stack.callback(waiting.close)
        by_fd = {s.fileno(): s for s in half}
        for fd in by_fd:
            waiting.register(fd, select.EPOLLIN)
        ends = {}
        while len(ends) < 1000:
            events = waiting.poll(timeout=10 * harness.SLOW)
            assert events, f"only {len(ends)} of 1000 were dropped"
            for fd, _ in events:
                try:
                    more = by_fd[fd].recv(64)
                except ConnectionResetError:
                    more = b""
                if not more:
                    waiting.unregister(fd)
                    ends[fd] = time.monotonic()
        assert min(ends.values()) - start >= 4
        assert max(ends.values()) - last <= 5 + 4 * harness.SLOW
        harness.poll(lambda: lines.descriptors(p.pid) <= before + 2,
                     what="the descriptors to be given back")


@paces
def test_ipc_218_bare_json_of_method_80(far, bytewise):
    """-legacySocks80 takes an object without a length before it."""
    with v3(far, "-legacySocks80") as p:
        for text in (b'{"a":1}', b' \n{"a":1}'):
            with Client(p.where, bytewise) as c:
                c.greet(b"\x80", 0x80)
                c.send(text + request("127.0.0.1", port_of(far)))
                c.expect_reply(0)
                socks.told(p, a=1)


@paces
def test_ipc_219_counted_json_of_method_80(far, bytewise):
    """-legacySocks80 takes an object with a length before it too."""
    with v3(far, "-legacySocks80") as p:
        with Client(p.where, bytewise) as c:
            c.greet(b"\x80", 0x80)
            c.send(b'\0\0\0\x07{"a":1}' + request("127.0.0.1", port_of(far)))
            c.expect_reply(0)
            socks.told(p, a=1)
        with Client(p.where, bytewise) as c:
            c.greet(b"\x80", 0x80)
            c.send(b"x")
            c.expect_refusal(0x12)
