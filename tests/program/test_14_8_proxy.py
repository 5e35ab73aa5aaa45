# SPDX-License-Identifier: BSD-3-Clause
"""The upstream proxy: rows IPC-260 to IPC-277."""

import contextlib
import socket
import struct
import time

import pytest

import harness
import lines
import proxies
from harness import E1C, F3C, Ptah
from socks import Client, request


@pytest.fixture
def far():
    """Where links are expected to end."""
    with lines.listen() as s:
        yield s


def port_of(listener):
    return listener.getsockname()[1]


@contextlib.contextmanager
def client(far, uri, *more, server=None):
    """A client with a proxy; 'server' is a serverAddress to give it."""
    start = F3C(port_of(far))
    if server is not None:
        start = start.change(options=harness.options(serverAddress=server))
    with Ptah(start.plus("-proxy", uri, *more)) as p:
        p.wait_done()
        p.where = p.address("dummy")
        yield p


def link_works(p, far):
    """A link is carried, bytes both ways, to the end of both."""
    with Client(p.where) as c:
        c.open()
        with lines.accept(far) as f:
            lines.echo_works(c.sock, f)
            c.sock.shutdown(socket.SHUT_WR)
            lines.expect_eof(f)
            f.sendall(b"last words")
            f.shutdown(socket.SHUT_WR)
            assert lines.read_all(c.sock) == b"last words"


def refused(p, rep):
    """A link is refused with this code."""
    with Client(p.where) as c:
        c.greet(b"\x00", 0)
        c.send(request("127.0.0.1", 1))
        c.expect_refusal(rep)


def test_ipc_260_proxy_is_accepted_and_left_alone(far):
    """PROXY DONE comes before the methods; the proxy sees nobody yet."""
    with lines.listen() as up:
        uri = "socks5://" + lines.address(up)
        with client(far, uri) as p:
            said = [line.split(" ")[0] + " " + line.split(" ")[1]
                    for line in p.out_messages()]
            assert said == ["VERSION 3.0", "PROXY DONE", "CMETHOD dummy",
                            "CMETHODS DONE"]
            assert p.out_messages()[1] == "PROXY DONE"
            assert p.err_protocol() == []
            lines.expect_nobody(up)


def test_ipc_261_login(tmp_path, far):
    """Tor's proxy with a login: the very bytes, and a link that works."""
    with proxies.Socks5(login=(b"tor", b"test1234")) as up:
        uri = "socks5://tor:test1234@" + up.address
        with Ptah(E1C(tmp_path, TOR_PT_PROXY=uri)) as p:
            p.wait_done()
            assert p.out_messages()[1] == "PROXY DONE"
            with Client(p.address("dummy")) as c:
                c.open(port=port_of(far))
                with lines.accept(far) as f:
                    lines.echo_works(c.sock, f)
        assert len(up.calls) == 1
        assert up.calls[0].heard == (
            bytes.fromhex("05020002" "0103746f72087465737431323334") +
            b"\x05\x01\x00\x01\x7f\0\0\x01" + struct.pack(">H", port_of(far)))


def test_ipc_261_no_login(far):
    """Without a login the greeting is 050100."""
    with proxies.Socks5() as up, client(far, "socks5://" + up.address) as p:
        link_works(p, far)
        assert up.calls[0].heard == (
            b"\x05\x01\x00" b"\x05\x01\x00\x01\x7f\0\0\x01" +
            struct.pack(">H", port_of(far)))


def test_ipc_261_ipv6_server(far):
    """An IPv6 server goes to the proxy as ATYP 04."""
    with lines.listen("::1") as far6, proxies.Socks5() as up, \
            client(far, "socks5://" + up.address,
                   server=lines.address(far6)) as p:
        link_works(p, far6)
        assert up.calls[0].heard[3:] == (
            b"\x05\x01\x00\x04" + bytes(15) + b"\x01" +
            struct.pack(">H", port_of(far6)))


