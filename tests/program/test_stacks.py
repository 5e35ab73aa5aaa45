# SPDX-License-Identifier: BSD-3-Clause
"""Stacks, whole: a transport over another one, named in each way there is, in TCP and in UDP."""
import json
import os
import socket

import pytest

import lines
from harness import E1C, E1S, F3C, F3S, MODULES, Ptah, echoes, poll
from socks import Client, reply, request

NEEDED = ("obfs4", "shadow", "dummy")
pytestmark = pytest.mark.skipif(
    not all(os.path.exists(os.path.join(MODULES, n + ".so")) for n in NEEDED),
    reason="built without one of " + ", ".join(NEEDED))

BLOCK = lines.pattern(300007)
PASSWORD = {"password": "open sesame"}


def bridge_args(server, name):
    """What the method line says to clients, as an object."""
    rest = server.methods()[name][2]
    return dict(item.split("=", 1) for item in
                rest.partition("ARGS:")[2].split(",") if item)


def by_variables(state, echo, name, **options):
    """A server as Tor starts it."""
    said = ";".join("%s:%s=%s" % (name, k, v) for k, v in options.items())
    return Ptah(E1S(state, echo.port, TOR_PT_SERVER_TRANSPORTS=name,
                    TOR_PT_SERVER_BINDADDR=name + "-127.0.0.1:0",
                    TOR_PT_SERVER_TRANSPORT_OPTIONS=said or None))


def by_flags(start, name, options, *words):
    return Ptah(start.change(transport=name, options=json.dumps(options))
                .plus(*words))


def ask(app, args, where):
    """Ask for a link as Tor does, with arguments in the login."""
    text = ";".join("%s=%s" % pair for pair in args.items())
    if text:
        app.greet(b"\x02", 2)
        app.auth(text.encode())
    else:
        app.greet(b"\x00", 0)
    app.send(request(*where))


def carries(client, name, server, args):
    with Client(client.address(name)) as app:
        ask(app, args, server.address(name))
        app.expect(reply(0))
        echoes(app.sock, BLOCK)


def test_a_stack_by_variables_as_tor_sets_them(tmp_path, echo):
    """Each layer takes the keys that it knows, on both sides."""
    name = "obfs4+shadow"
    with by_variables(tmp_path / "s", echo, name, **PASSWORD) as s, \
            Ptah(E1C(tmp_path / "c", TOR_PT_CLIENT_TRANSPORTS=name)) as c:
        s.wait_done()
        c.wait_done()
        args = bridge_args(s, name)
        assert set(args) == {"cert", "iat-mode"}
        for _ in range(2):
            carries(c, name, s, dict(args, **PASSWORD))


def test_two_layers_of_one_name_have_an_identity_each(tmp_path, echo):
    """What the upper one would take for its own is written over.KEY."""
    name = "obfs4+dummy+obfs4"
    with by_variables(tmp_path / "s", echo, name) as s, \
            Ptah(E1C(tmp_path / "c", TOR_PT_CLIENT_TRANSPORTS=name)) as c:
        s.wait_done()
        c.wait_done()
        args = bridge_args(s, name)
        assert set(args) == {"cert", "iat-mode", "over.over.cert",
                             "over.over.iat-mode"}
        assert args["cert"] != args["over.over.cert"]
        carries(c, name, s, args)
        files = set(os.listdir(tmp_path / "s"))
        assert {"obfs4_state.json", "obfs4.2_state.json"} <= files, files


@pytest.mark.parametrize("how", ["nested", "dotted"])
def test_a_stack_by_flags_with_options_for_each_layer(echo, how):
    """The same key, another value in each layer."""
    def options(**more):
        below = {"password": "lower"}
        layers = {"over": below} if how == "nested" else {
            "over." + k: v for k, v in below.items()}
        return dict(layers, password="upper", **more)

    name = "shadow+shadow"
    with by_flags(F3S(echo.port), name, options()) as s:
        s.wait_done()
        to = "%s:%d" % s.address(name)
        with by_flags(F3C(1), name, options(serverAddress=to)) as c:
            c.wait_done()
            carries(c, name, s, {})


def test_a_layer_with_a_wrong_key_is_no_way_in(echo):
    name = "dummy+shadow"
    with by_flags(F3S(echo.port), name, {"password": "right"}) as s:
        s.wait_done()
        to = "%s:%d" % s.address(name)
        with by_flags(F3C(1), name,
                      {"password": "wrong", "serverAddress": to}) as c:
            c.wait_done()
            with Client(c.address(name)) as app:
                ask(app, {}, ("127.0.0.1", 9))
                app.expect(reply(0))
                app.send(b"hello?")
                lines.expect_silence(app.sock, 0.3)
        assert not echo.connections


