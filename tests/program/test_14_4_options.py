# SPDX-License-Identifier: BSD-3-Clause
"""Options of transports: rows IPC-115 to IPC-128."""
import json
import re

import pytest

from harness import E1S, F3C, F3S, Ptah, connect, echoes, options, socks5
from rows import (DONE, SDONE, are, client, comes_up, env_error, server)

LOUD = ("-ipcLogLevel", "DEBUG", "-unsafeLogging")


def settings(line):
    return json.loads(re.search(r"settings (\{.*\})", line).group(1))


def given_to_a_client(start, dest, **kwargs):
    """The settings of one connection of a PT 3 client."""
    with Ptah(start.plus(*LOUD), **kwargs) as p:
        p.wait_done()
        sock, rep = socks5(p.address(), ("127.0.0.1", dest))
        assert rep == 0 and echoes(sock)
        sock.close()
        got = settings(p.wait_line(r"settings \{"))
        assert p.finish() == 0
        assert are(p.out_messages(), client())
        assert p.err_protocol() == []
        return got


def given_to_a_server(start, tmp_path):
    """The same of a server; PT 1 LOG lines have no quotes, the file has."""
    log = tmp_path / "state" / "dispatcher.log"
    start = start.plus("-enableLogging", "-logLevel", "DEBUG",
                       "-unsafeLogging")
    with Ptah(start) as p:
        p.wait_done()
        with connect(p.address()) as sock:
            assert echoes(sock)
        assert p.finish() == 0
        assert are(p.out_lines, server("1"))
    lines = [line for line in log.read_text().splitlines()
             if re.search(r"settings \{", line)]
    assert lines, log.read_text()
    return settings(lines[-1])


def test_ipc_115_keyed_options(echo):
    """Of keyed options the transport is given its own object."""
    inner = {"serverAddress": "127.0.0.1:%d" % echo.port, "a": "1"}
    start = F3C(echo.port, options=json.dumps({"dummy": inner}))
    assert given_to_a_client(start, 1) == inner


def test_ipc_116_flat_options(echo):
    """A flat object is given whole."""
    flat = {"serverAddress": "127.0.0.1:%d" % echo.port, "a": "1",
            "n": 5, "deep": {"er": [1, "2", None, True, {"x": 0.5}]}}
    start = F3C(echo.port, options=json.dumps(flat))
    assert given_to_a_client(start, 1) == flat


def test_ipc_116_a_name_beside_another_key_is_flat(echo):
    """Keyed only when every key is a requested transport."""
    flat = {"serverAddress": "127.0.0.1:%d" % echo.port,
            "dummy": {"a": "1"}}
    start = F3C(echo.port, options=json.dumps(flat))
    assert given_to_a_client(start, 1) == flat


def test_ipc_117_unquoted_keys(echo):
    """Keys without quotes, as the documents print them."""
    addr = "127.0.0.1:%d" % echo.port
    start = F3C(echo.port, options='{dummy: {serverAddress: "%s"}}' % addr)
    assert given_to_a_client(start, 1) == {"serverAddress": addr}


def test_ipc_117_last_of_duplicate_keys(echo):
    """Of a repeated key the last wins."""
    addr = "127.0.0.1:%d" % echo.port
    start = F3C(echo.port,
                options='{"serverAddress": "%s", a: "1", a: "2"}' % addr)
    assert given_to_a_client(start, 1)["a"] == "2"


BAD_TEXTS = [
    "[1]", '{"a":1} x', '{"a":}', '{"a":1', '"a"', "", "{'a':1}",
    '{"a":1,}', "{\u201ca\u201d: 1}", '{"a":"\x01"}', '{"a":01}',
    '{"a":' + "[" * 32 + "]" * 32 + "}", '{"a":nul}', '{a b: 1}',
]


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_ipc_118_bad_options(echo, text):
    """What is no JSON object is an ENV-ERROR."""
    env_error(F3C(echo.port, options=text), says="-options")


