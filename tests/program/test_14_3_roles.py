# SPDX-License-Identifier: BSD-3-Clause
"""Roles, transports, exclusions: rows IPC-050 to IPC-109."""
import os
import re
import shutil
import socket

import pytest

from harness import (E1C, E1S, F3C, F3S, MODULES, TEST_MODULES, EchoServer,
                     Ptah, Start, connect, echoes, free_port, options, poll,
                     socks5)
from rows import (DONE, SDONE, are, client, comes_up, env_error, server)

# What `*` leaves out of the modules that are shipped.
NAMED_ONLY = {"exec", "obfs2", "obfs3", "optimizer"}


def test_ipc_050_both_roles(echo):
    """-client and -server exclude each other."""
    line = env_error(F3C(echo.port).plus("-server"))
    assert "client" in line and "server" in line


def test_ipc_051_both_roles_by_environment(state):
    """Transports of both roles in the environment are an ENV-ERROR."""
    env_error(E1C(state, TOR_PT_SERVER_TRANSPORTS="dummy"), version="1")


def test_ipc_052_client_is_the_default(echo):
    """Without -client and -server ptah is a client."""
    comes_up(F3C(echo.port).minus("client"), client())


def test_ipc_053_transport_and_transports(echo):
    """-transport and -transports exclude each other."""
    env_error(F3C(echo.port).plus("-transports", "dummy"),
              says="transports")


def test_ipc_054_no_transport():
    """A client without any transport name is an ENV-ERROR."""
    env_error(Start().plus("-ptversion", "3.0", "-client"),
              says="transport")


def test_ipc_055_empty_transports():
    """An empty list is no list."""
    env_error(Start().plus("-ptversion", "3.0", "-transports", ""),
              says="transport")


def test_ipc_056_unknown_transports():
    """An unknown name is ignored: no method, no error, alive."""
    p = comes_up(Start().plus("-ptversion", "3.0", "-transports", "ghost"),
                 ["VERSION 3.0", DONE])
    # Whoever wrote it by mistake finds it in the log.
    assert [line for line in p.err_lines if '"ghost"' in line]


def test_ipc_057_unknown_transport():
    """The same when the only name came from -transport."""
    comes_up(Start().plus("-ptversion", "3.0", "-transport", "ghost"),
             ["VERSION 3.0", DONE])


def test_ipc_058_list_with_nonsense(echo):
    """Unknown, impossible, empty and repeated names leave one method."""
    start = F3C(echo.port, transport=None,
                transports="ghost,dummy,foo-bar,,dummy")
    comes_up(start, client())


def test_ipc_059_broken_module(echo):
    """A module that cannot load is a CMETHOD-ERROR, the next one runs."""
    comes_up(F3C(echo.port, transport=None, transports="broken,dummy"),
             client(), ["CMETHOD-ERROR broken <m>"])


def test_ipc_060_broken_module_in_version_1(state):
    """The same in PT 1, with all lines on stdout, in list order."""
    comes_up(E1C(state, TOR_PT_CLIENT_TRANSPORTS="broken,dummy"),
             ["VERSION 1", "CMETHOD-ERROR broken <m>",
              "CMETHOD dummy socks5 127.0.0.1:<P>", DONE])


def names(lines, word):
    return {line.split(" ")[1] for line in lines
            if line.split(" ")[0] == word}


def test_ipc_061_every_client_module():
    """`*` is every shipped client module that is not named only."""
    shipped = {name.rsplit(".", 1)[0] for name in os.listdir(MODULES)
               if name.endswith((".so", ".json"))} - NAMED_ONLY
    assert "dummy" in shipped
    start = Start(env={"PTAH_MODULE_PATH": MODULES}).plus(
        "-ptversion", "3.0", "-transports", "*")
    with Ptah(start) as p:
        p.wait_done()
        assert p.finish() == 0
        good = names(p.out_lines, "CMETHOD")
        bad = names(p.err_protocol(), "CMETHOD-ERROR")
        assert not good & bad
        assert "dummy" in good
        assert good | bad == shipped
        assert len(p.out_lines) == len(good) + 2
        assert len(p.err_protocol()) == len(bad)


def test_ipc_061_test_modules_are_named_only():
    """`*` leaves the test modules out."""
    with Ptah(["-ptversion", "3.0", "-transports", "*"]) as p:
        p.wait_done()
        assert p.finish() == 0
        said = names(p.out_lines, "CMETHOD") | \
            names(p.err_protocol(), "CMETHOD-ERROR")
        assert not said & {"selfaddr", "nosrv", "nodialer"}


