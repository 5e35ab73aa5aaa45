# SPDX-License-Identifier: BSD-3-Clause
"""ptah ctl upgrade: another program in the place of one that serves, and no port is closed."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import types

import pytest

import harness
import runner
from harness import connect, echoes, free_port, poll
from runner import Run, client, server
from test_manager import HAND_OVER, Manager
from test_obfs4_replay import are_refused, record
from test_run import refused


def ctl(*words):
    return subprocess.run([harness.program()[0], "ctl", *map(str, words)], env=harness.environment(), text=True,
                          capture_output=True, timeout=60 * harness.SLOW, check=False)


class Upgradable(Run):
    """ptah run --upgradable, which ptah ctl can reach."""

    words = ("--upgradable",)

    def __init__(self, tmp_path, services, executable=None, words=(), **more):
        self.control = tmp_path / "control"
        self.executable = executable and str(executable)
        self.words = (*self.words, *words)
        super().__init__(tmp_path, services, control=str(self.control), **more)

    def programs(self):
        """Processes that the keeper has now."""
        got = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True, check=False)
        return sorted(map(int, got.stdout.split()))

    def ctl(self, *words):
        return ctl(*words, "--socket", self.control)

    def upgrade(self):
        since = len(self.err_lines)
        done = self.ctl("upgrade")
        assert done.returncode == 0, done.stderr + "\n".join(self.err_lines)
        assert done.stdout == "the new program serves; the old one ends with its last link\n"
        self.wait_line(r"ready: \d+ of \d+ services serve", "err", since=since)
        # Until it has heard that it is to drain an old program may take what comes.
        poll(lambda: sum(map(listens, self.programs())) == 1, what="the old program to take nothing new")

    def is_not_upgraded(self, why):
        done = self.ctl("upgrade")
        assert done.returncode == 1
        assert re.search("not upgraded, and nothing has changed: .*" + why, done.stderr), done.stderr
        return done.stderr


def pair(tmp_path, echo, kind=Upgradable, **more):
    """Both ends in one process, under a keeper."""
    return runner.pair(tmp_path, echo, kind, **more)


def listens(pid):
    """Has it a listening TCP socket?  One that has ended meanwhile has none."""
    own = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for fd in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(FileNotFoundError):
                own.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
    with open("/proc/net/tcp", encoding="ascii") as table:
        inodes = {row[9] for row in map(str.split, table) if row[3] == "0A"}
    return any("socket:[%s]" % inode in own for inode in inodes)


class Knocking:
    """Connects, has a few bytes carried, and connects again; remembers what went wrong."""

    def __init__(self, where):
        self.where, self.n, self.wrong, self.over = where, 0, [], False
        self.threads = [threading.Thread(target=self.knock) for _ in range(2)]

    def knock(self):
        while not self.over and not self.wrong:
            try:
                with connect(self.where) as sock:
                    if not echoes(sock, os.urandom(2000)):
                        self.wrong.append("other bytes")
                self.n += 1
            except (OSError, AssertionError) as error:
                self.wrong.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        poll(lambda: self.n > 0 or self.wrong, what="the first link")
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join()


def test_no_port_is_closed(tmp_path, echo):
    """Connections come all the time while programs follow one another; each finds somebody."""
    with pair(tmp_path, echo) as (run, _):
        before = run.programs()
        with Knocking(run.where("near")) as near, Knocking(run.where("far")) as far:
            for _ in range(6):
                n = near.n
                run.upgrade()
                poll(lambda: near.n > n + 5 or near.wrong, what="links on the new program")
        assert near.wrong == [] and far.wrong == []
        poll(lambda: len(run.programs()) == 1, what="old programs to end")
        assert run.programs() != before
        assert run.finish() == 0


def test_live_links_go_on(tmp_path, echo):
    """A link of each program carries on, to the byte, while others follow."""
    with pair(tmp_path, echo) as (run, _), contextlib.ExitStack() as socks:
        near = run.where("near")
        live = []
        for i in range(4):
            live.append(socks.enter_context(connect(near)))
            for sock in live:
                assert echoes(sock, os.urandom(70000))
            if i < 3:
                run.upgrade()
        for sock in live:
            assert echoes(sock, os.urandom(300000))
        assert len(run.programs()) == 4
        for sock in live:
            sock.close()
        poll(lambda: len(run.programs()) == 1, what="old programs to end")


def test_each_old_program_is_told_once(tmp_path, echo):
    """Those that leave already hear nothing of the upgrades that follow."""
    with pair(tmp_path, echo) as (run, _):
        with connect(run.where("near")) as live:
            assert echoes(live)
            for _ in range(3):
                run.upgrade()
        poll(lambda: len(run.programs()) == 1, what="old programs to end")
        assert run.finish() == 0
    assert sum("another process serves now" in line for line in run.err_lines) == 3


def test_bytes_are_under_way(tmp_path, echo):
    """Something is being carried at the very moment."""
    with pair(tmp_path, echo) as (run, _), connect(run.where("near")) as sock:
        data = os.urandom(8 << 20)
        feeder = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        feeder.start()
        got = harness.recv_exact(sock, 1 << 20)
        run.upgrade()
        got += harness.recv_exact(sock, len(data) - len(got))
        feeder.join()
        assert got == data


def test_port_of_the_kernel_is_kept(tmp_path, echo):
    """Port 0 is the same port in the next program."""
    with Upgradable(tmp_path, {"far": server(echo.port)}) as run:
        run.wait_ready()
        far, since = run.where("far"), len(run.err_lines)
        run.upgrade()
        assert run.where("far", since) == far
        with connect(far) as sock:
            assert echoes(sock)


def test_file_is_read_anew(tmp_path, echo):
    """Who is gone from the file is closed, who is new serves, and reloads are the new program's."""
    with harness.SinkServer(greeting=b"other") as other, pair(tmp_path, echo) as (run, services):
        far, near = run.where("far"), run.where("near")
        run.write({"far": server(other.port, listen="%s:%d" % far), "late": client(far)})
        since = len(run.err_lines)
        run.upgrade()
        poll(lambda: refused(near), what="the old port to close")
        with connect(run.where("late", since)) as sock:
            assert harness.recv_exact(sock, 5) == b"other"
        assert "1 services are new, 1 changed, 1 gone" in run.reload(services)


