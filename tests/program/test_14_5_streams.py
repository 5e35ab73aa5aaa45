# SPDX-License-Identifier: BSD-3-Clause
"""Streams, LOG, robustness of the output: rows IPC-135 to IPC-150."""
import fcntl
import re
import shutil
import subprocess

import pytest

from harness import (DEVNULL, E1C, E1S, F3C, F3S, PROTOCOL, EchoServer, Ptah,
                     connect, echoes, options, poll, socks5)
from rows import (DONE, EX_USAGE, are, client, comes_up, env_error,
                  gives_up)

F_SETPIPE_SZ = 1031
D1_LOG = re.compile(
    r'LOG SEVERITY=(error|warning|info|debug) MESSAGE="[^"\\]*"')
D1_WORDS = {"VERSION", "VERSION-ERROR", "ENV-ERROR", "PROXY", "PROXY-ERROR",
            "CMETHOD", "CMETHOD-ERROR", "CMETHODS", "SMETHOD",
            "SMETHOD-ERROR", "SMETHODS", "LOG", "STATUS"}


def one_connection(p, port):
    sock, rep = socks5(p.address(), ("127.0.0.1", port))
    assert rep == 0 and echoes(sock)
    sock.close()


def test_ipc_135_errors_of_version_2(echo, tmp_path):
    """In PT 2 an error is on stderr only."""
    env_error(F3C(echo.port, ptversion="2").plus("-nosuchflag"),
              version="2", cwd=tmp_path)


def test_ipc_136_errors_of_version_1(state):
    """In PT 1 an error is on stdout only."""
    env_error(E1C(state).plus("-nosuchflag"), version="1")


def test_ipc_137_errors_on_both(echo):
    """-ipcErrors both puts the same line on both."""
    p = gives_up(F3C(echo.port).plus("-ipcErrors", "both", "-nosuchflag"),
                 EX_USAGE, ["VERSION 3.0", "ENV-ERROR <m>"],
                 ["ENV-ERROR <m>"])
    assert p.out_lines[1] == p.err_protocol()[0]


@pytest.mark.parametrize("where,version", [
    ("stdout", "3.0"), ("stderr", "1"), ("auto", "1"), ("auto", "3.0")])
def test_ipc_137_errors_by_choice(state, where, version):
    """-ipcErrors overrules the dialect."""
    on_out = where == "stdout" or (where == "auto" and version == "1")
    error = ["ENV-ERROR <m>"]
    gives_up(E1C(state, TOR_PT_MANAGED_TRANSPORT_VER=version).plus(
        "-ipcErrors=" + where, "-nosuchflag"), EX_USAGE,
        ["VERSION " + version] + (error if on_out else []),
        [] if on_out else error)


def test_ipc_137_method_errors_on_both(echo):
    """Method errors follow -ipcErrors as well."""
    comes_up(F3C(echo.port, transport="broken").plus("-ipcErrors", "both"),
             ["VERSION 3.0", "CMETHOD-ERROR broken <m>", DONE],
             ["CMETHOD-ERROR broken <m>"])


def test_ipc_138_no_log_by_default(echo):
    """Nobody who did not ask gets a LOG line."""
    start = F3C(echo.port, options=options(
        serverAddress="127.0.0.1:%d" % echo.port, log="trouble"))
    with Ptah(start) as p:
        p.wait_done()
        one_connection(p, echo.port)
        assert p.finish() == 0
        assert are(p.out_lines, client())


def test_ipc_139_log_at_info(echo):
    """LOG lines have a level at or above the asked one, after VERSION."""
    start = F3C(echo.port).plus("-ipcLogLevel", "INFO")
    with Ptah(start) as p:
        p.wait_done()
        one_connection(p, echo.port)
        assert p.finish() == 0
        assert p.out_lines[0] == "VERSION 3.0"
        assert p.logs()
        for line in p.logs():
            assert re.fullmatch(r"LOG (ERROR|WARN|INFO) .+", line)
        assert are(p.out_messages(), client())
        assert p.err_protocol() == []


@pytest.mark.parametrize("level", ["debug", "Debug"])
def test_ipc_139_level_in_any_case(echo, level):
    """The level may be given in any case; lines have it in upper case."""
    with Ptah(F3C(echo.port).plus("-ipcLogLevel", level)) as p:
        p.wait_done()
        one_connection(p, echo.port)
        p.wait_line(r"^LOG DEBUG .*settings \{")


def test_ipc_140_log_at_error(echo):
    """At ERROR there is nothing but errors."""
    start = F3C(echo.port, options=options(
        serverAddress="127.0.0.1:%d" % echo.port, log="trouble"))
    start = start.plus("-ipcLogLevel", "ERROR", "-enableLocket")
    with Ptah(start) as p:
        p.wait_done()
        one_connection(p, echo.port)
        assert p.finish() == 0
        assert any("trouble" in line for line in p.logs())
        for line in p.logs():
            assert line.startswith("LOG ERROR "), line