def test_ipc_061_broken_module(module_dir):
    """One that cannot be loaded is a CMETHOD-ERROR under `*` as well."""
    shutil.copy(os.path.join(MODULES, "dummy.so"), module_dir)
    shutil.copy(os.path.join(TEST_MODULES, "broken.so"), module_dir)
    start = Start(env={"PTAH_MODULE_PATH": module_dir}).plus(
        "-ptversion", "3.0", "-transports", "*")
    with Ptah(start) as p:
        p.wait_done()
        assert p.finish() == 0
        assert "dummy" in names(p.out_lines, "CMETHOD")
        assert names(p.err_protocol(), "CMETHOD-ERROR") == {"broken"}


def test_ipc_062_client_module_as_a_server():
    """A module without a server half is an SMETHOD-ERROR."""
    start = Start().plus(
        "-ptversion", "3.0", "-server", "-transports", "nosrv",
        "-bindaddr", "nosrv-127.0.0.1:0", "-target", "127.0.0.1:1")
    comes_up(start, ["VERSION 3.0", SDONE], ["SMETHOD-ERROR nosrv <m>"])


def test_ipc_063_options_twice(echo, tmp_path):
    """-options and -optionsFile exclude each other."""
    path = tmp_path / "options.json"
    path.write_text("{}")
    env_error(F3C(echo.port).plus("-optionsFile", path), says="optionsFile")


@pytest.mark.parametrize("words", [
    ["-proxylistenport", "0"], ["-proxylistenhost", "127.0.0.1"]])
def test_ipc_064_listen_address_twice(echo, words):
    """-proxylistenaddr excludes -proxylistenhost and -proxylistenport."""
    env_error(F3C(echo.port).plus("-proxylistenaddr", "127.0.0.1:0", *words),
              says="proxylistenaddr")


def test_ipc_065_listen_port(echo):
    """-proxylistenport alone chooses the port on 127.0.0.1."""
    port = free_port()
    comes_up(F3C(echo.port).plus("-proxylistenport", port),
             ["VERSION 3.0", "CMETHOD dummy socks5 127.0.0.1:%d" % port,
              DONE])


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipc_066_listen_host(echo, host):
    """-proxylistenhost takes IPv6 with and without brackets."""
    comes_up(F3C(echo.port).plus("-proxylistenhost", host),
             client(host="[::1]"))


@pytest.mark.parametrize("addr", ["localhost:0", "example.com:1"])
def test_ipc_067_listen_name(echo, addr):
    """A name is no address to listen on."""
    env_error(F3C(echo.port).plus("-proxylistenaddr", addr),
              says="proxylistenaddr")


@pytest.mark.parametrize("addr", ["127.0.0.1", "127.0.0.1:", ":80", "[::1]"])
def test_ipc_068_listen_address_in_parts(echo, addr):
    """An address without its port, or a port without its address."""
    env_error(F3C(echo.port).plus("-proxylistenaddr", addr),
              says="proxylistenaddr")


@pytest.mark.parametrize("port", ["65536", "-1", "0x50", "99999999999", "+1"])
def test_ipc_069_port_out_of_range(echo, port):
    """A port is one to five digits, up to 65535."""
    env_error(F3C(echo.port).plus("-proxylistenaddr", "127.0.0.1:" + port),
              says="proxylistenaddr")


def test_ipc_070_two_methods_one_port(echo):
    """The second transport on a fixed port is a CMETHOD-ERROR."""
    port = free_port()
    start = F3C(echo.port, transport=None, transports="dummy,nosrv")
    comes_up(start.plus("-proxylistenport", port),
             ["VERSION 3.0", "CMETHOD dummy socks5 127.0.0.1:%d" % port,
              DONE], ["CMETHOD-ERROR nosrv <m>"])


@pytest.mark.parametrize("reuse", [False, True])
def test_ipc_071_port_in_use(echo, reuse):
    """A taken port is a CMETHOD-ERROR, also where sharing is allowed."""
    with socket.socket() as taken:
        if reuse:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        addr = "127.0.0.1:%d" % taken.getsockname()[1]
        comes_up(F3C(echo.port).plus("-proxylistenaddr", addr),
                 ["VERSION 3.0", DONE], ["CMETHOD-ERROR dummy <m>"])


