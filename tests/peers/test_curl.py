# SPDX-License-Identifier: BSD-3-Clause
"""curl through a PT client and a PT server, in every way that it can ask."""

import json
import threading

import pytest

from conftest import need
from curling import CurlFailed, curl, download, login, upload, url
from household import free_ports
from pair import Client, Server, socks_args
from servers import HttpServer

SIZE = 3 * 1024 * 1024 + 17


class Line:
    """A web server, a PT server before it, and a PT client."""

    def __init__(self, house, setting, host="127.0.0.1", name="", **client):
        need("curl")
        self.house = house
        shown = "[%s]" % host if ":" in host else host
        self.web = house.add(HttpServer(host))
        self.server = Server(house, setting.server, setting.transport,
            "%s:%d" % (shown, self.web.port), host, name="server" + name)
        self.client = Client(house, setting.client, setting.transport,
            name="client" + name, **client)
        self.args = socks_args(self.server.args)

    def via(self, flag):
        shown = self.client.host
        if ":" in shown:
            shown = "[%s]" % shown
        return [flag, "%s:%d" % (shown, self.client.port)]

    def both_ways(self, how, host=None, size=SIZE, seed=1):
        host = host or self.server.host
        before = self.web.n_accepted
        download(how, host, self.server.port, size, seed)
        upload(how, host, self.server.port, size, seed, self.house.folder)
        assert self.web.n_accepted == before + 2


@pytest.fixture(scope="module")
def line(shared_house, setting):
    return Line(shared_house, setting)


@pytest.fixture(scope="module")
def line3(shared_house, setting):
    setting.need_ptah_client()
    return Line(shared_house, setting, name="3", version="3.0")


@pytest.fixture(scope="module")
def line6(shared_house, setting):
    return Line(shared_house, setting, host="::1", name="6")


def auth(line):
    """The login that the transport needs, if it needs one."""
    return login(line.args) if line.args else []


def test_socks5_to_an_address(line):
    line.both_ways(line.via("--socks5") + auth(line))


def test_socks5_to_a_name(line):
    line.both_ways(line.via("--socks5-hostname") + auth(line), "localhost")


def test_socks5_without_login(line, setting):
    setting.need_no_args()
    line.both_ways(line.via("--socks5"))
    line.both_ways(line.via("--socks5-hostname"), "localhost")


@pytest.mark.parametrize("flag", ["--socks5", "--socks5-hostname"])
def test_socks5_with_arguments_as_login(line, setting, flag):
    text = line.args or socks_args([("first", "one;two"), ("second", "a\\b=c")])
    line.both_ways(line.via(flag) + login(text), seed=2)


def test_socks5_with_a_login_that_is_no_arguments_is_refused(line):
    before = line.web.n_accepted
    with pytest.raises(CurlFailed) as e:
        download(line.via("--socks5") + ["--proxy-user", "alice:secret"],
            line.server.host, line.server.port, 10, 1)
    assert e.value.rc == 97
    assert line.web.n_accepted == before


@pytest.mark.parametrize("size", [0, 1, 65536, 16 << 20])
def test_sizes(line, size):
    line.both_ways(line.via("--socks5") + auth(line), size=size, seed=3)


def test_eight_at_once(line):
    wrong = []

    def move(n):
        try:
            line_how = line.via("--socks5") + auth(line)
            host, port = line.server.host, line.server.port
            size = (1 << 20) + n * 100003
            if n % 2:
                download(line_how, host, port, size, n)
            else:
                upload(line_how, host, port, size, n, line.house.folder)
        except Exception as e:
            wrong.append("%d: %s" % (n, e))

    threads = [threading.Thread(target=move, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


@pytest.mark.parametrize("user", ["", "first=1;second=2"])
def test_socks4_to_an_address(line, setting, user):
    setting.need_ptah_client()
    how = line.via("--socks4")
    text = line.args or user
    if text:
        how += ["--proxy-user", text + ":"]
    line.both_ways(how)


@pytest.mark.parametrize("user", ["", "first=1;second=2"])
def test_socks4a_to_a_name(line, setting, user):
    setting.need_ptah_client()
    how = line.via("--socks4a")
    text = line.args or user
    if text:
        how += ["--proxy-user", text + ":"]
    line.both_ways(how, "localhost")


def test_ipv6_wire_and_target(line6):
    line6.both_ways(line6.via("--socks5") + auth(line6), "::1")


def test_dialect_3_listens_on_ipv6(shared_house, setting, line6):
    setting.need_ptah_client()
    setting.need_no_args()
    client = Client(shared_house, setting.client, setting.transport,
        version="3.0", argv=["-proxylistenhost", "::1"], name="client66")
    assert client.host == "::1"
    line6.both_ways(["--socks5", "[::1]:%d" % client.port], "::1")


def test_dialect_3_without_login(line3, setting):
    setting.need_no_args()
    line3.both_ways(line3.via("--socks5"))
    line3.both_ways(line3.via("--socks5-hostname"), "localhost")


def test_dialect_3_takes_any_login_of_an_application(line3, setting):
    setting.need_no_args()
    line3.both_ways(line3.via("--socks5") + ["--proxy-user", "alice:secret"])


def test_dialect_3_serves_no_socks4(line3):
    with pytest.raises(CurlFailed) as e:
        download(line3.via("--socks4"), line3.server.host, line3.server.port,
            10, 1)
    assert e.value.rc == 97


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_transparent_tcp(house, setting, host):
    """No SOCKS: curl speaks to the client as if it were the web server."""
    setting.need_ptah_client()
    need("curl")
    shown = "[%s]" % host if ":" in host else host
    web = house.add(HttpServer(host))
    server = Server(house, setting.server, setting.transport, "%s:%d"
        % (shown, web.port), host)
    options = dict(server.args, serverAddress="%s:%d" % (shown, server.port))
    client = Client(house, setting.client, setting.transport, version="3.0",
        argv=["-mode", "transparent-TCP", "-proxylistenhost", host,
        "-options", json.dumps(options)])
    assert (client.protocol, client.host) == ("transparent-TCP", host)
    download([], client.host, client.port, SIZE, 1)
    upload([], client.host, client.port, SIZE, 2, house.folder)
    assert web.n_accepted == 2


def test_curl_is_told_why(line, setting):
    """Nobody listens there: reply 5, connection refused."""
    setting.need_ptah_client()
    (port,) = free_ports(1)
    with pytest.raises(CurlFailed) as e:
        curl(line.via("--socks5") + auth(line) + [url("127.0.0.1", port)])
    assert e.value.rc == 97
    assert "(5)" in e.value.text