# --- what does not succeed --------------------------------------------------------------------


def test_refused_without_a_keeper(tmp_path, echo):
    """A hardened program alone cannot, and says what would be needed."""
    class Alone(Upgradable):
        words = ()

    with pair(tmp_path, echo, kind=Alone) as (run, _), connect(run.where("near")) as sock:
        assert echoes(sock)
        done = run.ctl("upgrade")
        assert done.returncode == 1
        assert "there is no parent process" in done.stderr and "--upgradable" in done.stderr
        assert echoes(sock) and run.programs() == []


def test_error_in_the_file(tmp_path, echo):
    """What is wrong with the file is told; the old program goes on, and a file that is right is taken."""
    with pair(tmp_path, echo) as (run, services):
        before = run.programs()
        with connect(run.where("near")) as sock:
            run.write({"far": {"role": "server"}})
            assert "services.far.transport: " in run.is_not_upgraded("cannot be used")
            assert echoes(sock) and run.programs() == before
        run.write(services)
        assert "0 services are new, 0 changed, 0 gone, 2 as they were" in run.reload()
        run.upgrade()
        with connect(run.where("near")) as sock:
            assert echoes(sock)


def test_service_that_does_not_start_anew(tmp_path, echo):
    """Where the new program cannot serve what is served, it is not taken."""
    with pair(tmp_path, echo) as (run, services), socket.create_server(("127.0.0.1", free_port())) as taken:
        near, before = run.where("near"), run.programs()
        elsewhere = "127.0.0.1:%d" % taken.getsockname()[1]
        run.write({**services, "near": client(run.where("far"), listen=elsewhere)})
        with Knocking(near) as knocking:
            run.is_not_upgraded("near does not start in the new program: .*Address already in use")
        assert knocking.wrong == []
        poll(lambda: run.programs() == before, what="the new program to end")


def test_program_that_serves_nothing(tmp_path, echo):
    """The services have other names in the file now, and none of them starts."""
    with pair(tmp_path, echo) as (run, services), socket.create_server(("127.0.0.1", free_port())) as taken:
        before = run.programs()
        elsewhere = "127.0.0.1:%d" % taken.getsockname()[1]
        run.write({"other": client(run.where("far"), listen=elsewhere)})
        with connect(run.where("near")) as sock:
            run.is_not_upgraded("no service of the file starts in the new program")
            assert echoes(sock)
        poll(lambda: run.programs() == before, what="the new program to end")
        run.write(services)


@pytest.fixture
def program(module_dir):
    """A copy of the program, which can be replaced."""
    path = os.path.join(module_dir, "ptah")
    shutil.copy(harness.program()[0], path)
    return path


def replace(path, text):
    new = path + ".new"
    with open(new, "w", encoding="ascii") as out:
        out.write(text)
    os.chmod(new, 0o755)
    os.replace(new, path)


