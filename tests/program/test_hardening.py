# SPDX-License-Identifier: BSD-3-Clause
"""What ptah run gives up once it has read its file, and what it keeps."""
import os
import shutil
import signal
import socket
import sys

import pytest

import harness
import lines
import orport
from cells import Run, ask, compiled, landlock, server  # noqa: F401

pytestmark = pytest.mark.skipif(
    landlock() < 1, reason="this kernel has no Landlock")


@pytest.fixture(autouse=True, scope="module")
def gives_up(tmp_path_factory):
    """A build that looks for leaks keeps what it needs for that."""
    with Run(tmp_path_factory.mktemp("probe"), {"one": server(1, name="dummy", isolate=False)}) as p:
        line = p.wait_line("hardened: ", "err")
    if "this build looks for leaks" in line:
        pytest.skip("this build looks for leaks at its end, and is not hardened")


def open_server(echo_port, at="", **more):
    return server(echo_port, at, isolate=False, **more)


def status(p, name):
    """A line of /proc/PID/status, of each thread."""
    out = set()
    for task in os.listdir("/proc/%d/task" % p.pid):
        with open("/proc/%d/task/%s/status" % (p.pid, task)) as lines_:
            out |= {line.split()[1] for line in lines_ if line.startswith(name + ":")}
    return out


def works(port, text=b"some words"):
    with socket.create_connection(("127.0.0.1", port), 10 * harness.SLOW) as s:
        s.sendall(text)
        assert lines.read(s, len(text)) == text


@pytest.mark.parametrize("deed,at,gets", [
    ("exec", "", "EPERM"),
    ("fork", "", "EPERM"),
    ("ptrace", "", "EPERM"),
    ("read-parent", "", "EPERM"),
    ("namespace", "", "EPERM"),
    ("uring", "", "EPERM"),
    ("read", "{top}/elsewhere/secret", "EACCES"),
    ("write", "{top}/elsewhere/new", "EACCES"),
    ("write", "{tmp}/ptah.conf", "EACCES"),
    ("write", "{modules}/hostile.so", "EACCES"),
    ("remove", "{tmp}/ptah.conf", "EACCES"),
    ("parent-memory", "", "EACCES"),
    ("read", "{tmp}/ptah.conf", "done"),
    ("write", "{tmp}/state/one/own", "done"),
    ("udp", "", "done"),
    ("thread", "", "done"),
])
def test_what_a_module_in_its_own_process_still_can(tmp_path, compiled, echo, deed, at, gets):
    modules = compiled(deed)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("x")
    conf = tmp_path / "conf"
    (conf / "state" / "one").mkdir(parents=True, mode=0o700)
    at = at.format(top=tmp_path, tmp=conf, modules=modules)
    with Run(conf, {"one": open_server(echo.port, at)}, [modules]) as p:
        assert ask(p.port("hostile")) == gets


def test_all_threads_are_locked(tmp_path, echo):
    with Run(tmp_path, {"one": open_server(echo.port, name="dummy")}) as p:
        works(p.port("dummy"))
        assert status(p, "NoNewPrivs") == {"1"}
        assert status(p, "Seccomp") == {"2"}


def test_it_can_be_left_out(tmp_path, echo):
    with Run(tmp_path, {"one": open_server(echo.port, name="dummy")}, harden=False) as p:
        works(p.port("dummy"))
        assert status(p, "Seccomp") == {"0"}


def test_not_where_a_service_starts_programs(tmp_path, echo):
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ptchild.py")
    services = {"one": open_server(echo.port, name="dummy"),
                "two": {"role": "client", "mode": "socks5", "transport": "exec", "listen": "127.0.0.1:0",
                        "options": {"exec": "%s %s" % (sys.executable, program)}}}
    with Run(tmp_path, services) as p:
        p.wait_line("not hardened: a service starts programs", "err")
        works(p.port("dummy"))
        assert status(p, "Seccomp") == {"0"}


def test_a_reload_reads_what_has_been_replaced(tmp_path, module_dir, echo):
    """The file by another one of its name, a module that was not there before, a cookie that Tor writes anew."""
    cookie_path = tmp_path / "tor" / "cookie"
    cookie_path.parent.mkdir(mode=0o700)
    with orport.Port() as port:
        extended = open_server(1, name="dummy", extorport=port.address, authcookie=str(cookie_path))
        del extended["target"]
        with Run(tmp_path, {"one": extended}, modulePath=[module_dir, harness.MODULES]) as p:
            where = p.port("dummy")
            for _ in range(2):
                cookie_path.unlink(missing_ok=True)
                cookie = orport.cookie_file(cookie_path)
                with socket.create_connection(("127.0.0.1", where), 10) as s, port.accept() as ex:
                    ex.talk(cookie)
                    lines.echo_works(s, ex.sock)
            shutil.copy(os.path.join(harness.TEST_MODULES, "veil.so"), module_dir)
            os.rename(p.conf, p.conf + ".old")
            p.write({"one": extended, "two": open_server(echo.port, name="veil", options={"key": 7})})
            p.signal(signal.SIGHUP)
            p.port("veil")
            assert (tmp_path / "state").is_dir()


def test_a_reload_says_what_it_cannot_have_any_more(tmp_path, echo):
    (tmp_path / "later").mkdir(mode=0o700)
    orport.cookie_file(tmp_path / "later" / "cookie")
    one = open_server(echo.port, name="dummy")
    with Run(tmp_path / "conf", {"one": one}) as p:
        p.port("dummy")
        two = open_server(1, name="dummy", extorport="127.0.0.1:1", authcookie=str(tmp_path / "later" / "cookie"))
        del two["target"]
        p.write({"one": one, "two": two, "three": server(echo.port, name="dummy")})
        p.signal(signal.SIGHUP)
        p.wait_line("two: .*/later/cookie is where ptah cannot look any more", "err")
        p.wait_line("a service is isolated, and at its start none was", "err")
        p.wait_line("three does not start: .*cannot start its process", "err")
        works(p.port("dummy"))


def test_it_ends_well(tmp_path, echo):
    with Run(tmp_path, {"one": open_server(echo.port, name="dummy")}) as p:
        works(p.port("dummy"))
        assert p.finish() == 0