def test_ipc_261_login_not_asked_for(far):
    """A proxy that answers 00 to 00 and 02 gets no login."""
    with proxies.Socks5() as up, \
            client(far, "socks5://u:p@" + up.address) as p:
        link_works(p, far)
        assert up.calls[0].heard.startswith(b"\x05\x02\x00\x02\x05\x01\x00")


def test_ipc_261_login_refused(far):
    """A proxy that refuses the login: no link, nobody at the server."""
    with proxies.Socks5(login=(b"tor", b"test1234")) as up:
        for uri in ("socks5://tor:wrong@", "socks5://"):
            with client(far, uri + up.address) as p, Client(p.where) as c:
                c.greet(b"\x00", 0)
                c.send(request("127.0.0.1", 1))
                answer = lines.read(c.sock, 10)
                assert answer[1] in (1, 2)
                lines.expect_eof(c.sock)
        lines.expect_nobody(far)


def test_ipc_261_bound_address_of_any_kind(far):
    """The proxy may name any bound address; the stream starts after it."""
    for bound in (b"\x04" + bytes(range(18)), b"\x03\x05house\x00\x50",
                  b"\x03\xff" + b"h" * 255 + b"\x00\x50"):
        with proxies.Socks5(bound=bound) as up, \
                client(far, "socks5://" + up.address) as p:
            up.prefix = b"first"
            with Client(p.where) as c:
                c.open()
                c.expect(b"first")
                with lines.accept(far) as f:
                    lines.echo_works(c.sock, f)


def test_ipc_262_empty_variable(tmp_path):
    """An empty TOR_PT_PROXY is no proxy."""
    with Ptah(E1C(tmp_path, TOR_PT_PROXY="")) as p:
        said = [line.split(" ")[0] for line in p.wait_done()]
        assert said == ["VERSION", "CMETHOD", "CMETHODS"]


def proxy_error(tmp_path, *uris):
    """Each of these ends the program, by flag and by variable."""
    said = []
    for uri in uris:
        with Ptah(F3C(1).plus("-proxy", uri)) as p:
            assert p.exit() == 69, uri
            assert p.out_messages() == ["VERSION 3.0"], uri
            line, = p.err_protocol()
            assert line.startswith("PROXY-ERROR ") and line[12:].strip()
            said.append(p.out_bytes + p.err_bytes)
        with Ptah(E1C(tmp_path, TOR_PT_PROXY=uri)) as p:
            assert p.exit() == 69, uri
            first, second = p.out_messages()
            assert first == "VERSION 1"
            assert second.startswith("PROXY-ERROR ") and second[12:].strip()
            assert p.err_protocol() == []
            said.append(p.out_bytes + p.err_bytes)
    return said


def test_ipc_263_unknown_schemes_and_missing_parts(tmp_path):
    """Other schemes, no scheme and no port are refused."""
    proxy_error(tmp_path, "socks4://1.2.3.4:1", "https://1.2.3.4:1",
                "1.2.3.4:1", "socks5://1.2.3.4", "socks5h://1.2.3.4:1",
                "socks5:1.2.3.4:1", "socks5://:1")


def test_ipc_264_malformed_addresses(tmp_path):
    """Names, port 0, a path and a query are refused."""
    proxy_error(tmp_path, "socks5://h.example:1", "http://1.2.3.4:0",
                "http://1.2.3.4:1/", "http://1.2.3.4:1?x",
                "http://1.2.3.4:1#x", "http://1.2.3.4:65536",
                "http://::1:1x")


def test_ipc_265_malformed_socks5_logins(tmp_path):
    """Half a login, an empty one and one too long are refused."""
    proxy_error(tmp_path, "socks5://u@1.2.3.4:1", "socks5://u:@1.2.3.4:1",
                "socks5://@1.2.3.4:1", "socks5://:p@1.2.3.4:1",
                "socks5://" + "u" * 256 + ":p@1.2.3.4:1",
                "socks5://u:" + "p" * 256 + "@1.2.3.4:1")