def test_ipc_141_log_of_version_1(echo, state):
    """In PT 1 LOG has its own grammar, in which nothing is escaped."""
    with Ptah(E1C(state).plus("-ipcLogLevel", "DEBUG")) as p:
        p.wait_done()
        one_connection(p, echo.port)
        p.wait_line(r"settings \{")
        assert p.finish() == 0
        assert p.out_lines[0] == "VERSION 1"
        assert any("SEVERITY=debug" in line for line in p.logs())
        for line in p.logs():
            assert D1_LOG.fullmatch(line), line


HARD = options(log='a"b\\c\nd\u00e9')


def test_ipc_142_hard_text_in_version_1(state):
    """Quotes, backslashes and bytes beyond ASCII are replaced."""
    start = E1C(state).plus("-options", HARD, "-ipcLogLevel", "ERROR")
    with Ptah(start) as p:
        p.wait_done()
        line = p.wait_line("SEVERITY=error")
        assert re.fullmatch(
            r"""LOG SEVERITY=error MESSAGE="(dummy: )?a'b/c\?d\?\?\"""",
            line), line


def test_ipc_143_hard_text_in_version_3():
    """The line stays one line, and UTF-8 stays what it is."""
    start = F3C(1, options=HARD).plus("-ipcLogLevel", "ERROR")
    with Ptah(start) as p:
        p.wait_done()
        line = p.wait_line("^LOG ERROR")
        assert re.fullmatch('LOG ERROR (dummy: )?a"b\\\\c d\u00e9', line), \
            line


@pytest.mark.parametrize("version", ["1", "3.0"])
def test_ipc_144_long_error_text(state, version):
    """A text of 10000 bytes is cut so that its line has at most 4096."""
    start = E1C(state, TOR_PT_MANAGED_TRANSPORT_VER=version).plus(
        "-options", options(fail=10000))
    with Ptah(start) as p:
        p.wait_done()
        assert p.finish() == 0
        said = p.out_bytes if version == "1" else p.err_bytes
        lines = [line for line in said.splitlines(keepends=True)
                 if line.startswith(b"CMETHOD-ERROR dummy ")]
        assert len(lines) == 1
        assert 4000 < len(lines[0]) <= 4096
        assert lines[0].endswith(b"\n")


@pytest.mark.parametrize("version", ["1", "3.0"])
def test_ipc_144_long_log_text(state, version):
    """And so is a LOG line, with its closing quote, between characters."""
    start = E1C(state, TOR_PT_MANAGED_TRANSPORT_VER=version).plus(
        "-options", options(log="\u20ac" * 3333), "-ipcLogLevel", "ERROR")
    with Ptah(start) as p:
        p.wait_done()
        assert p.finish() == 0
        line = [line for line in p.out_bytes.splitlines(keepends=True)
                if line.startswith(b"LOG ")][0]
        assert 4000 < len(line) <= 4096
        if version == "1":
            assert D1_LOG.fullmatch(line.decode().rstrip("\n"))
        else:
            assert set(line.decode().split(" ")[-1]) <= {"\u20ac", "\n"}


def can_trace():
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "/bin/true"],
                          stdout=DEVNULL, stderr=DEVNULL).returncode == 0


WRITE = re.compile(
    r'(write|writev|sendto|sendmsg|pwrite64|splice)'
    r'\((1|2), (.*)\) += (-?\d+)')


@pytest.mark.skipif(not can_trace(), reason="no strace, or no ptrace")
def test_ipc_145_one_write_for_each_line(echo, state, tmp_path):
    """Every protocol line is one write(2), and a write is one line."""
    trace = tmp_path / "trace"
    start = E1C(state, TOR_PT_CLIENT_TRANSPORTS="broken,dummy,selfaddr")
    start = start.plus("-ipcLogLevel", "DEBUG", "-ipcStatus",
                       "-ipcErrors", "both",
                       ASAN_OPTIONS="detect_leaks=0",
                       LSAN_OPTIONS="detect_leaks=0")
    with Ptah(start, wrapper=[
            "strace", "-D", "-ff", "-ttt", "-s", "5000", "-o", str(trace),
            "-e", "trace=write,writev,sendto,sendmsg,pwrite64,splice"]) as p:
        p.wait_done(30)
        one_connection(p, echo.port)
        assert p.finish() == 0
        said = {1: p.out_lines, 2: p.err_protocol()}
    main = tmp_path / ("trace.%d" % p.pid)
    poll(lambda: "+++ exited with 0 +++" in main.read_text(),
         what="the end of the trace")
    calls = []    # of all threads, by the time they began
    for path in tmp_path.glob("trace.*"):
        calls += path.read_text().splitlines()
    wrote = {1: [], 2: []}
    for line in sorted(calls):
        got = WRITE.match(line.split(" ", 1)[1])
        if not got:
            continue
        name, fd, args, rc = got.groups()
        data = re.fullmatch(r'"((?:[^"\\]|\\.)*)", (\d+)', args)
        assert name == "write" and data, line
        assert int(rc) == int(data.group(2)), "a short write: " + line
        body = data.group(1).encode().decode("unicode_escape")
        assert body.endswith("\n") and body.count("\n") == 1, line
        wrote[int(fd)].append(body[:-1])
    assert wrote[1] == said[1]
    assert [line for line in wrote[2] if PROTOCOL.match(line)] == said[2]
    assert len(said[1]) > 6 and len(said[2]) == 1


