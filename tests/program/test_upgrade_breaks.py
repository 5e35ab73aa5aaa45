# SPDX-License-Identifier: BSD-3-Clause
"""ptah ctl upgrade where the new program breaks at each step, or the end is asked for meanwhile.

The new program is played here: a script that says the words of core/host/keeperwords.h as far as it is to come.
"""
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import threading

import pytest

import harness
from harness import connect, echoes, poll
from runner import server
from test_manager import Manager
from test_metrics import get, port_of
from test_obfs4_replay import are_refused, record
from test_run import refused
from test_upgrade import Knocking, Upgradable, bridge, ctl, needs_obfs4, pair, program, replace  # pylint: disable=unused-import

# Steps of a new program, each of which may be its last.
PLAY = """#!/usr/bin/python3
import os, signal, socket, struct, sys, time
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
keeper = socket.socket(fileno=3)

def say(what, text=b""):
    keeper.send(struct.pack("=IIQ", what, 0, 0) + text)

def wait_for(what):
    while True:
        got, fds, _, _ = socket.recv_fds(keeper, 5000, 64)
        for fd in fds:
            os.close(fd)
        if not got or struct.unpack_from("=I", got)[0] == what:
            return

for step in %r:
    if step == "begin":
        pass
    elif step == "check":
        say(1)
        wait_for(16)
    elif step == "ready":
        say(2)
    elif step == "yours":
        wait_for(20)
    elif step == "noise":
        for what in (2, 4, 5, 6, 7, 16, 17, 18, 19, 20, 22, 99, 2 ** 31):
            say(what, b"noise")
        keeper.send(b"short")
    elif step == "shut":
        keeper.close()
    elif step == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif step == "hang":
        open(%r, "w").close()
        time.sleep(1000)
"""


def play(program, tmp_path, *steps):
    replace(program, PLAY % (steps, str(tmp_path / "hangs")))


def is_whole(run, program):
    """Whoever served goes on with all that it had, and a program that is good can follow."""
    before = run.programs()
    assert len(before) == 1
    with connect(run.where("near")) as sock:
        assert echoes(sock, os.urandom(50000))
    done = run.ctl("status")
    assert done.returncode == 0, done.stderr
    shutil.copy(harness.program()[0], program + ".new")
    os.replace(program + ".new", program)
    run.upgrade()
    poll(lambda: len(run.programs()) == 1, what="the old program to end")
    assert run.programs() != before


@pytest.mark.parametrize("steps, why", [
    ("die", "ended by signal 9"),
    ("hang", "did not serve within [0-9]+ s"),
    ("shut hang", "did not serve within [0-9]+ s"),
    ("noise die", "noise|ended by signal"),
    ("check die", "ended by signal 9"),
    ("check hang", "did not serve within [0-9]+ s"),
    ("check ready die", "ended by signal 9"),
    ("check ready yours die", "ended by signal 9"),
    ("check ready yours shut hang", "did not begin to serve within 5 s"),
])
def test_a_program_that_breaks_changes_nothing(tmp_path, echo, program, steps, why):
    """At whatever step the new program dies or hangs, the old one has all back that it handed over."""
    late = round(4 * harness.SLOW) if "did not serve" in why else 60
    with pair(tmp_path, echo, executable=program, words=("--upgrade-timeout", str(late))) as (run, _):
        before = run.programs()
        play(program, tmp_path, *steps.split())
        with connect(run.where("near")) as live:
            assert echoes(live)
            run.is_not_upgraded(why)
            assert echoes(live) and run.programs() == before
        is_whole(run, program)
        assert run.finish() == 0


def test_a_program_file_that_is_gone(tmp_path, echo, program):
    with pair(tmp_path, echo, executable=program) as (run, _):
        os.unlink(program)
        run.is_not_upgraded("cannot be started: No such file or directory")
        is_whole(run, program)


def test_no_port_is_closed_when_it_fails(tmp_path, echo, program):
    """Connections come all the time while programs break, early and late."""
    with pair(tmp_path, echo, executable=program) as (run, _):
        with Knocking(run.where("near")) as near, Knocking(run.where("far")) as far:
            for steps in ("die", "check die", "check ready die", "check ready yours die"):
                play(program, tmp_path, *steps.split())
                run.is_not_upgraded("ended by signal 9")
                n = near.n
                poll(lambda: near.n > n + 5 or near.wrong, what="links on the old program")
        assert near.wrong == [] and far.wrong == []