def test_ipc_118_deepest_options(echo):
    """Thirty-two levels are allowed."""
    deep = '{"serverAddress":"127.0.0.1:%d","a":%s%s}' % (
        echo.port, "[" * 31, "]" * 31)
    comes_up(F3C(echo.port, options=deep), client())


@pytest.mark.parametrize("text", [
    b'{"a":"\xff"}', b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}',
    b'[1]', b'{"a":1} x', b'{"a":"b"', b'\x00'])
def test_ipc_118_bad_options_file(echo, tmp_path, text):
    """The same in a file, where any byte can stand."""
    path = tmp_path / "options.json"
    path.write_bytes(text)
    path.chmod(0o600)
    env_error(F3C(echo.port, options=None, optionsFile=path),
              says="optionsFile")


def in_a_file(echo, path, text):
    path.write_text(text)
    path.chmod(0o600)
    return F3C(echo.port, options=None, optionsFile=path)


def test_ipc_119_options_file(echo, tmp_path):
    """-optionsFile takes the same text."""
    inner = {"serverAddress": "127.0.0.1:%d" % echo.port}
    start = in_a_file(echo, tmp_path / "o", json.dumps(inner) + "\n")
    assert given_to_a_client(start, 1) == inner


def test_ipc_119_relative_options_file(echo, tmp_path):
    """A relative path starts at the working folder."""
    in_a_file(echo, tmp_path / "o",
              options(serverAddress="127.0.0.1:%d" % echo.port))
    comes_up(F3C(echo.port, options=None, optionsFile="o"), client(),
             cwd=tmp_path)


def test_ipc_119_large_options_file(echo, tmp_path):
    """Just under a MiB is good."""
    text = options(serverAddress="127.0.0.1:%d" % echo.port, pad="")
    text = text[:-2] + "x" * ((1 << 20) - len(text) - 1) + text[-2:]
    comes_up(in_a_file(echo, tmp_path / "o", text), client())


def test_ipc_120_missing_options_file(echo, tmp_path):
    """A file that is not there is an ENV-ERROR that names it."""
    env_error(F3C(echo.port, options=None, optionsFile=tmp_path / "none"),
              says="optionsFile")


def test_ipc_120_empty_options_file(echo, tmp_path):
    """An empty file is an ENV-ERROR."""
    env_error(in_a_file(echo, tmp_path / "o", ""), says="optionsFile")


def test_ipc_120_folder_as_options_file(echo, tmp_path):
    """A folder is an ENV-ERROR."""
    env_error(F3C(echo.port, options=None, optionsFile=tmp_path),
              says="optionsFile")


def test_ipc_120_oversized_options_file(echo, tmp_path):
    """More than a MiB is an ENV-ERROR."""
    text = options(serverAddress="127.0.0.1:%d" % echo.port, pad="x" * (1 << 20))
    env_error(in_a_file(echo, tmp_path / "o", text), says="optionsFile")


def test_ipc_120_empty_options(echo):
    """An empty -optionsFile= is an ENV-ERROR."""
    env_error(F3C(echo.port, options=None, optionsFile=""),
              says="optionsFile")


def test_ipc_121_server_options(echo, tmp_path):
    """Server options of PT 1: name:key=value, joined by semicolons."""
    got = given_to_a_server(E1S(
        tmp_path / "state", echo.port,
        TOR_PT_SERVER_TRANSPORT_OPTIONS="dummy:key=banana;dummy:rule=110"),
        tmp_path)
    assert got == {"key": "banana", "rule": "110"}


def test_ipc_122_escapes_in_server_options(echo, tmp_path):
    """A backslash takes the meaning from the next byte."""
    got = given_to_a_server(E1S(
        tmp_path / "state", echo.port,
        TOR_PT_SERVER_TRANSPORT_OPTIONS=r"dummy:k=a\;b\:c\\d=e"), tmp_path)
    assert got == {"k": r"a;b:c\d=e"}