def test_ipc_146_reader_that_stops(echo):
    """A full stdout costs LOG lines, never a link and never half a line."""
    start = F3C(echo.port).plus("-ipcLogLevel", "DEBUG")
    n = 300
    with Ptah(start) as p:
        p.wait_done()
        p.pause_out()
        fcntl.fcntl(p.process.stdout.fileno(), F_SETPIPE_SZ, 4096)
        had = len(p.out_lines)
        for i in range(n):
            one_connection(p, echo.port)
        assert len(p.out_lines) <= had + 100
        p.resume_out()
        one_connection(p, echo.port)
        since = len(p.out_lines)

        def heard():
            one_connection(p, echo.port)
            return any("settings" in line for line in p.out_lines[since:])
        poll(heard, what="LOG lines after the reader came back")
        assert p.finish() == 0
        for line in p.out_lines[had:]:
            assert re.fullmatch(r"LOG (ERROR|WARN|INFO|DEBUG) .+", line), \
                line
        links = sum("settings {" in line for line in p.out_lines)
        assert 0 < links < n
    assert len(echo.connections) > n


def test_ipc_147_stdout_closed_after_done(echo):
    """A parent that hears no more does not end the links."""
    start = F3C(echo.port).plus("-ipcLogLevel", "DEBUG")
    with Ptah(start) as p:
        p.wait_done()
        address = p.address()
        sock, rep = socks5(address, ("127.0.0.1", echo.port))
        assert rep == 0
        p.close_out()
        for _ in range(5):
            one_connection(p, echo.port)
        assert echoes(sock)
        sock.close()
        assert p.stays_alive(0.1)


@pytest.mark.parametrize("role", ["client", "server"])
def test_ipc_148_words_of_version_1(echo, state, role):
    """In PT 1 no unknown keyword and no CR is ever on stdout."""
    if role == "client":
        start = E1C(state, TOR_PT_CLIENT_TRANSPORTS="ghost,broken,dummy",
                    TOR_PT_PROXY="")
    else:
        start = E1S(state, echo.port,
                    TOR_PT_SERVER_TRANSPORTS="nosrv,broken,dummy")
    start = start.plus("-ipcLogLevel", "DEBUG", "-ipcStatus", "-options",
                       options(log="a\r\nSMETHOD x\rCMETHOD y\r\n"))
    with Ptah(start) as p:
        p.wait_done()
        if role == "client":
            one_connection(p, echo.port)
        else:
            with connect(p.address()) as sock:
                assert echoes(sock)
        assert p.finish() == 0
        assert b"\r" not in p.out_bytes
        assert p.err_protocol() == []
        for line in p.out_lines:
            assert line.split(" ")[0] in D1_WORDS, line
            assert line == line.rstrip() and re.fullmatch("[ -~]+", line)
        words = [line.split(" ")[0] for line in p.out_messages()]
        method = "CMETHOD" if role == "client" else "SMETHOD"
        assert words == (
            ["VERSION"] + [method + "-ERROR"] * (1 + (role == "server")) +
            [method, method + "S"])


def test_ipc_149_status(state):
    """-ipcStatus gives one STATUS line, right after VERSION."""
    start = E1C(state).plus("-ipcStatus")
    with Ptah(start) as p:
        p.wait_done()
        assert p.finish() == 0
        assert are(p.out_lines, [
            "VERSION 1",
            "STATUS TRANSPORT=ptah TYPE=version IMPLEMENTATION=ptah "
            "VERSION=<m>", "CMETHOD dummy socks5 127.0.0.1:<P>", DONE])
        assert len(p.out_lines[1].split(" ")) == 5


def test_ipc_149_no_status_in_version_3(echo):
    """STATUS is a word of PT 1."""
    comes_up(F3C(echo.port).plus("-ipcStatus"), client())


@pytest.mark.parametrize("workers", [1, 4])
def test_ipc_150_listener_before_its_line(echo, workers):
    """Whoever reads the method line can connect at once."""
    for start in [F3C(echo.port), F3S(echo.port)] * 3:
        with Ptah(start.plus("-workers", workers)) as p:
            p.wait_line("^[CS]METHOD dummy ")
            connect(p.address()).close()


def test_ipc_150_many_workers_share_the_port():
    """Connections reach every worker's listener and none is lost."""
    with EchoServer() as server, \
            Ptah(F3C(server.port).plus("-workers", "4")) as p:
        p.wait_done()
        for _ in range(32):
            one_connection(p, server.port)
        assert len(server.connections) == 32
