# SPDX-License-Identifier: BSD-3-Clause
"""ptah ctl upgrade with services of each kind: datagrams, isolated ones, and those below a service manager."""
import contextlib
import json
import math
import os
import signal

import pytest

import harness
from cells import needs_landlock
from harness import connect, echoes, free_port, poll
from runner import client, server
from test_manager import HAND_OVER, Manager
from test_run import Source, udp_echo
from test_upgrade import Knocking, Upgradable, ctl


# --- datagrams ----------------------------------------------------------------------------------


class Patient(Source):
    """One that notices when a part of its datagrams is lost; but a single one may be, at a change."""

    def rounds(self, n):
        return {self.asks(2, 3) for _ in range(n)}


@contextlib.contextmanager
def datagrams(tmp_path, target, options, ends=("far", "near"), label="one", **more):
    """Both ends for datagrams, or one of them, at ports that both know."""
    far, near = more.pop("ports", None) or (free_port(), free_port())
    services = {
        "far": server(target, mode="transparent-UDP", listen="127.0.0.1:%d" % far, options=options),
        "near": client(("127.0.0.1", far), mode="transparent-UDP", listen="127.0.0.1:%d" % near)}
    services["near"]["options"].update(options)
    folder = tmp_path / label
    folder.mkdir()
    with Upgradable(folder, {end: services[end] for end in ends}, **more) as run:
        run.wait_ready()
        yield run, (far, near)


def upgrade(run):
    """And the old program reads no more, although it has flows."""
    since = len(run.err_lines)
    done = run.ctl("upgrade")
    assert done.returncode == 0, done.stderr
    run.wait_line(r"ready: \d+ of \d+ services serve", "err", since=since)
    run.wait_line("no new links; waiting for the last one", "err", since=since)


@pytest.mark.parametrize("options", [{"messages": False}, {"messages": True}])
def test_flows_go_on(tmp_path, options):
    """Each source is answered again, and then to each datagram, while old programs are still there."""
    with udp_echo() as target, datagrams(tmp_path, target, options) as (run, (_, near)):
        sources = [Patient(("127.0.0.1", near)) for _ in range(4)]
        for n in range(3):
            assert [source.asks() for source in sources] == [target] * 4
            for source in sources:
                assert source.rounds(20) == {target}
            if n < 2:
                upgrade(run)
                source = Patient(("127.0.0.1", near))
                assert source.asks() == target and source.rounds(5) == {target}
                sources.append(source)
                sources.pop(0).sock.close()
        assert len(run.programs()) > 1
        for source in sources:
            source.sock.close()


@pytest.mark.parametrize("options", [{"messages": False}, {"messages": True}])
@pytest.mark.parametrize("end", ["far", "near"])
def test_flows_go_on_where_one_end_is_upgraded(tmp_path, options, end):
    with udp_echo() as target, datagrams(tmp_path, target, options, ends=("far",)) as (far, ports), \
            datagrams(tmp_path, target, options, ends=("near",), label="two", ports=ports) as (near, _):
        sources = [Patient(("127.0.0.1", ports[1])) for _ in range(4)]
        for _ in range(2):
            assert [source.asks() for source in sources] == [target] * 4
            for source in sources:
                assert source.rounds(20) == {target}
            upgrade(far if end == "far" else near)
        assert [source.asks() for source in sources] == [target] * 4
        for source in sources:
            assert source.rounds(20) == {target}
            source.sock.close()


def test_old_programs_end_with_their_flows(tmp_path):
    """What nobody hears of any more is idle, and goes after udpTimeout."""
    with udp_echo() as target, datagrams(tmp_path, target, {"messages": True}) as (run, (far, near)):
        services = json.loads(run.path.read_text())["services"]
        for service in services.values():
            service["udpTimeout"] = math.ceil(harness.SLOW)  # longer than a source waits before it asks again
        since = len(run.err_lines)
        run.reload(services)
        run.where("near", since), run.where("far", since)
        source = Patient(("127.0.0.1", near))
        assert source.asks() == target
        upgrade(run)
        assert source.asks() == target
        poll(lambda: len(run.programs()) == 1, what="the old program to end")
        assert source.asks() == target
        source.sock.close()


# --- isolated -------------------------------------------------------------------------------------


@contextlib.contextmanager
def isolated(tmp_path, echo, **more):
    port = free_port()
    services = {"far": server(echo.port, listen="127.0.0.1:%d" % port, isolate=True),
                "near": client(("127.0.0.1", port), isolate=True)}
    with Upgradable(tmp_path, services, **more) as run:
        run.wait_ready()
        yield run


def cells(program):
    with open("/proc/%d/task/%d/children" % (program, program), encoding="ascii") as children:
        return sorted(map(int, children.read().split()))