@pytest.mark.parametrize("text, why", [
    # All but one end or fail long before they are late.
    ("#!/bin/sh\nexit 3\n", "ended with status 3"),
    ("#!/bin/sh\nkill -9 $$\n", r"ended by signal 9"),
    ("#!/bin/sh\nexec sleep 1000\n", "did not serve within 1 s"),
    ("nothing that could run", "cannot be started: Exec format error"),
])
def test_program_file_counts(tmp_path, echo, program, text, why):
    """What lies where the program lay is what is started; one that fails changes nothing."""
    with pair(tmp_path, echo, executable=program, words=("--upgrade-timeout", "1" if "within 1 s" in why else "60")) as (run, _):
        before = run.programs()
        with connect(run.where("near")) as sock:
            replace(program, text)
            run.is_not_upgraded(why)
            assert echoes(sock)
            with connect(run.where("near")) as other:
                assert echoes(other)
        assert run.programs() == before


def test_a_new_file_is_run(tmp_path, echo, program):
    """Another file of that name is the program from then on."""
    with pair(tmp_path, echo, executable=program) as (run, _):
        shutil.copy(program, program + ".new")
        os.replace(program + ".new", program)
        run.upgrade()
        poll(lambda: len(run.programs()) == 1, what="the old program to end")
        now = os.stat("/proc/%d/exe" % run.programs()[0])
        assert now.st_ino == os.stat(program).st_ino


# --- state --------------------------------------------------------------------------------------


needs_obfs4 = pytest.mark.skipif(not os.path.exists(os.path.join(harness.MODULES, "obfs4.so")),
                                 reason="built without obfs4")


@contextlib.contextmanager
def bridge(tmp_path, echo, **more):
    with Upgradable(tmp_path, {"far": server(echo.port, "obfs4")}, **more) as run:
        run.wait_ready()
        line = (tmp_path / "state" / "far" / "obfs4_bridgeline.txt").read_text()
        yield run, types.SimpleNamespace(where=run.where("far"), cert=re.search(r"cert=(\S+)", line).group(1))


@needs_obfs4
@pytest.mark.parametrize("kept", [False, True])
def test_replays_stay_known(tmp_path, echo, kept):
    """What came to the old program is no news to the new one."""
    with bridge(tmp_path, echo, replayState=kept) as (run, far):
        hello = record(tmp_path, far)
        run.upgrade()
        are_refused(far.where, hello, 1)
        fresh = record(tmp_path, far)
        run.upgrade()
        are_refused(far.where, fresh, 1)
        are_refused(far.where, hello, 1)


@needs_obfs4
def test_one_of_them_has_the_state(tmp_path, echo):
    """The identity stays; while the old one lives the new one has the lock; a failed one gives it back."""
    with bridge(tmp_path, echo, drainTimeout=60) as (run, far), connect(far.where) as held:
        folder = tmp_path / "state" / "far"
        before = (folder / "obfs4_state.json").read_bytes()
        held.sendall(b"x")
        for _ in range(2):
            run.upgrade()
            assert (folder / "obfs4_state.json").read_bytes() == before
            assert (folder / "obfs4_lock").exists()
        good = run.path.read_text()
        run.path.write_text(good.replace('"far"', '"far": 1, "far"'))
        run.is_not_upgraded("cannot be used")
        run.path.write_text(good)
        assert "1 changed" in run.reload({"far": server(echo.port, "obfs4", listen="%s:%d" % far.where, dialTimeout=9)})
        run.wait_line("far serves: ", "err")
        assert (folder / "obfs4_state.json").read_bytes() == before
        record(tmp_path, far)


# --- who started it --------------------------------------------------------------------------------


def test_signals_reach_the_program(tmp_path, echo):
    """SIGHUP, SIGUSR1 and SIGINT at the keeper; its status is the program's."""
    with pair(tmp_path, echo) as (run, _):
        near = run.where("near")
        assert "2 as they were" in run.reload()
        run.signal(signal.SIGUSR1)
        run.wait_line(r"counters: links_opened=0 ", "err")
        with connect(near) as sock:
            assert echoes(sock)
            run.signal(signal.SIGINT)
            poll(lambda: refused(near), what="the port to close")
            assert echoes(sock) and run.alive()
        assert run.exit() == 0


def test_drain_waits_for_all(tmp_path, echo):
    """SIGINT: links of each program end by themselves; again: all end."""
    with pair(tmp_path, echo) as (run, _):
        near = run.where("near")
        with connect(near) as old, connect(near) as other:
            assert echoes(old) and echoes(other)
            run.upgrade()
            with connect(near) as new:
                assert echoes(new)
                run.signal(signal.SIGINT)
                poll(lambda: refused(near), what="the port to close")
                assert echoes(old) and echoes(new)
            poll(lambda: len(run.programs()) == 1, what="the new program to end")
            assert echoes(other)
            run.signal(signal.SIGINT)
            assert run.exit() == 0


