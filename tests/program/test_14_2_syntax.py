# SPDX-License-Identifier: BSD-3-Clause
"""Command-line syntax: rows IPC-030 to IPC-041."""
import pytest

from harness import F3C, Ptah, Start, echoes, socks5
from rows import client, comes_up, env_error


def test_ipc_030_two_dashes(echo):
    """--flag is -flag."""
    words = [w if not w.startswith("-") else "-" + w
             for w in F3C(echo.port).argv]
    assert words.count("--ptversion") == 1
    comes_up(Start().plus(*words), client())


def test_ipc_031_values_after_an_equal_sign(echo):
    """-flag=value is -flag value."""
    words = ["-" + name + ("=" + value if value is not None else "=true")
             for name, value in F3C(echo.port).flags]
    comes_up(Start().plus(*words), client())


@pytest.mark.parametrize("value", ["true", "T", "1", "t", "TRUE", "True"])
def test_ipc_032_true_booleans(echo, value):
    """Every spelling of true turns a boolean on."""
    start = F3C(echo.port).minus("client").plus("-client=" + value)
    comes_up(start, client())


@pytest.mark.parametrize("value", ["false", "F", "0", "f", "FALSE", "False"])
def test_ipc_032_false_booleans(echo, value):
    """Every spelling of false turns it off: -server=false is no server."""
    comes_up(F3C(echo.port).plus("-server=" + value), client())


@pytest.mark.parametrize("value", ["yes", "", "tRUE", "2"])
def test_ipc_033_bad_boolean(echo, value):
    """Any other boolean is an ENV-ERROR."""
    env_error(F3C(echo.port).minus("client").plus("-client=" + value),
              says="client")


def test_ipc_034_missing_value(echo):
    """A flag at the end without its value is an ENV-ERROR."""
    env_error(F3C(echo.port).plus("-state"), says="state")


@pytest.mark.parametrize("words", [
    ["stray"], ["-"], ["--", "stray"], ["stray", "-client"]])
def test_ipc_035_stray_words(echo, words):
    """A word that belongs to no flag is an ENV-ERROR."""
    env_error(F3C(echo.port).plus(*words))


def test_ipc_035_value_after_a_boolean(echo):
    """-client true does not bind: the word is a stray one."""
    env_error(F3C(echo.port).minus("client").plus("-client", "true"),
              says="true")


def test_ipc_036_last_one_wins(echo):
    """Of a repeated flag the last wins: no LOG line."""
    start = F3C(echo.port).plus(
        "-ipcLogLevel", "DEBUG", "-ipcLogLevel", "NONE")
    with Ptah(start) as p:
        p.wait_done()
        sock, rep = socks5(p.address(), ("127.0.0.1", echo.port))
        assert rep == 0 and echoes(sock)
        sock.close()
        assert p.finish() == 0
        assert p.logs() == []


@pytest.mark.parametrize("words", [
    ["-exit-on-stdin-close", "1"], ["-exit-on-stdin-close"],
    ["-exit-on-stdin-close=true"], ["-exit-on-stdin-close", "-udp=false"]])
def test_ipc_037_exit_on_stdin_close(echo, words):
    """The flag alone, with a separate 1, or with = turns it on."""
    with Ptah(F3C(echo.port).plus(*words)) as p:
        p.wait_done()
        assert p.alive()
        p.close_stdin()
        assert p.exit(2) == 0


@pytest.mark.parametrize("words", [
    ["-exit-on-stdin-close=0"], ["-exit-on-stdin-close", "0"],
    ["-exit-on-stdin-close", "1", "-exit-on-stdin-close", "0"]])
def test_ipc_038_no_exit_on_stdin_close(echo, words):
    """Turned off, the end of stdin does nothing."""
    with Ptah(F3C(echo.port).plus(*words)) as p:
        p.wait_done()
        p.close_stdin()
        assert p.stays_alive(0.5)
        sock, rep = socks5(p.address(), ("127.0.0.1", echo.port))
        assert rep == 0 and echoes(sock)
        sock.close()


def test_ipc_039_short_name_of_exit_on_stdin_close(echo):
    """-exit-on-close is a misprint of the specification, not a flag."""
    env_error(F3C(echo.port).plus("-exit-on-close"), says="exit-on-close")


def test_ipc_040_names_are_case_sensitive(echo):
    """-MODE is not -mode."""
    env_error(F3C(echo.port).plus("-MODE", "socks5"), says="MODE")


def test_ipc_041_three_dashes(echo):
    """---mode is no flag."""
    env_error(F3C(echo.port).plus("---mode", "socks5"), says="mode")