@needs_landlock
def test_isolated_services_go_on(tmp_path, echo):
    """No port is closed, links live in the old processes to their end, and these end with them."""
    with isolated(tmp_path, echo) as run, connect(run.where("near")) as live:
        assert echoes(live)
        old = run.programs()[0]
        olds = cells(old)
        assert len(olds) == 2
        with Knocking(run.where("near")) as near, Knocking(run.where("far")) as far:
            for _ in range(3):
                since, n, m = len(run.err_lines), near.n, far.n
                done = run.ctl("upgrade")
                assert done.returncode == 0, done.stderr
                run.wait_line("no new links; waiting for the last one", "err", since=since)
                poll(lambda: near.n > n + 5 and far.n > m + 5 or near.wrong or far.wrong, what="links on the new program")
                assert echoes(live, os.urandom(100000))
        assert near.wrong == [] and far.wrong == []
        poll(lambda: len(run.programs()) == 2, what="the programs between to end")
        assert cells(old) == olds
        live.close()
        poll(lambda: len(run.programs()) == 1, what="the old program to end")
        assert not any(os.path.exists("/proc/%d" % pid) for pid in olds)
        assert run.finish() == 0


@needs_landlock
def test_isolated_service_that_dies_after_an_upgrade(tmp_path, echo):
    """The new program starts it again, on the port that it was handed."""
    with isolated(tmp_path, echo) as run:
        since = len(run.err_lines)
        assert run.ctl("upgrade").returncode == 0
        run.wait_line("no new links; waiting for the last one", "err", since=since)
        poll(lambda: len(run.programs()) == 1, what="the old program to end")
        before = cells(run.programs()[0])
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        poll(lambda: len(set(cells(run.programs()[0])) - set(before)) == 2, what="both to be back")

        def carries():
            try:
                with connect(run.where("near")) as sock:
                    return echoes(sock)
            except (OSError, AssertionError):
                return False

        poll(carries, what="a link")


# --- below a service manager --------------------------------------------------------------------------


def environment_of(pid):
    with open("/proc/%d/environ" % pid, "rb") as words:
        return dict(word.split(b"=", 1) for word in words.read().split(b"\0") if b"=" in word)


def test_a_service_manager_sees_one_process(tmp_path, echo):
    """TCP and UDP sockets of the manager, its watchdog, and what it hears, over two upgrades and one that fails."""
    tcp, udp, where, path = free_port(), free_port(), str(tmp_path / "notify"), tmp_path / "ptah.json"
    with udp_echo() as target, Manager(where) as manager:
        def write(**more):
            path.write_text(json.dumps({
                "stateDir": str(tmp_path / "state"), "control": str(tmp_path / "control"), "workers": 2,
                "services": {"web": server(echo.port, listen="fd:web"), **more}}))

        dns = {"role": "server", "transport": "dummy", "mode": "transparent-UDP", "options": {"messages": True},
               "listen": "fd:dns", "target": "127.0.0.1:%d" % target}
        write(dns=dns)
        with harness.Ptah(["-c", HAND_OVER, "tcp:%d,udp:%d" % (tcp, udp), harness.program()[0], "run", "--upgradable", str(path)],
                          executable="/usr/bin/python3",
                          env={"LISTEN_FDNAMES": "web:dns", "NOTIFY_SOCKET": where, "WATCHDOG_USEC": "900000"}) as p, \
                Knocking(("127.0.0.1", tcp)) as knocking:
            def programs():
                with open("/proc/%d/task/%d/children" % (p.pid, p.pid), encoding="ascii") as children:
                    return list(map(int, children.read().split()))

            said = manager.hear_of("READY")
            assert said == {"READY": "1", "MAINPID": str(p.pid), "STATUS": "2 services serve"}
            source = Patient(("127.0.0.1", udp))
            assert source.asks() == target
            for _ in range(2):
                before = programs()
                assert ctl("upgrade", "--socket", tmp_path / "control").returncode == 0
                assert manager.hear_of("READY")["MAINPID"] == str(p.pid)
                new = [pid for pid in programs() if pid not in before]
                assert len(new) == 1
                env = environment_of(new[0])
                assert not {b"LISTEN_PID", b"LISTEN_FDS", b"LISTEN_FDNAMES", b"WATCHDOG_PID"} & set(env)
                assert env[b"NOTIFY_SOCKET"].decode() == where
                assert source.asks() == target
                for _ in range(2):
                    got = manager.hear_of("WATCHDOG")
                    assert got == {"WATCHDOG": "1"}
            write(dns={**dns, "listen": "fd:none"})
            done = ctl("upgrade", "--socket", tmp_path / "control")
            assert done.returncode == 1 and 'no socket with the name "none"' in done.stderr, done
            assert manager.hear_of("WATCHDOG") == {"WATCHDOG": "1"}
            assert source.asks() == target and source.rounds(10) == {target}
            source.sock.close()
            p.signal(signal.SIGTERM)
            assert manager.hear_of("STOPPING")["STATUS"] == "ending"
            knocking.over = True
            assert p.exit() == 0