def test_ipc_071_port_of_another_ptah(echo):
    """Two programs never share a port, though workers do."""
    with Ptah(F3C(echo.port)) as first:
        first.wait_done()
        comes_up(F3C(echo.port).plus(
            "-proxylistenport", first.address()[1]),
            ["VERSION 3.0", DONE], ["CMETHOD-ERROR dummy <m>"])


def test_ipc_072_bindaddr_and_bindhost(echo):
    """-bindaddr excludes -bindhost, -bindport and -transport."""
    env_error(F3S(echo.port).plus("-bindaddr", "dummy-127.0.0.1:0"),
              says="bindaddr")


def test_ipc_072_bindaddr_and_transport(echo):
    """-bindaddr wants -transports."""
    env_error(F3S(echo.port).minus("bindhost", "bindport").plus(
        "-bindaddr", "dummy-127.0.0.1:0"), says="bindaddr")


def test_ipc_073_bindhost_alone(echo):
    """-bindhost needs -bindport."""
    env_error(F3S(echo.port).minus("bindport"), says="bindport")


def test_ipc_073_bindport_alone(echo):
    """-bindport needs -bindhost."""
    env_error(F3S(echo.port).minus("bindhost"), says="bindhost")


def test_ipc_074_bindhost_and_transports(echo):
    """-bindhost needs -transport; a list will not do."""
    env_error(F3S(echo.port, transport=None, transports="dummy"),
              says="bindhost")


def test_ipc_075_nowhere_to_bind(echo):
    """A PT 3 server must be told where to bind."""
    env_error(F3S(echo.port).minus("bindhost", "bindport"), says="bind")


def test_ipc_076_default_bind_address(echo, state):
    """In PT 1 the default is any address and port."""
    comes_up(E1S(state, echo.port).minus("TOR_PT_SERVER_BINDADDR"),
             server("1", host="0.0.0.0"))


def test_ipc_077_empty_bind_address(echo, state):
    """An empty variable is none."""
    comes_up(E1S(state, echo.port, TOR_PT_SERVER_BINDADDR=""),
             server("1", host="0.0.0.0"))


def by_list(echo_port, bindaddr, transports="dummy"):
    return Start().plus(
        "-ptversion", "3.0", "-server", "-transports", transports,
        "-bindaddr", bindaddr, "-target", "127.0.0.1:%d" % echo_port)


def test_ipc_078_transport_bound_twice(echo):
    """One transport has one bind address."""
    env_error(by_list(echo.port, "dummy-127.0.0.1:0,dummy-127.0.0.1:0"),
              says="bindaddr")


@pytest.mark.parametrize("entry", ["127.0.0.1:1984", "-127.0.0.1:1984"])
def test_ipc_079_bind_address_without_name(echo, entry):
    """Every entry begins with the name of its transport."""
    env_error(by_list(echo.port, entry), says="bindaddr")


def test_ipc_080_bind_name(echo):
    """A host name is no address to bind to."""
    env_error(by_list(echo.port, "dummy-example.com:1"), says="bindaddr")


def test_ipc_081_bind_entry_of_another(echo):
    """An entry for a transport that is not in the list is ignored."""
    comes_up(by_list(echo.port, "ghost-127.0.0.1:0,dummy-127.0.0.1:0"),
             server())


def test_ipc_082_bind_ipv6(echo):
    """A bracketed IPv6 address."""
    comes_up(by_list(echo.port, "dummy-[::1]:0"), server(host="[::1]"))


def test_ipc_083_bind_ipv6_bare(echo):
    """An IPv6 address without brackets, as old Tor wrote it."""
    comes_up(by_list(echo.port, "dummy-::1:0"), server(host="[::1]"))


def test_ipc_084_target_twice(echo):
    """-target excludes -targethost and -targetport."""
    env_error(F3S(echo.port).plus(
        "-targethost", "127.0.0.1", "-targetport", "1"), says="target")


def test_ipc_085_targethost_alone(echo):
    """-targethost needs -targetport."""
    env_error(F3S(echo.port).minus("target").plus(
        "-targethost", "127.0.0.1"), says="targetport")


def test_ipc_085_targetport_alone(echo):
    """-targetport needs -targethost."""
    env_error(F3S(echo.port).minus("target").plus("-targetport", "1"),
              says="targethost")


def test_ipc_086_no_target(echo):
    """A server needs a target or an Extended ORPort."""
    env_error(F3S(echo.port).minus("target"), says="target")


