# SPDX-License-Identifier: BSD-3-Clause
"""A PT client behind an upstream proxy: microsocks, danted, tinyproxy."""

import urllib.parse

import pytest

from conftest import need
from curling import CurlFailed, curl, download, login, upload, url
from household import free_ports, listening, wait_for
from pair import Client, Server, socks_args
from servers import HttpServer

SIZE = 2 * 1024 * 1024 + 5
USER = "tor"
PASSWORD = "t3st:12%34"


class Proxy:
    """A proxy on loopback with, or without, a login."""

    def __init__(self, house, scheme, user=None, password=None):
        self.house = house
        self.scheme = scheme
        self.user = user
        self.password = password
        (self.port,) = free_ports(1)
        self.process = house.start(self.program + str(self.port), self.argv())
        wait_for(self.program + " listens", 30, self._listens)

    def _listens(self):
        if not self.process.alive():
            raise AssertionError(self.program + " ended:\n"
                + self.process.text())
        return listening(self.port)

    def uri(self, password=None):
        login = ""
        if self.user is not None:
            login = "%s:%s@" % tuple(urllib.parse.quote(w, safe="")
                for w in (self.user, password or self.password))
        return "%s://%s127.0.0.1:%d" % (self.scheme, login, self.port)

    def saw(self, host, port):
        """Say whether the proxy's log names that destination."""
        return "%s:%d" % (host, port) in self.process.text()


class Microsocks(Proxy):
    program = "microsocks"

    def argv(self):
        argv = ["microsocks", "-i", "127.0.0.1", "-p", str(self.port)]
        if self.user is not None:
            argv += ["-u", self.user, "-P", self.password]
        return argv


class Danted(Proxy):
    program = "danted"

    def __init__(self, house, scheme, user=None, password=None, block=0):
        self.block = block
        super().__init__(house, scheme)

    def argv(self):
        path = self.house.path("danted.conf")
        rule = "from: 0.0.0.0/0 to: 0.0.0.0/0"
        with open(path, "w") as f:
            f.write("logoutput: stderr\ninternal: 127.0.0.1 port = %d\n"
                "external: lo\nclientmethod: none\nsocksmethod: none\n"
                "user.privileged: root\nuser.unprivileged: root\n"
                "client pass { %s }\n" % (self.port, rule))
            if self.block:
                f.write("socks block { %s port = %d }\n" % (rule, self.block))
            f.write("socks pass { %s log: connect }\n" % rule)
        return ["/usr/sbin/danted", "-f", path, "-p", self.house.path("pid")]

    def saw(self, host, port):
        return "%s.%d" % (host, port) in self.process.text()


class Tinyproxy(Proxy):
    program = "tinyproxy"

    def argv(self):
        path = self.house.path("tinyproxy%d.conf" % self.port)
        with open(path, "w") as f:
            f.write("Port %d\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\n"
                "MaxClients 64\nLogLevel Connect\n" % self.port)
            if self.user is not None:
                f.write('BasicAuth %s %s\n' % (self.user, self.password))
        return ["tinyproxy", "-d", "-c", path]


KINDS = {
    "microsocks": (Microsocks, "socks5", None, None),
    "microsocks-login": (Microsocks, "socks5", USER, PASSWORD),
    "danted": (Danted, "socks5", None, None),
    "tinyproxy": (Tinyproxy, "http", None, None),
    "tinyproxy-login": (Tinyproxy, "http", USER, "t3st1234"),
}


def make_proxy(house, kind):
    maker, scheme, user, password = KINDS[kind]
    need(maker.program, "curl")
    return maker(house, scheme, user, password)


def make_client(house, setting, uri, by_flag=False, name="client"):
    client = Client(house, setting.client, setting.transport, proxy=uri,
        proxy_by_flag=by_flag, name=name)
    text = client.process.text()
    assert "PROXY DONE\n" in text
    assert text.index("PROXY DONE") < text.index("CMETHOD ")
    return client


def via(client, args="", flag="--socks5"):
    return [flag, "127.0.0.1:%d" % client.port] + (login(args) if args else [])


def make_server(house, setting):
    web = house.add(HttpServer())
    return Server(house, setting.server, setting.transport,
        "127.0.0.1:%d" % web.port)


@pytest.mark.parametrize("by_flag", [False, True], ids=["env", "flag"])
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_go_through_the_proxy_whole(house, setting, kind, by_flag):
    if by_flag:
        setting.need_ptah_client()
    proxy = make_proxy(house, kind)
    server = make_server(house, setting)
    client = make_client(house, setting, proxy.uri(), by_flag)
    how = via(client, socks_args(server.args))
    download(how, server.host, server.port, SIZE, 1)
    upload(how, server.host, server.port, SIZE, 2, house.folder)
    wait_for("the proxy names the server", 30,
        lambda: proxy.saw(server.host, server.port))


@pytest.mark.parametrize("kind", ["microsocks", "microsocks-login",
    "tinyproxy", "tinyproxy-login"])
def test_a_name_reaches_the_proxy_as_a_name(house, setting, kind):
    setting.need_ptah_client()
    proxy = make_proxy(house, kind)
    server = make_server(house, setting)
    client = make_client(house, setting, proxy.uri())
    how = via(client, socks_args(server.args), "--socks5-hostname")
    download(how, "localhost", server.port, SIZE, 3)
    wait_for("the proxy names the name", 30,
        lambda: proxy.saw("localhost", server.port))


def knock(client, args, web):
    """Try to reach 'web' as if it were a PT server; say whether curl failed.

    The wire of a transport is nothing to a web server, so a failure alone
    says little: what counts is whether anybody came.
    """
    try:
        curl(via(client, args) + [url("127.0.0.1", web.port, "1/1")],
            seconds=20)
    except CurlFailed:
        return True
    return False


def some_args(house, setting):
    """Arguments that the transport takes."""
    return socks_args(make_server(house, setting).args)


@pytest.mark.parametrize("kind", ["microsocks-login", "tinyproxy-login"])
def test_a_wrong_password_reaches_nobody(house, setting, kind):
    proxy = make_proxy(house, kind)
    args = some_args(house, setting)
    web = house.add(HttpServer())
    wrong = make_client(house, setting, proxy.uri("wr0ng"), name="wrong")
    assert knock(wrong, args, web)
    assert web.n_accepted == 0
    right = make_client(house, setting, proxy.uri(), name="right")
    knock(right, args, web)
    assert web.n_accepted == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_proxy_lets_nothing_pass(house, setting, kind):
    proxy = make_proxy(house, kind)
    args = some_args(house, setting)
    web = house.add(HttpServer())
    client = make_client(house, setting, proxy.uri())
    knock(client, args, web)
    assert web.n_accepted == 1
    proxy.process.stop()
    wait_for("the proxy is gone", 30, lambda: not listening(proxy.port))
    assert knock(client, args, web)
    assert web.n_accepted == 1


def test_a_refusal_of_the_proxy_reaches_the_application(house, setting):
    """Danted's rule says no: reply 2 comes through as it is."""
    setting.need_ptah_client()
    need("danted", "curl")
    web = house.add(HttpServer())
    proxy = Danted(house, "socks5", block=web.port)
    client = make_client(house, setting, proxy.uri())
    with pytest.raises(CurlFailed) as e:
        curl(via(client, some_args(house, setting))
            + [url("127.0.0.1", web.port, "1/1")])
    assert e.value.rc == 97
    assert "(2)" in e.value.text
    assert web.n_accepted == 0