def test_ipc_266_socks4a_has_no_password(tmp_path):
    """socks4a with a password, or with a NUL in its user, is refused."""
    proxy_error(tmp_path, "socks4a://u:p@1.2.3.4:1",
                "socks4a://u%00@1.2.3.4:1", "http://a%3Ab:p@1.2.3.4:1",
                "http://a%0ab:p@1.2.3.4:1")


def test_ipc_267_scheme_in_capitals(far):
    """The scheme is written in any case."""
    with proxies.Socks5() as up, client(far, "SOCKS5://" + up.address) as p:
        assert p.out_messages()[1] == "PROXY DONE"
        link_works(p, far)
        assert len(up.calls) == 1


def test_ipc_268_percent_in_the_login(far):
    """%XX is decoded in user and password."""
    with proxies.Socks5(login=(b"a@b", b"c:d")) as up, \
            client(far, "socks5://a%40b:c%3Ad@" + up.address) as p:
        link_works(p, far)
        assert up.logins == [(b"a@b", b"c:d")]


def test_ipc_269_raw_at_in_the_user(far):
    """The last @ ends the login; a % without digits is itself."""
    with proxies.Socks5(login=(b"a@b", b"p")) as up, \
            client(far, "socks5://a@b:p@" + up.address) as p:
        link_works(p, far)
        assert up.logins == [(b"a@b", b"p")]
    with proxies.Socks5(login=(b"100%", b"%zz:x")) as up, \
            client(far, "socks5://100%:%zz:x@" + up.address) as p:
        link_works(p, far)


def test_ipc_270_http_login(far):
    """The http proxy gets Basic credentials, and this very request."""
    with proxies.Http() as up, \
            client(far, "http://tor:test1234@" + up.address) as p:
        link_works(p, far)
        there = f"127.0.0.1:{port_of(far)}"
        assert up.calls[0].heard.decode() == (
            f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n"
            "Proxy-Authorization: Basic dG9yOnRlc3QxMjM0\r\n\r\n")