def test_ipc_087_extorport_instead(echo, tmp_path):
    """With an Extended ORPort the target is optional."""
    comes_up(F3S(echo.port).minus("target").plus(
        "-extorport", "127.0.0.1:1", "-authcookie", tmp_path / "c"),
        server())


def test_ipc_088_extorport_without_cookie(echo):
    """An Extended ORPort needs its cookie file."""
    env_error(F3S(echo.port).plus("-extorport", "127.0.0.1:1"),
              says="authcookie")


def test_ipc_089_cookie_without_extorport(echo, tmp_path):
    """A cookie flag alone is an ENV-ERROR."""
    env_error(F3S(echo.port).plus("-authcookie", tmp_path / "c"),
              says="extorport")


def test_ipc_090_relative_cookie(echo):
    """The cookie's path is absolute."""
    env_error(F3S(echo.port).plus(
        "-extorport", "127.0.0.1:1", "-authcookie", "rel/c"),
        says="authcookie")


def test_ipc_091_cookie_variable_alone(echo, state, tmp_path):
    """The cookie variable without the port is ignored: Tor does it."""
    comes_up(E1S(state, echo.port,
                 TOR_PT_AUTH_COOKIE_FILE=tmp_path / "c"), server("1"))


def test_ipc_092_extorport_and_udp(echo, tmp_path):
    """The Extended ORPort is for TCP modes."""
    env_error(F3S(echo.port).plus(
        "-mode", "STUN", "-extorport", "127.0.0.1:1",
        "-authcookie", tmp_path / "c"), says="extorport")


@pytest.mark.parametrize("words", [
    ["-bindport", "1"], ["-bindhost", "127.0.0.1"],
    ["-extorport", "127.0.0.1:1", "-authcookie", "/tmp/c"],
    ["-orport", "127.0.0.1:1"]])
def test_ipc_093_server_flag_on_a_client(echo, words):
    """A flag of servers is an ENV-ERROR on a client."""
    env_error(F3C(echo.port).plus(*words), says=words[0].strip("-"))


@pytest.mark.parametrize("words", [
    ["-proxy", "socks5://127.0.0.1:1"], ["-proxylistenport", "0"],
    ["-proxylistenaddr", "127.0.0.1:0"]])
def test_ipc_094_client_flag_on_a_server(echo, words):
    """A flag of clients is an ENV-ERROR on a server."""
    env_error(F3S(echo.port).plus(*words), says=words[0].strip("-"))


def test_ipc_095_variables_of_the_other_role(state):
    """Variables of the other role are not read."""
    comes_up(E1C(state, TOR_PT_SERVER_BINDADDR="garbage",
                 TOR_PT_EXTENDED_SERVER_PORT="x"), client("1"))


def test_ipc_095_variables_of_the_other_role_on_a_server(echo, state):
    """The same on a server."""
    comes_up(E1S(state, echo.port, TOR_PT_PROXY="garbage"), server("1"))


def test_ipc_096_target_on_a_client(echo):
    """A PT 3 client has serverAddress instead of a target."""
    env_error(F3C(echo.port).plus("-target", "127.0.0.1:1"),
              says="serverAddress")


def test_ipc_097_transparent_client(echo):
    """In 2.1 a client's target is where its connections go."""
    start = Start().plus(
        "-ptversion", "2.1", "-client", "-transports", "dummy",
        "-mode", "transparent-TCP", "-target", "127.0.0.1:%d" % echo.port)
    with Ptah(start) as p:
        p.wait_done()
        with connect(p.address()) as sock:
            assert echoes(sock, b"nothing but these bytes")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b""
        assert p.finish() == 0
        assert are(p.out_lines, client("2.1", proto="transparent-TCP"))
        assert p.err_protocol() == []
    assert echo.connections[0].data == b"nothing but these bytes"


def test_ipc_098_two_targets(tmp_path):
    """-orport and -target must not differ."""
    start = Start().plus(
        "-ptversion", "2.1", "-server", "-transports", "dummy",
        "-bindaddr", "dummy-127.0.0.1:0",
        "-orport", "127.0.0.1:1", "-target", "127.0.0.1:2")
    env_error(start, says="orport", version="2.1", cwd=tmp_path)


def test_ipc_098_one_target_twice(echo, tmp_path):
    """They may be given both when they agree."""
    addr = "127.0.0.1:%d" % echo.port
    start = Start().plus(
        "-ptversion", "2.1", "-server", "-transports", "dummy",
        "-bindaddr", "dummy-127.0.0.1:0", "-orport", addr, "-target", addr)
    with Ptah(start, cwd=tmp_path) as p:
        p.wait_done()
        with connect(p.address()) as sock:
            assert echoes(sock)