def test_a_file_names_a_stack_so_that_tor_can_ask_for_it(tmp_path, echo, module_dir):
    name = "twofold"
    with open(os.path.join(module_dir, name + ".json"), "w") as f:
        json.dump({"stack": ["obfs4", dict(PASSWORD, module="shadow")]}, f)
    path = module_dir + ":" + MODULES
    with Ptah(E1S(tmp_path / "s", echo.port, TOR_PT_SERVER_TRANSPORTS=name,
                  TOR_PT_SERVER_BINDADDR=name + "-127.0.0.1:0",
                  PTAH_MODULE_PATH=path)) as s, \
            Ptah(E1C(tmp_path / "c", TOR_PT_CLIENT_TRANSPORTS=name,
                     PTAH_MODULE_PATH=path)) as c:
        s.wait_done()
        c.wait_done()
        carries(c, name, s, bridge_args(s, name))
        with Ptah(E1C(tmp_path / "d", TOR_PT_CLIENT_TRANSPORTS="obfs4",
                      PTAH_MODULE_PATH=path)) as alone:
            alone.wait_done()
            with Client(alone.address("obfs4")) as app:
                ask(app, bridge_args(s, name), s.address(name))
                lines.expect_silence(app.sock, 0.3)


def test_a_stack_that_a_file_names_keeps_its_layers_inside_another(tmp_path, echo, module_dir):
    """twofold is obfs4 over shadow: between two others it is still both, and who lacks one of the four gets nothing."""
    with open(os.path.join(module_dir, "twofold.json"), "w") as f:
        json.dump({"stack": ["obfs4", dict(PASSWORD, module="shadow")]}, f)
    path = module_dir + ":" + MODULES
    name = "dummy+twofold+shadow"
    lowest = {"over": {"over": {"password": "of the lowest"}}}
    with by_flags(F3S(echo.port).plus("-state", tmp_path / "s", PTAH_MODULE_PATH=path), name, lowest) as s:
        s.wait_done()
        args = bridge_args(s, name)
        where = "%s:%d" % s.address(name)
        for stack, options, there in (
                (name, lowest, True),
                ("dummy+obfs4+shadow+shadow", {"over": {"over": dict(PASSWORD, over={"password": "of the lowest"})}}, True),
                ("dummy+obfs4+shadow", {"over": {"over": {"password": "of the lowest"}}}, False)):
            with by_flags(F3C(1).plus(PTAH_MODULE_PATH=path), stack,
                          dict(options, serverAddress=where, **args)) as c:
                c.wait_done()
                with Client(c.address(stack)) as app:
                    ask(app, {}, s.address(name))
                    if there:
                        app.expect(reply(0))
                        echoes(app.sock, BLOCK)
                    else:
                        lines.expect_silence(app.sock, 0.3)


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.2)
    s.bind(("127.0.0.1", 0))
    return s


def comes_back(app, target, word):
    """There and back, asked again until the link is open."""
    got = []

    def once():
        app.send(word)
        try:
            heard, at = target.recvfrom(65536)
            target.sendto(heard[::-1], at)
            got.append(app.recv(65536))
        except socket.timeout:
            return False
        return got[-1] == word[::-1]
    poll(once, 10, "a datagram there and back")


@pytest.mark.parametrize("name, options", [
    ("obfs4+shadow", PASSWORD),
    ("shadow+obfs4", PASSWORD),
    ("dummy+dummy", {"messages": True}),
    ("dummy+dummy", {"messages": False}),
    ("dummy+shadow", dict(PASSWORD, messages=False)),
], ids=lambda x: x if isinstance(x, str) else
    {True: "messages", False: "framed"}.get(x.get("messages"), "as is"))
def test_datagrams_go_through_stacks(tmp_path, name, options):
    """Framed in a stream, or each by itself where all layers keep them."""
    with udp() as target, by_flags(
            F3S(target.getsockname()[1]).plus("-state", tmp_path / "s"), name,
            options, "-mode", "transparent-UDP") as s:
        s.wait_done()
        to = "%s:%d" % s.address(name)
        with by_flags(F3C(1), name, dict(bridge_args(s, name), **options,
                      serverAddress=to), "-mode", "transparent-UDP",
                      "-udpQueue", "8") as c:
            c.wait_done()
            with udp() as app:
                app.connect(c.address(name))
                for size in (1, 5, 1400, 9000):
                    comes_back(app, target, os.urandom(size))


def test_a_stack_has_eight_layers_at_most(echo):
    """Eight carry; nine are refused at once, and not when a link comes."""
    for n in (8, 9):
        name = "+".join(["dummy", *["shadow"] * (n - 1)])
        options = dict(PASSWORD)
        for _ in range(n - 1):
            options = dict(PASSWORD, over=options)
        with by_flags(F3S(echo.port), name, options) as s:
            s.wait_line("SMETHODS DONE")
            if n == 9:
                s.wait_line(r"SMETHOD-ERROR .*too high", "err")
                continue
            to = "%s:%d" % s.address(name)
            with by_flags(F3C(1), name, dict(options, serverAddress=to)) as c:
                c.wait_done()
                carries(c, name, s, {})


@pytest.mark.parametrize("top, below, why", [
    ("shadow", "ghost", r'over "ghost": no such transport'),
    ("shadow", "shadow", r'over "shadow": option "password" is missing'),
])
def test_a_stack_that_cannot_be_says_which_layer_and_why(echo, top, below, why):
    with by_flags(F3S(echo.port), top,
                  {"over": below, "password": "upper"}) as s:
        s.wait_line("SMETHODS DONE")
        s.wait_line(r"SMETHOD-ERROR %s .*%s" % (top, why), "err")