def test_ipc_122_repeated_keys(echo, tmp_path):
    """Repeated keys keep all values; an empty value is one."""
    got = given_to_a_server(E1S(
        tmp_path / "state", echo.port,
        TOR_PT_SERVER_TRANSPORT_OPTIONS="dummy:k=1;ghost:k=9;dummy:e=;"
        "dummy:k=2"), tmp_path)
    assert got == {"k": ["1", "2"], "e": ""}


@pytest.mark.parametrize("text", [
    "dummy", "dummy:k", ":k=v", "dummy:=v", "dummy:k=v;", "dummy:k=v\\",
    "dummy;k=v", "dummy=k:v", ";", "dummy:k=v;;dummy:a=b"])
def test_ipc_123_bad_server_options(echo, state, text):
    """Items that are not whole are an ENV-ERROR."""
    env_error(E1S(state, echo.port, TOR_PT_SERVER_TRANSPORT_OPTIONS=text),
              says="TOR_PT_SERVER_TRANSPORT_OPTIONS", version="1")


def test_ipc_124_server_options_of_another(echo, state):
    """Options of a transport that is not there do no harm."""
    comes_up(E1S(state, echo.port,
                 TOR_PT_SERVER_TRANSPORT_OPTIONS="ghost:k=v"), server("1"))


def with_args(echo, **args):
    return F3S(echo.port).plus("-options", options(args=args))


def test_ipc_125_bridge_arguments(echo):
    """ARGS: are sorted, and backslash, comma and = are escaped."""
    comes_up(with_args(echo, b="x=y", a="1,2", c="q\\r"),
             ["VERSION 3.0", r"SMETHOD dummy 127.0.0.1:<P> "
              r"ARGS:a=1\,2,b=x\=y,c=q\\r", SDONE])


def test_ipc_125_bridge_arguments_in_version_1(echo, state):
    """The same for a bridge of Tor."""
    comes_up(E1S(state, echo.port).plus(
        "-options", options(args={"cert": "abc", "iat-mode": "0"})),
        ["VERSION 1", r"SMETHOD dummy 127.0.0.1:<P> "
         r"ARGS:cert=abc,iat-mode=0", SDONE])


def test_ipc_126_no_bridge_arguments(echo):
    """Without arguments the line has three fields."""
    with Ptah(F3S(echo.port)) as p:
        p.wait_done()
        line = p.wait_line("^SMETHOD ")
        assert len(line.split(" ")) == 3
        assert "ARGS" not in line


def test_ipc_126_empty_bridge_arguments(echo):
    """An empty object is no arguments."""
    comes_up(with_args(echo), server())


@pytest.mark.parametrize("args", [
    {"k": "a b"}, {"k": "a\tb"}, {"k": "a\x7f"}, {"k": "\u00e9"},
    {"a b": "k"}])
def test_ipc_127_impossible_bridge_arguments(echo, args):
    """What a word cannot hold is an SMETHOD-ERROR."""
    comes_up(with_args(echo, **args), ["VERSION 3.0", SDONE],
             ["SMETHOD-ERROR dummy <m>"])


def test_ipc_127_bridge_arguments_too_long_for_a_line(echo):
    """A line is never cut: the method fails instead."""
    comes_up(with_args(echo, k="v" * 4096), ["VERSION 3.0", SDONE],
             ["SMETHOD-ERROR dummy <m>"])


@pytest.mark.parametrize("bad", [
    {"refuse": "1"}, {"fail": 10}, {"serverAddress": "nonsense"},
    {"serverAddress": "127.0.0.1:65536"}])
def test_ipc_128_refused_options(echo, bad):
    """Options that the module refuses are a CMETHOD-ERROR, and no more."""
    text = json.dumps(dict(
        {"serverAddress": "127.0.0.1:%d" % echo.port}, **bad))
    comes_up(F3C(echo.port, options=text), ["VERSION 3.0", DONE],
             ["CMETHOD-ERROR dummy <m>"])
