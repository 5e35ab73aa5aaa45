# SPDX-License-Identifier: BSD-3-Clause
"""ptah run below a service manager: what it tells it, what it is handed, how it logs.

The manager is played here: sd_notify(3) is a datagram, and sd_listen_fds(3)
three variables.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import harness
from harness import Ptah, free_port

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

# What systemd does: open sockets, give them their numbers, and become the program.
HAND_OVER = """
import os, socket, sys
made = []
for word in sys.argv[1].split(","):
    kind, port = word.split(":")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", int(port)))
    if kind == "tcp":
        s.listen(16)
    made.append(os.dup(s.fileno()))
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(made)]
os.closerange(3, 100)
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ["LISTEN_FDS"] = str(len(high))
os.environ["LISTEN_PID"] = str(os.getpid() + int(os.environ.pop("TEST_PID_OFF", "0")))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """The socket that NOTIFY_SOCKET names."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.settimeout(10 * harness.SLOW)

    def hear(self):
        """The next datagram, as a dictionary."""
        lines = self.sock.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def hear_of(self, key):
        """The next that has this key."""
        while True:
            got = self.hear()
            if key in got:
                return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def write(tmp_path, *, name="ptah.json", **conf):
    path = tmp_path / name
    path.write_text(json.dumps({"stateDir": str(tmp_path / "state"), **conf}))
    path.chmod(0o600)
    return path


def server(echo, **more):
    return {"role": "server", "transport": "dummy", "listen": "127.0.0.1:0",
            "target": "127.0.0.1:%d" % echo.port, **more}


# --- sd_notify ----------------------------------------------------------------------

@pytest.mark.parametrize("abstract", [False, True])
def test_life(tmp_path, echo, abstract):
    """READY, RELOADING with its time, READY again, STOPPING."""
    where = "\0ptah-test-%d" % os.getpid() if abstract else str(tmp_path / "notify")
    path = write(tmp_path, services={"one": server(echo)})
    with Manager(where) as manager, Ptah(
            ["run", path], env={"NOTIFY_SOCKET": where.replace("\0", "@")}) as p:
        got = manager.hear_of("READY")
        assert got == {"READY": "1", "MAINPID": str(p.pid), "STATUS": "1 service serves"}
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        write(tmp_path, services={"one": server(echo), "two": server(echo)})
        p.signal(signal.SIGHUP)
        got = manager.hear_of("RELOADING")
        at = int(got["MONOTONIC_USEC"]) / 1e6
        assert before <= at <= time.clock_gettime(time.CLOCK_MONOTONIC)
        assert manager.hear_of("READY")["STATUS"] == "2 services serve"
        p.signal(signal.SIGTERM)
        assert manager.hear_of("STOPPING")["STATUS"] == "ending"
        assert p.exit() == 0


def test_old_plans_are_counted(tmp_path, echo):
    port = free_port()
    one = {"listen": "127.0.0.1:%d" % port}
    path = write(tmp_path, services={"one": server(echo, **one)})
    with Manager(str(tmp_path / "notify")) as manager, Ptah(
            ["run", path], env={"NOTIFY_SOCKET": tmp_path / "notify"}) as p:
        manager.hear_of("READY")
        links = []
        for i, words in enumerate(("1 old one waits for its last links", "2 old ones wait for their last links")):
            links.append(socket.create_connection(("127.0.0.1", port), 10))
            links[-1].sendall(b"x")
            assert links[-1].recv(1) == b"x"
            write(tmp_path, services={"one": server(echo, dialTimeout=20 + i, **one)})
            p.signal(signal.SIGHUP)
            while manager.hear_of("STATUS")["STATUS"] != "1 service serves, " + words:
                pass
        for link in links:
            link.close()


def test_a_failed_service_is_named(tmp_path, echo):
    path = write(tmp_path, services={
        "good": server(echo), "bad": server(echo, listen="127.0.0.1:%d" % echo.port)})
    with Manager(str(tmp_path / "notify")) as manager, Ptah(
            ["run", path], env={"NOTIFY_SOCKET": tmp_path / "notify"}):
        assert manager.hear_of("READY")["STATUS"] == "1 service serves, 1 failed (bad)"


def test_a_refused_reload_is_over_all_the_same(tmp_path, echo):
    """What waits for READY after RELOADING must not wait for ever."""
    path = write(tmp_path, services={"one": server(echo)})
    with Manager(str(tmp_path / "notify")) as manager, Ptah(
            ["run", path], env={"NOTIFY_SOCKET": tmp_path / "notify"}) as p:
        manager.hear_of("READY")
        path.write_text("{")
        p.signal(signal.SIGHUP)
        manager.hear_of("RELOADING")
        assert manager.hear_of("READY")["STATUS"] == "1 service serves"
        p.wait_line("nothing has changed", "err")


def test_drain_says_how_long_it_may_take(tmp_path, echo):
    path = write(tmp_path, drainTimeout=77, services={"one": server(echo)})
    with Manager(str(tmp_path / "notify")) as manager, Ptah(
            ["run", path], env={"NOTIFY_SOCKET": tmp_path / "notify"}) as p:
        manager.hear_of("READY")
        p.signal(signal.SIGINT)
        got = manager.hear_of("STOPPING")
        assert 77e6 <= int(got["EXTEND_TIMEOUT_USEC"]) <= 97e6
        assert p.exit() == 0


def test_watchdog(tmp_path, echo):
    """It says that it lives, several times in each period."""
    path = write(tmp_path, services={"one": server(echo)})
    begin = time.monotonic()
    with Manager(str(tmp_path / "notify")) as manager, Ptah(
            ["run", path], env={"NOTIFY_SOCKET": tmp_path / "notify",
                                "WATCHDOG_USEC": "300000"}):
        manager.hear_of("READY")
        heard = []
        for _ in range(10):
            assert manager.hear_of("WATCHDOG")["WATCHDOG"] == "1"
            heard.append(time.monotonic())
        assert heard[-1] - begin > 0.5
        # As a rule; the machine may stop for longer than a period.
        pauses = sorted(after - before for before, after in zip(heard, heard[1:]))
        assert pauses[len(pauses) // 2] < 0.3 * harness.SLOW, pauses


def test_watchdog_of_another_process(tmp_path, echo):
    path = write(tmp_path, services={"one": server(echo)})
    with Manager(str(tmp_path / "notify")) as manager, Ptah(
            ["run", path], env={"NOTIFY_SOCKET": tmp_path / "notify",
                                "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}) as p:
        manager.hear_of("READY")
        p.signal(signal.SIGTERM)
        assert "WATCHDOG" not in manager.hear()  # it would have said so many times


@pytest.mark.parametrize("env", [
    {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/" + 200 * "x"},
    {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}])
def test_variables_that_make_no_sense(tmp_path, echo, env):
    path = write(tmp_path, services={"one": server(echo)})
    with Ptah(["run", path], env=env, clean_stop=False) as p:
        assert p.exit() == 70
        p.wait_line("cannot start", "err")


def test_a_manager_that_does_not_listen(tmp_path, echo):
    path = write(tmp_path, services={"one": server(echo)})
    with Ptah(["run", path], env={"NOTIFY_SOCKET": tmp_path / "nobody"}) as p:
        p.wait_line("ready: 1 of 1", "err")


# --- sockets that are handed over -------------------------------------------------------

def handed(*sockets):
    return ["/usr/bin/python3", "-c", HAND_OVER, ",".join(sockets)]


def test_socket_by_name(tmp_path, echo):
    """Two sockets with names, and each service has its own."""
    ports = free_port(), free_port()
    path = write(tmp_path, services={
        "one": server(echo, listen="fd:web"), "two": server(echo, listen="fd:other")})
    with Ptah(["run", path], wrapper=handed(*("tcp:%d" % p for p in ports)),
              env={"LISTEN_FDNAMES": "other:web"}) as p:
        p.wait_line("ready: 2 of 2", "err")
        for port in ports:
            sock = harness.connect(("127.0.0.1", port))
            harness.echoes(sock, b"through a socket of another's")
            sock.close()
        p.signal(signal.SIGHUP)
        p.wait_line("is read again: .* 2 as they were", "err")
        sock = harness.connect(("127.0.0.1", ports[0]))
        harness.echoes(sock, b"still")
        sock.close()


def test_a_name_that_nobody_handed_over(tmp_path, echo):
    path = write(tmp_path, services={
        "one": server(echo, listen="fd:web"), "two": server(echo)})
    with Ptah(["run", path], wrapper=handed("tcp:0"), env={"LISTEN_FDNAMES": "wrong"}) as p:
        p.wait_line(r"one does not start: .*web", "err")
        p.wait_line("ready: 1 of 2", "err")


def test_sockets_for_another_process(tmp_path, echo):
    """LISTEN_PID is not ours: the variables were inherited by mistake."""
    path = write(tmp_path, services={"one": server(echo, listen="fd:web"), "two": server(echo)})
    with Ptah(["run", path], wrapper=handed("tcp:0"),
              env={"LISTEN_FDNAMES": "web", "TEST_PID_OFF": "1"}) as p:
        p.wait_line("one does not start", "err")


@pytest.mark.parametrize("names, said", [
    ("web:web", 'two inherited sockets have the name "web"'),
])
def test_one_name_twice(tmp_path, echo, names, said):
    path = write(tmp_path, services={"one": server(echo, listen="fd:web")})
    with Ptah(["run", path], wrapper=handed("tcp:0", "tcp:0"), clean_stop=False,
              env={"LISTEN_FDNAMES": names}) as p:
        assert p.exit() == 70
        p.wait_line(said, "err")


# --- the log ------------------------------------------------------------------------------

def test_json_log(tmp_path, echo):
    """Every line is an object, and what happens has names that stay."""
    path = write(tmp_path, services={"one": server(echo)})
    with Ptah(["run", path, "--log-format=json"]) as p:
        p.wait_line('"event":"ready"', "err")
        p.signal(signal.SIGHUP)
        p.wait_line('"event":"reload"', "err")
        path.write_text('{"nonsense": 1}')
        p.signal(signal.SIGHUP)
        p.wait_line('"event":"reload-refused"', "err")
        p.signal(signal.SIGTERM)
        assert p.exit() == 0
        got = [json.loads(line) for line in p.err_lines]
    for line in got:
        assert set(line) - {"service"} == {"time", "level", "area", "event", "text"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    events = [line["event"] for line in got if line["event"] != "log"]
    assert events == ["begin", "service-serves", "ready", "reload", "config-fault",
                      "config-fault", "reload-refused", "end"]
    assert [line["service"] for line in got if "service" in line] == ["one"]


def test_journal_by_itself(tmp_path, echo):
    """Where stderr is the journal, each line has its priority."""
    path = write(tmp_path, services={"one": server(echo)})
    stream = ["/bin/sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec "$@"', "sh"]
    with Ptah(["run", path], wrapper=stream) as p:
        p.wait_line("^<5>host: ready: 1 of 1", "err")
    with Ptah(["run", path], env={"JOURNAL_STREAM": "1:1"}) as p:
        p.wait_line("^ptah: ready: 1 of 1", "err")


# --- what is installed for it ----------------------------------------------------------------

def unit(tmp_path):
    with open(os.path.join(TOP, "conf", "systemd", "ptah.service.in"), encoding="utf-8") as file:
        text = file.read().replace("@bindir@", "/usr/bin").replace("@sysconfdir@", "/etc")
    path = tmp_path / "ptah.service"
    path.write_text(text)
    return path


def test_the_unit_gives_up_what_it_can(tmp_path):
    """systemd-analyze security says 1.5 at most."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    got = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                          "--threshold=15", unit(tmp_path)],
                         capture_output=True, text=True, timeout=30, check=False)
    assert got.returncode == 0 and "Overall exposure level" in got.stdout, got.stdout[-2000:]
    assert "Unknown" not in got.stderr, got.stderr


def test_the_unit_waits_for_a_better_file(tmp_path):
    """A file with errors ends with the status that the unit does not restart on."""
    assert "RestartPreventExitStatus=78" in unit(tmp_path).read_text()
    path = write(tmp_path, nonsense=1)
    with Ptah(["run", path], clean_stop=False) as p:
        assert p.exit() == 78


def test_apparmor_profile_parses():
    if not shutil.which("apparmor_parser"):
        pytest.skip("apparmor_parser is not installed")
    folder = os.path.join(TOP, "conf", "apparmor")
    got = subprocess.run(["apparmor_parser", "-Q", "-K", "-T", os.path.join(folder, "ptah")],
                         capture_output=True, text=True, timeout=60, check=False)
    assert got.returncode == 0, got.stderr
    with open(os.path.join(folder, "local.system_tor"), encoding="utf-8") as file:
        lines = file.read()
    wrapped = "profile test {\n%s\n}\n" % lines
    got = subprocess.run(["apparmor_parser", "-Q", "-K", "-T"], input=wrapped,
                         capture_output=True, text=True, timeout=60, check=False)
    assert got.returncode == 0, got.stderr