def test_ipc_270_http_without_login(far):
    """No login, no Proxy-Authorization; a bare user gets its colon."""
    with proxies.Http() as up, client(far, "http://" + up.address) as p:
        link_works(p, far)
        there = f"127.0.0.1:{port_of(far)}"
        assert up.calls[0].heard.decode() == (
            f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n")
    with proxies.Http() as up, client(far, "http://tor@" + up.address) as p:
        link_works(p, far)
        assert b"\r\nProxy-Authorization: Basic dG9yOg==\r\n" in (
            up.calls[0].heard)


def test_ipc_270_http_with_ipv6_server(far):
    """An IPv6 server stands in brackets, twice."""
    with lines.listen("::1") as far6, proxies.Http() as up, \
            client(far, "http://" + up.address,
                   server=lines.address(far6)) as p:
        link_works(p, far6)
        there = f"[::1]:{port_of(far6)}"
        assert up.calls[0].heard.decode() == (
            f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n")


def test_ipc_271_http_data_behind_the_answer(far):
    """What stands behind the blank line belongs to the application."""
    for answer in (b"HTTP/1.1 200 Connection established\r\n\r\n",
                   b"HTTP/1.0 200\r\nVia: x\r\n\r\n",
                   b"HTTP/1.1 299 Fine\r\nA: " + b"b" * 12000 + b"\r\n\r\n"):
        with proxies.Http(answer) as up, \
                client(far, "http://" + up.address) as p:
            up.prefix = b"early\r\n\r\nbird"
            with Client(p.where) as c:
                c.open()
                c.expect(b"early\r\n\r\nbird")
                with lines.accept(far) as f:
                    lines.echo_works(c.sock, f)


def test_ipc_272_http_refusals(far):
    """407 and 403 give REP 02, other refusals REP 01."""
    for status, rep in ((407, 2), (403, 2), (503, 1), (302, 1), (100, 1)):
        answer = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"
        with proxies.Http(answer.encode()) as up, \
                client(far, "http://" + up.address) as p:
            refused(p, rep)
            assert len(up.calls) == 1
    lines.expect_nobody(far)


def test_ipc_272_http_nonsense(far):
    """An answer that is no HTTP, or has no end, gives REP 01."""
    for answer in (b"SSH-2.0-x 5\r\n\r\n", b"HTTP/1.1 5" + b"x" * 20000):
        with proxies.Http(answer) as up, \
                client(far, "http://" + up.address) as p:
            refused(p, 1)
    lines.expect_nobody(far)


def test_ipc_273_socks5_refusals(far):
    """Refusals 01 to 08 of a socks5 proxy go on to the application."""
    with proxies.Socks5() as up, client(far, "socks5://" + up.address) as p:
        for rep in range(1, 9):
            up.refuse = rep
            refused(p, rep)
        assert len(up.calls) == 8
        lines.expect_nobody(far)


def test_ipc_273_socks4a_refusals(far):
    """5b gives REP 01, 5c and 5d give REP 02, an IPv6 server REP 08."""
    with proxies.Socks4a() as up, client(far, "socks4a://" + up.address) as p:
        for code, rep in ((0x5b, 1), (0x5c, 2), (0x5d, 2)):
            up.code = code
            refused(p, rep)
    with proxies.Socks4a() as up, \
            client(far, "socks4a://" + up.address, server="[::1]:9") as p:
        refused(p, 8)
    lines.expect_nobody(far)


NAME = "nowhere.invalid"


def test_ipc_274_names_go_to_the_socks4a_proxy(far):
    """A name that no local resolver knows is reached through socks4a."""
    with proxies.Socks4a() as up:
        up.names[NAME] = ("127.0.0.1", port_of(far))
        with client(far, "socks4a://me@" + up.address,
                    server=f"{NAME}:443") as p:
            link_works(p, far)
        assert up.calls[0].heard == (
            b"\x04\x01\x01\xbb\0\0\0\x01me\0nowhere.invalid\0")
    with proxies.Socks4a() as up, client(far, "socks4a://" + up.address) as p:
        link_works(p, far)
        assert up.calls[0].heard == (
            b"\x04\x01" + struct.pack(">H", port_of(far)) + b"\x7f\0\0\x01\0")


def test_ipc_274_names_go_to_the_other_proxies(far):
    """The same with socks5 and http."""
    for kind, scheme in ((proxies.Socks5, "socks5"), (proxies.Http, "http")):
        with kind() as up:
            up.names[NAME] = ("127.0.0.1", port_of(far))
            with client(far, f"{scheme}://{up.address}",
                        server=f"{NAME}:443") as p:
                link_works(p, far)
            assert up.calls[0].wanted == (NAME, 443)
            if scheme == "socks5":
                assert up.calls[0].heard[3:] == (
                    b"\x05\x01\x00\x03\x0fnowhere.invalid\x01\xbb")


def test_ipc_274_no_query_leaves_the_host(far, tmp_path):
    """With a proxy nothing is asked of a name server, for any name."""
    with lines.namespace() as ns:
        if ns is None:
            pytest.skip("needs root and ip netns")
        ns.ip("route", "add", "default", "dev", "lo")
        with ns.inside(), lines.listen() as there, proxies.Socks5() as up:
            up.names[NAME] = there.getsockname()
            # Whatever resolv.conf says: what is sent to port 53 is seen.
            with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                               socket.htons(3)) as ear:
                ear.setblocking(False)
                with client(there, "socks5://" + up.address,
                            server=f"{NAME}:443") as p:
                    with Client(p.where) as c:
                        c.open()
                        c.send(b"x")
                        harness.poll(lambda: up.calls and up.calls[0].wanted,
                                     what="the proxy to be asked")
                heard = []
                with contextlib.suppress(BlockingIOError):
                    while True:
                        data, origin = ear.recvfrom(65536)
                        if len(data) > 28 and data[9] == 17 and (
                                data[22:24] == b"\0\x35"):
                            heard.append((origin, data))
                assert not heard


def test_ipc_275_proxy_port_closed(far):
    """When the proxy is away the link fails; nothing goes direct."""
    port = harness.free_port()
    for scheme in ("socks5", "socks4a", "http"):
        with client(far, f"{scheme}://127.0.0.1:{port}") as p, \
                Client(p.where) as c:
            c.greet(b"\x00", 0)
            c.send(request("127.0.0.1", port_of(far)))
            assert lines.read(c.sock, 10)[:2] in (b"\x05\x01", b"\x05\x05")
            lines.expect_eof(c.sock)
    lines.expect_nobody(far)


def test_ipc_275_proxy_hangs_up(far):
    """A proxy that closes at once, or sends nonsense, fails the link."""
    for words in (b"", b"\x05", b"\x04\x00", b"\x05\x09", b"\x00\x5a\x00"):
        for scheme in ("socks5", "socks4a"):
            with lines.listen() as up, \
                    client(far, f"{scheme}://" + lines.address(up)) as p, \
                    Client(p.where) as c:
                c.greet(b"\x00", 0)
                c.send(request("127.0.0.1", port_of(far)))
                with lines.accept(up) as u:
                    u.sendall(words)
                    with contextlib.suppress(OSError):
                        u.shutdown(socket.SHUT_WR)  # it may have gone first
                    assert lines.read(c.sock, 10)[1] != 0
                    lines.expect_eof(c.sock)
    lines.expect_nobody(far)


def test_ipc_275_proxy_never_answers(far):
    """The dial timer covers the proxy's answer too: REP 06."""
    with proxies.Socks5(silent=True) as up, \
            client(far, "socks5://" + up.address, "-dialTimeout", "1") as p:
        start = time.monotonic()
        refused(p, 6)
        assert 0.8 <= time.monotonic() - start <= 1 + 4 * harness.SLOW
        lines.expect_nobody(far)


def test_ipc_276_transport_that_cannot_use_it(far):
    """nodialer is not started beside a proxy; PROXY DONE is printed."""
    with proxies.Socks5() as up:
        start = F3C(port_of(far)).minus("transport").plus(
            "-transports", "nodialer,dummy",
            "-proxy", "socks5://" + up.address)
        with Ptah(start) as p:
            said = [line.split(" ")[0] + " " + line.split(" ")[1]
                    for line in p.wait_done()]
            assert said == ["VERSION 3.0", "PROXY DONE", "CMETHOD dummy",
                            "CMETHODS DONE"]
            line, = p.err_protocol()
            assert line.startswith("CMETHOD-ERROR nodialer ")
            assert p.alive()


def test_ipc_276_without_a_proxy_it_starts(far):
    """nodialer is started when there is no proxy."""
    start = F3C(port_of(far)).change(transport="nodialer")
    with Ptah(start) as p:
        said = [line.split(" ")[0] for line in p.wait_done()]
        assert said == ["VERSION", "CMETHOD", "CMETHODS"]


def test_ipc_277_no_password_in_an_error(tmp_path):
    """No PROXY-ERROR repeats the credentials."""
    for said in proxy_error(
            tmp_path, "socks4://me:hunter2@1.2.3.4:1",
            "socks5://me:hunter2@h.example:1", "http://me:hunter2@1.2.3.4:0",
            "http://me:hunter2@1.2.3.4:1/", "socks4a://me:hunter2@1.2.3.4:1",
            "me:hunter2@1.2.3.4:1", "socks5://:hunter2@1.2.3.4:1",
            "socks5://me:hunter2" + "x" * 256 + "@1.2.3.4:1",
            "http://me%3a:hunter2@1.2.3.4:1", "socks5://me:hunter2",
            "http://me:hunter2@1.2.3.4:99999"):
        assert b"hunter2" not in said