def test_ipc_099_target_repeated(echo):
    """Of one address two values are too many."""
    env_error(F3S(echo.port).plus("-target", "127.0.0.1:1"), says="target")


def test_ipc_099_target_repeated_alike(echo):
    """The same value twice is one."""
    comes_up(F3S(echo.port).plus("-target", "127.0.0.1:%d" % echo.port),
             server())


@pytest.mark.parametrize("mode", ["Transparent-tcp", "TRANSPARENT-TCP"])
def test_ipc_100_mode_in_any_case(echo, mode):
    """-mode takes any case; the line has the canonical spelling."""
    comes_up(F3C(echo.port).plus("-mode", mode),
             client(proto="transparent-TCP"))


@pytest.mark.parametrize("mode", ["tcp", "", "socks4", "transparent_TCP"])
def test_ipc_101_unknown_mode(echo, mode):
    """There are four modes and no more."""
    env_error(F3C(echo.port).plus("-mode", mode), says="mode")


@pytest.mark.parametrize("words", [
    ["-mode", "STUN", "-udp"], ["-mode", "transparent-TCP", "-transparent"],
    ["-mode", "socks5", "-transparent", "-udp"]])
def test_ipc_102_mode_twice(echo, words):
    """-mode excludes -transparent and -udp."""
    env_error(F3C(echo.port).plus(*words), says="mode")


def test_ipc_103_transparent_udp(echo):
    """-transparent -udp is transparent-UDP."""
    comes_up(F3C(echo.port).plus("-transparent", "-udp"),
             client(proto="transparent-UDP"))


def test_ipc_104_udp_alone_is_stun(echo):
    """-udp is STUN."""
    comes_up(F3C(echo.port).plus("-udp"), client(proto="STUN"))


def test_ipc_104_transparent_alone_is_tcp(echo):
    """-transparent is transparent-TCP."""
    comes_up(F3C(echo.port).plus("-transparent"),
             client(proto="transparent-TCP"))


@pytest.mark.parametrize("mode", ["STUN", "transparent-TCP"])
def test_ipc_105_mode_in_version_1(state, mode):
    """A PT 1 client speaks SOCKS and nothing else."""
    env_error(E1C(state).plus("-mode", mode), says="mode", version="1")


def test_ipc_106_log_level(echo):
    """-logLevel has four values."""
    env_error(F3C(echo.port).plus("-logLevel", "loud"), says="logLevel")


def test_ipc_107_ipc_log_level(echo):
    """-ipcLogLevel has five values."""
    env_error(F3C(echo.port).plus("-ipcLogLevel", "loud"),
              says="ipcLogLevel")


@pytest.mark.parametrize("value", [
    "::1", "[::1]", "localhost", "1.2.3", "1.2.3.4:5"])
def test_ipc_108_outbound_v4(state, value):
    """The IPv4 source address is an IPv4 literal."""
    env_error(E1C(state, TOR_PT_OUTBOUND_BIND_ADDRESS_V4=value),
              says="TOR_PT_OUTBOUND_BIND_ADDRESS_V4", version="1")


@pytest.mark.parametrize("value", [
    "2001:db8::4", "[127.0.0.1]", "[2001:db8::4]:1", "[::1"])
def test_ipc_109_outbound_v6(state, value):
    """The IPv6 source address stands in brackets."""
    env_error(E1C(state, TOR_PT_OUTBOUND_BIND_ADDRESS_V6=value),
              says="TOR_PT_OUTBOUND_BIND_ADDRESS_V6", version="1")


def test_ipc_109_outbound_addresses_that_are_right(echo, state):
    """Right ones are taken, and do not apply to loopback."""
    start = E1C(state, TOR_PT_OUTBOUND_BIND_ADDRESS_V4="192.0.2.1",
                TOR_PT_OUTBOUND_BIND_ADDRESS_V6="[2001:db8::4]")
    with Ptah(start) as p:
        p.wait_done()
        sock, rep = socks5(p.address(), ("127.0.0.1", echo.port))
        assert rep == 0 and echoes(sock)
        sock.close()


# Rules of section 2 without a row of their own.

def test_missing_bind_entry_in_version_3(echo):
    """X28: a listed transport without an entry is an SMETHOD-ERROR."""
    start = by_list(echo.port, "ghost-127.0.0.1:0")
    comes_up(start, ["VERSION 3.0", SDONE],
             ["SMETHOD-ERROR dummy no bind address"])