def test_sigterm_ends_all(tmp_path, echo):
    with pair(tmp_path, echo) as (run, _), connect(run.where("near")) as old:
        assert echoes(old)
        run.upgrade()
        programs = run.programs()
        assert len(programs) == 2
        run.signal(signal.SIGTERM)
        assert run.exit() == 0
        assert not any(os.path.exists("/proc/%d" % pid) for pid in programs)


def test_old_programs_have_a_deadline(tmp_path, echo):
    """Links of the old program are ended after drainTimeout, those of the new one not."""
    with pair(tmp_path, echo, drainTimeout=1) as (run, _), connect(run.where("near")) as old:
        assert echoes(old)
        run.upgrade()
        with connect(run.where("near")) as new:
            assert echoes(new)
            assert harness.recv_all(old) == b""
            assert echoes(new)


def test_programs_end_with_their_keeper(tmp_path, echo):
    with pair(tmp_path, echo) as (run, _):
        programs = run.programs()
        os.kill(programs[0], 0)
        run.signal(signal.SIGKILL)
        run.clean_stop = False
        poll(lambda: not os.path.exists("/proc/%d" % programs[0]), what="the program to end")


def test_crash_is_told(tmp_path, echo):
    """A program that dies takes its keeper along, so that whoever started it can start it anew."""
    with pair(tmp_path, echo) as (run, _):
        os.kill(run.programs()[0], signal.SIGKILL)
        assert run.exit() == 128 + signal.SIGKILL


def test_manager_hears_one(tmp_path, echo):
    """The keeper is the main process; an old program says nothing more, a failed one nothing at all."""
    path = tmp_path / "ptah.json"
    conf = {"stateDir": str(tmp_path / "state"), "control": str(tmp_path / "control"),
            "services": {"one": server(echo.port)}}
    path.write_text(json.dumps(conf))
    where = str(tmp_path / "notify")
    with Manager(where) as manager, harness.Ptah(["run", "--upgradable", path], env={
            "NOTIFY_SOCKET": where, "WATCHDOG_USEC": "600000", "WATCHDOG_PID": "0"}) as p:
        assert manager.hear_of("READY") == {"READY": "1", "MAINPID": str(p.pid), "STATUS": "1 service serves"}
        path.write_text("{")
        assert ctl("upgrade", "--socket", tmp_path / "control").returncode == 1
        path.write_text(json.dumps({**conf, "services": {**conf["services"], "two": server(echo.port)}}))
        assert ctl("upgrade", "--socket", tmp_path / "control").returncode == 0
        got = manager.hear()
        while "READY" not in got:
            assert set(got) == {"STATUS"}
            got = manager.hear()
        assert got == {"READY": "1", "MAINPID": str(p.pid), "STATUS": "2 services serve"}
        p.wait_line("ending: the last link has ended", "err")
        p.signal(signal.SIGTERM)
        assert manager.hear()["STATUS"] == "ending"


def test_watchdog_is_the_keeper_s(tmp_path, echo):
    """What the manager wants to hear of its process comes from the program."""
    path = tmp_path / "ptah.json"
    path.write_text(json.dumps({"stateDir": str(tmp_path / "state"), "services": {"one": server(echo.port)}}))
    where = str(tmp_path / "notify")
    watched = 'WATCHDOG_PID=$$ exec "$@"'
    with Manager(where) as manager, harness.Ptah(
            ["-c", watched, "sh", harness.program()[0], "run", "--upgradable", path], executable="/bin/sh",
            env={"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "300000"}):
        manager.hear_of("READY")
        for _ in range(3):
            assert manager.hear_of("WATCHDOG") == {"WATCHDOG": "1"}


def test_sockets_of_the_manager_stay(tmp_path, echo):
    """What the manager opened is there for each program."""
    port = free_port()
    path = tmp_path / "ptah.json"
    path.write_text(json.dumps({
        "stateDir": str(tmp_path / "state"), "control": str(tmp_path / "control"),
        "services": {"one": server(echo.port, listen="fd:web")}}))
    with harness.Ptah(["-c", HAND_OVER, "tcp:%d" % port, harness.program()[0], "run", "--upgradable", str(path)],
                      executable="/usr/bin/python3", env={"LISTEN_FDNAMES": "web"}) as p:
        p.wait_line("ready: 1 of 1", "err")
        with Knocking(("127.0.0.1", port)) as knocking:
            for _ in range(3):
                assert ctl("upgrade", "--socket", tmp_path / "control").returncode == 0
                n = knocking.n
                poll(lambda: knocking.n > n + 5 or knocking.wrong, what="links on the new program")
        assert knocking.wrong == []