@pytest.mark.parametrize("reloads", [False, True])
def test_control_and_metrics_are_where_they_were(tmp_path, echo, program, reloads):
    """Whatever the file says of them by now, read or not: it is the port and the path that they had."""
    with pair(tmp_path, echo, executable=program, metrics="127.0.0.1:0") as (run, services):
        port = port_of(run)
        play(program, tmp_path, "check", "ready", "yours", "die")
        before = {key: value for key, value in run.more.items() if key not in ("control", "metrics")}
        elsewhere = {"control": str(tmp_path / "other"), "metrics": str(tmp_path / "figures")}
        for more in ({"control": str(run.control), "metrics": "127.0.0.1:0"}, elsewhere, {}):
            run.more = {**before, **more}
            run.write(services)
            if reloads:
                run.reload()
            run.is_not_upgraded("ended by signal 9")
            assert run.ctl("status").returncode == 0
            assert get(port, "/metrics")[0] == 200
            assert not (tmp_path / "other").exists() and not (tmp_path / "figures").exists()


def test_no_metrics_stay_none(tmp_path, echo, program):
    """What the file names only since a reload is not opened by an upgrade that fails."""
    with pair(tmp_path, echo, executable=program) as (run, services):
        run.more["metrics"] = str(tmp_path / "figures")
        run.reload(services)
        play(program, tmp_path, "check", "ready", "yours", "die")
        run.is_not_upgraded("ended by signal 9")
        assert run.ctl("status").returncode == 0 and not (tmp_path / "figures").exists()


def baseline(*pids):
    """How many descriptors each has, once the numbers rest: who has asked may not be forgotten yet."""
    seen = []

    def rests():
        seen.append([len(os.listdir("/proc/%d/fd" % pid)) for pid in pids])
        return len(seen) >= 10 and all(one == seen[-1] for one in seen[-10:])

    poll(rests, what="descriptors to come to rest")
    return seen[-1]


def test_the_keeper_keeps_nothing(tmp_path, echo, program):
    """Neither descriptors nor zombies are left of upgrades, good or bad; a program has none of another's."""
    with pair(tmp_path, echo, executable=program) as (run, _):
        run.upgrade()
        poll(lambda: len(run.programs()) == 1, what="the old program to end")
        before = baseline(run.pid, run.programs()[0])
        for steps in ("die", "check die", "check ready yours die"):
            play(program, tmp_path, *steps.split())
            run.is_not_upgraded("ended by signal 9")
        is_whole(run, program)
        is_whole(run, program)
        poll(lambda: baseline(run.pid, run.programs()[0]) == before, what="as many descriptors as before")


def test_more_sockets_than_descriptors_at_first(tmp_path, echo):
    """A program raises its limit when it has begun; what is handed over comes before that."""
    services = {"s%d" % i: server(echo.port) for i in range(40)}
    with Upgradable(tmp_path, services, wrapper=("prlimit", "--nofile=64:")) as run:
        run.wait_ready()
        where, since = run.where("s39"), len(run.err_lines)
        run.upgrade()
        assert run.where("s39", since) == where
        with connect(where) as sock:
            assert echoes(sock)


DESCRIPTORS = 12000


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] < DESCRIPTORS, reason="too few descriptors")
def test_more_sockets_than_are_handed_over(tmp_path, echo):
    """The new program takes 4096; more are refused in so many words, and the old one serves on."""
    with Upgradable(tmp_path, {"s%d" % i: server(echo.port) for i in range(65)}, workers=64) as run:
        run.wait_ready()
        programs, n, before = run.programs(), len(run.err_lines), baseline(run.pid)
        run.is_not_upgraded("more than 4096 sockets")
        with connect(run.where("s64")) as sock:
            assert echoes(sock)
        assert run.programs() == programs and baseline(run.pid) == before
        said = run.err_lines[n:]
        assert sum("4096" in line for line in said) == 1, said


@pytest.mark.parametrize("limit, why", [
    (64, "there may be fewer descriptors than are handed over"),
    (96, r"(can|does) ?not start.*: Too many open files"),
])
def test_fewer_descriptors_than_sockets(tmp_path, echo, limit, why):
    """The new program may not have as many as it is handed, or as it needs: it says so, and the old one serves on."""
    with Upgradable(tmp_path, {"s%d" % i: server(echo.port) for i in range(40)}) as run:
        run.wait_ready()
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (limit, limit))
        programs = run.programs()
        run.is_not_upgraded(why)
        with connect(run.where("s39")) as sock:
            assert echoes(sock)
        assert run.programs() == programs