def test_missing_bind_entry_in_version_1(echo, state):
    """X28: and in PT 1 it binds to any address."""
    comes_up(E1S(state, echo.port,
                 TOR_PT_SERVER_BINDADDR="ghost-127.0.0.1:0"),
             server("1", host="0.0.0.0"))


def test_flag_beats_the_list_of_the_environment(state):
    """X7: -transport wins over TOR_PT_CLIENT_TRANSPORTS."""
    comes_up(E1C(state, TOR_PT_CLIENT_TRANSPORTS="selfaddr").plus(
        "-transport", "dummy"), client("1"))


def test_only_server_transports_make_a_server(echo, state):
    """X3: the role follows from the variables."""
    comes_up(E1S(state, echo.port), server("1"))


def test_target_of_a_client_in_version_2(echo, tmp_path):
    """X23: in 2.1 a client's target is a global server address."""
    start = Start().plus(
        "-ptversion", "2.1", "-client", "-transports", "dummy",
        "-target", "127.0.0.1:%d" % echo.port)
    with Ptah(start, cwd=tmp_path) as p:
        p.wait_done()
        sock, rep = socks5(p.address(), ("0.0.0.0", 0))
        assert rep == 0 and echoes(sock)
        sock.close()


def test_unbracketed_listen_address(echo):
    """The last colon ends an IPv6 address without brackets."""
    comes_up(F3C(echo.port).plus("-proxylistenaddr", "::1:0"),
             client(host="[::1]"))


def test_listening_beyond_loopback_is_warned_of(echo):
    """A wildcard address is allowed, and worth a warning."""
    start = F3C(echo.port).plus(
        "-proxylistenhost", "0.0.0.0", "-ipcLogLevel", "WARN")
    with Ptah(start) as p:
        p.wait_line(r"^LOG WARN ")
        p.wait_done()
        assert p.methods()["dummy"][1][0] == "0.0.0.0"


def test_first_of_several_errors(echo):
    """2.8: exactly one error is reported, and values go in table order."""
    env_error(F3C(echo.port).plus(
        "-proxylistenport", "x", "-ipcLogLevel", "loud", "-mode", "y"),
        says="ipcLogLevel")


def test_server_by_two_address_families(tmp_path):
    """A v6 target is reached as a v4 one is."""
    with EchoServer("::1") as echo:
        start = F3S(0, target="[::1]:%d" % echo.port)
        with Ptah(start, cwd=tmp_path) as p:
            p.wait_done()
            with connect(p.address()) as sock:
                assert echoes(sock)
            poll(lambda: len(echo.connections) == 1)


def test_options_are_named_in_help():
    """Every flag of the table is in the usage."""
    with Ptah(["--help"]) as p:
        assert p.exit() == 0
        text = "\n".join(p.err_lines)
    for flag in ("ptversion state exit-on-stdin-close moduleDir workers "
                 "proxyProtocol ipcLogLevel transport transports client "
                 "server mode options optionsFile proxylistenaddr "
                 "proxylistenhost proxylistenport proxy bindaddr bindhost "
                 "bindport orport target targethost targetport extorport "
                 "authcookie logLevel enableLogging unsafeLogging "
                 "showVersion").split():
        assert re.search(r"-%s\b" % flag, text), flag


@pytest.mark.parametrize("words", [
    ["-workers", "0"], ["-workers", "65"], ["-workers", "two"],
    ["-proxyProtocol", "1"], ["-dialTimeout", "x"]])
def test_extension_values(echo, words):
    """Extensions have ranges and roles as well."""
    env_error(F3C(echo.port).plus(*words), says=words[0].strip("-"))


@pytest.mark.parametrize("value", ["3", "x", "-1"])
def test_proxy_protocol_version(echo, value):
    """-proxyProtocol is 0, 1 or 2."""
    env_error(F3S(echo.port).plus("-proxyProtocol", value),
              says="proxyProtocol")


def test_options_of_the_client_are_read_by_position(echo):
    """A value may begin with a dash."""
    env_error(F3C(echo.port).plus("-mode", "-udp"), says="mode")


def test_options_text_in_every_dialect(echo, tmp_path):
    """-options is a flag of both roles and of every version."""
    start = F3C(echo.port, ptversion="2.1",
                options=options(serverAddress="127.0.0.1:%d" % echo.port))
    comes_up(start, client("2.1"), cwd=tmp_path)