@contextlib.contextmanager
def under_way(run, program, tmp_path, *steps):
    """An upgrade, as far as these steps."""
    play(program, tmp_path, *steps, "hang")
    asking = subprocess.Popen([harness.program()[0], "ctl", "upgrade", "--socket", str(run.control)],
                              env=harness.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    poll((tmp_path / "hangs").exists, what="the new program to come so far")
    try:
        yield asking
    finally:
        asking.kill()
        asking.communicate()


STEPS = pytest.mark.parametrize("steps", ["begin", "check", "check ready yours"])


@STEPS
def test_sigterm_during_an_upgrade(tmp_path, echo, program, steps):
    with pair(tmp_path, echo, executable=program) as (run, _), under_way(run, program, tmp_path, *steps.split()):
        programs = run.programs()
        assert len(programs) == 2
        run.signal(signal.SIGTERM)
        assert run.exit() == 0
        assert not any(os.path.exists("/proc/%d" % pid) for pid in programs)


@STEPS
def test_sigint_during_an_upgrade(tmp_path, echo, program, steps):
    """The upgrade is given up, and what serves drains."""
    with pair(tmp_path, echo, executable=program) as (run, _), connect(run.where("near")) as sock:
        assert echoes(sock)
        with under_way(run, program, tmp_path, *steps.split()):
            run.signal(signal.SIGINT)
            poll(lambda: refused(run.where("near")), what="the port to close")
            poll(lambda: len(run.programs()) == 1, what="the new program to end")
            assert echoes(sock)
        sock.close()
        assert run.exit() == 0


@pytest.mark.parametrize("steps", ["begin", "check"])
def test_drain_during_an_upgrade(tmp_path, echo, program, steps):
    """ptah ctl drain, too, ends it: the new program must not go on."""
    with pair(tmp_path, echo, executable=program) as (run, _), connect(run.where("near")) as sock:
        assert echoes(sock)
        with under_way(run, program, tmp_path, *steps.split()) as asking:
            draining = threading.Thread(target=run.ctl, args=("drain",))
            draining.start()
            _, err = asking.communicate(timeout=20 * harness.SLOW)
            assert asking.returncode == 1 and "ptah is about to end" in err
            poll(lambda: refused(run.where("near")), what="the port to close")
            assert echoes(sock)
        sock.close()
        draining.join()
        assert run.exit() == 0


def test_changes_wait_for_an_upgrade(tmp_path, echo, program):
    """A second upgrade and a reload are refused meanwhile; SIGHUP is followed when it is over."""
    with pair(tmp_path, echo, executable=program) as (run, services):
        before = run.programs()
        with under_way(run, program, tmp_path, "check") as asking:
            for word in ("upgrade", "reload"):
                done = run.ctl(word)
                assert done.returncode == 1 and "upgrade is under way" in done.stderr, done
            run.write({**services, "late": server(echo.port)})
            run.signal(signal.SIGHUP)
            new, = set(run.programs()) - set(before)
            os.kill(new, signal.SIGKILL)
            _, err = asking.communicate(timeout=20 * harness.SLOW)
            assert asking.returncode == 1 and "ended by signal 9" in err
        with connect(run.where("late")) as sock:
            assert echoes(sock)


@needs_obfs4
def test_state_comes_back(tmp_path, echo, program):
    """What came while a new program was about to serve is remembered, and the state is written again."""
    with bridge(tmp_path, echo, replayState=True, executable=program) as (run, far):
        lock = tmp_path / "state" / "far" / "obfs4_lock"
        hello = record(tmp_path, far)
        with under_way(run, program, tmp_path, "check", "ready", "yours"):
            held = record(tmp_path, far)
            run.wait_line("not upgraded, and nothing has changed: the new program did not begin", "err", timeout=20)
        assert lock.exists()
        are_refused(far.where, hello, 1)
        are_refused(far.where, held, 1)
        assert run.finish() == 0
    with bridge(tmp_path, echo, replayState=True) as (_, far):
        are_refused(far.where, hello, 1)
        are_refused(far.where, held, 1)


def test_manager_hears_who_goes_on(tmp_path, echo, program):
    """When the new program dies in the last moment the old one says again that it lives."""
    where = str(tmp_path / "notify")
    path = tmp_path / "ptah.json"
    path.write_text('{"stateDir": "%s", "control": "%s", "services": {"one": {"role": "server", "transport": "dummy",'
                    '"listen": "127.0.0.1:0", "target": "127.0.0.1:%d"}}}' %
                    (tmp_path / "state", tmp_path / "control", echo.port))
    with Manager(where) as manager, harness.Ptah(["run", "--upgradable", path], executable=program, env={
            "NOTIFY_SOCKET": where, "WATCHDOG_USEC": "300000"}) as p:
        manager.hear_of("READY")
        play(program, tmp_path, "check", "ready", "yours", "die")
        assert ctl("upgrade", "--socket", tmp_path / "control").returncode == 1
        assert manager.hear_of("READY") == {"READY": "1", "MAINPID": str(p.pid), "STATUS": "1 service serves"}
        for _ in range(3):
            assert manager.hear_of("WATCHDOG") == {"WATCHDOG": "1"}
