# SPDX-License-Identifier: BSD-3-Clause
"""ptah run: several services in one process, and what a reload does to them."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

import harness
from harness import connect, echoes, free_port, poll
from runner import Run, client, pair, server


def refused(where):
    """Nobody listens there."""
    try:
        connect(where).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass    # the listener was closed before it could accept
    return False


def greeting(where):
    """What a link begins with there, be it our own words; a plan that goes may still take what has come."""
    with connect(where) as sock:
        sock.sendall(b"these")
        return harness.recv_exact(sock, 5)


def test_ends_in_one_process_carry_bytes(tmp_path, echo):
    """A client, its server and another client that speaks SOCKS, in one file."""
    with pair(tmp_path, echo) as (run, services):
        far = run.where("far")
        with connect(run.where("near")) as sock:
            assert echoes(sock, os.urandom(100000))
        run.reload({**services, "socks": {"role": "client", "transport": "dummy", "listen": "127.0.0.1:0"}})
        sock, reply = harness.socks5(run.where("socks"), far)
        with sock:
            assert reply == 0 and echoes(sock)
        assert run.finish() == 0


def test_unchanged_is_not_touched(tmp_path, echo):
    """A reload of the same file starts nothing and closes nothing."""
    with pair(tmp_path, echo) as (run, _):
        near = run.where("near")
        with connect(near) as sock:
            assert echoes(sock)
            assert "0 services are new, 0 changed, 0 gone, 2 as they were" in run.reload()
            assert echoes(sock)
        assert sum(" serves: " in line for line in run.err_lines) == 2
        with connect(near) as sock:
            assert echoes(sock)


def test_changed_takes_the_place_over(tmp_path, echo):
    """Another target for new links; a live one ends as it began; the port stays the same."""
    with harness.SinkServer(greeting=b"other") as other, pair(tmp_path, echo) as (run, services):
        far, near = run.where("far"), run.where("near")
        with connect(near) as old:
            assert echoes(old)
            since = len(run.err_lines)
            changed = {**services, "far": server(other.port, listen="%s:%d" % far)}
            assert "0 services are new, 1 changed, 0 gone, 1 as they were" in run.reload(changed)
            assert run.where("far", since) == far
            poll(lambda: greeting(near) == b"other", what="a link of the new plan")
            assert echoes(old, os.urandom(50000))


def test_port_of_the_kernel_is_kept(tmp_path, echo):
    """Port 0 is the same port after a change."""
    with Run(tmp_path, {"far": server(echo.port)}) as run:
        run.wait_ready()
        far = run.where("far")
        since = len(run.err_lines)
        run.reload({"far": server(echo.port, dialTimeout=9)})
        assert run.where("far", since) == far


def test_gone_and_new(tmp_path, echo):
    """What is not in the file any more takes nothing new, and what is new serves."""
    with pair(tmp_path, echo) as (run, services):
        near = run.where("near")
        with connect(near) as sock:
            assert echoes(sock)
            assert "1 services are new, 0 changed, 1 gone, 1 as they were" in run.reload(
                {"far": services["far"], "also": client(run.where("far"))})
            poll(lambda: refused(near), what="the old port to close")
            assert echoes(sock)
            with connect(run.where("also")) as new:
                assert echoes(new)


def test_ports_may_change_hands(tmp_path, echo):
    """Two services take each other's port in one reload."""
    with harness.SinkServer(greeting=b"other") as other:
        one, two = free_port(), free_port()
        places = ["127.0.0.1:%d" % port for port in (one, two)]
        with Run(tmp_path, {"a": server(echo.port, listen=places[0]),
                            "b": server(other.port, listen=places[1])}) as run:
            run.wait_ready()
            assert "0 services are new, 2 changed" in run.reload(
                {"a": server(echo.port, listen=places[1]), "b": server(other.port, listen=places[0])})

            poll(lambda: greeting(("127.0.0.1", one)) == b"other", what="the other service on its port")
            poll(lambda: greeting(("127.0.0.1", two)) == b"these", what="the first service on the other's port")


@pytest.mark.parametrize("broken, said", [
    ("{\"services\": {", r"ptah\.json:1:"),
    ({"far": {"role": "server"}}, r"services\.far\.transport: "),
    ({"far": server(9, options={"colour": 1})}, r"services\.far\.options\.colour: "),
])
def test_error_changes_nothing(tmp_path, echo, broken, said):
    """A file with an error is refused whole, and each fault is said."""
    with pair(tmp_path, echo) as (run, services):
        near = run.where("near")
        with connect(near) as sock:
            run.reload(broken, answer="is not taken: nothing has changed")
            run.wait_line(said, "err")
            assert echoes(sock)
            with connect(near) as new:
                assert echoes(new)
        assert "2 as they were" in run.reload(services)


def test_service_that_fails_leaves_others_alone(tmp_path, echo):
    """A new one whose port is taken does not start; the next reload tries again."""
    with socket.create_server(("127.0.0.1", free_port())) as taken, pair(tmp_path, echo) as (run, services):
        more = {**services, "late": server(echo.port, listen="127.0.0.1:%d" % taken.getsockname()[1])}
        assert "1 services are new" in run.reload(more)
        run.wait_line("late does not start: dummy: cannot listen on .*: Address already in use", "err")
        with connect(run.where("near")) as sock:
            assert echoes(sock)
        taken.close()
        since = len(run.err_lines)
        run.reload()
        with connect(run.where("late", since)) as sock:
            assert echoes(sock)


def test_failed_change_leaves_the_old_one(tmp_path, echo):
    """Where the new plan does not start, the old one goes on, until it can be replaced."""
    with socket.create_server(("127.0.0.1", free_port())) as taken, pair(tmp_path, echo) as (run, services):
        near = run.where("near")
        elsewhere = "127.0.0.1:%d" % taken.getsockname()[1]
        changed = {**services, "near": client(run.where("far"), listen=elsewhere)}
        for _ in range(2):
            since = len(run.err_lines)
            run.reload(changed)
            run.wait_line("near goes on as it was before", "err", since=since)
            with connect(near) as sock:
                assert echoes(sock)
            assert "2 as they were" in run.reload(services)
        since = len(run.err_lines)
        run.reload(changed)
        run.wait_line("near goes on as it was before", "err", since=since)
        taken.close()
        since = len(run.err_lines)
        run.reload()
        with connect(run.where("near", since)) as sock:
            assert echoes(sock)
        poll(lambda: refused(near), what="the old port to close")


def test_drain_waits_for_links(tmp_path, echo):
    """SIGINT closes the ports and ends with the last link; the exit status is 0."""
    with pair(tmp_path, echo) as (run, _):
        near = run.where("near")
        with connect(near) as sock:
            assert echoes(sock)
            run.signal(signal.SIGINT)
            poll(lambda: refused(near), what="the port to close")
            assert echoes(sock) and run.alive()
        assert run.exit() == 0


def test_drain_has_a_deadline(tmp_path, echo):
    """Links that do not end are ended when their time is over."""
    with pair(tmp_path, echo, drainTimeout=1) as (run, _):
        with connect(run.where("near")) as sock:
            assert echoes(sock)
            run.signal(signal.SIGINT)
            assert run.exit() == 0
            assert harness.recv_all(sock) == b""


def test_second_sigint_ends_at_once(tmp_path, echo):
    with pair(tmp_path, echo) as (run, _):
        near = run.where("near")
        with connect(near) as sock:
            assert echoes(sock)
            run.signal(signal.SIGINT)
            poll(lambda: refused(near), what="the port to close")
            run.signal(signal.SIGINT)
            assert run.exit() == 0


def test_old_plans_have_a_deadline(tmp_path, echo):
    """Links of a plan that was changed are ended after drainTimeout, the others not."""
    with pair(tmp_path, echo, drainTimeout=1) as (run, services):
        far = run.where("far")
        with connect(run.where("near")) as old, connect(far) as other:
            assert echoes(old) and echoes(other)
            run.reload({**services, "near": {**services["near"], "dialTimeout": 9}})
            assert harness.recv_all(old) == b""
            assert echoes(other)


def test_counters_are_logged(tmp_path, echo):
    with pair(tmp_path, echo) as (run, _):
        run.signal(signal.SIGUSR1)
        run.wait_line(r"counters: links_opened=0 ", "err")


@pytest.mark.parametrize("text, status", [("{}", 78), (None, 78)])
def test_file_that_cannot_be_used(tmp_path, text, status):
    path = tmp_path / "ptah.json"
    if text is not None:
        path.write_text(text)
    got = subprocess.run([harness.program()[0], "run", str(path)], capture_output=True, text=True, check=False,
                         env=harness.environment(), timeout=120 * harness.SLOW)
    assert got.returncode == status
    assert str(path) in got.stderr and got.stdout == ""


def test_nothing_that_starts(tmp_path, echo):
    """When no service starts there is nothing to stay for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with Run(tmp_path, {"far": server(echo.port, listen="127.0.0.1:%d" % taken.getsockname()[1])}) as run:
            assert run.exit() == 69


def test_identity_is_handed_on(tmp_path, echo):
    """A changed server is the one that clients know, while old links live; its state is written by the newest alone."""
    port = free_port()
    far = server(echo.port, "obfs4", listen="127.0.0.1:%d" % port)
    with Run(tmp_path, {"far": far}) as run:
        run.wait_ready()
        state = tmp_path / "state" / "far"
        cert = re.search(r"cert=(\S+)", (state / "obfs4_bridgeline.txt").read_text()).group(1)
        near = client(("127.0.0.1", port), "obfs4")
        near["options"].update({"cert": cert, "iat-mode": 0})
        run.reload({"far": far, "near": near})
        with contextlib.ExitStack() as stack:
            links = []
            for timeout in (7, 8, 9):
                links.append(stack.enter_context(connect(run.where("near"))))
                since = len(run.err_lines)
                run.reload({"far": {**far, "dialTimeout": timeout}, "near": near})
                assert run.where("far", since) == ("127.0.0.1", port)
                for link in links:
                    assert echoes(link)
            assert cert in (state / "obfs4_bridgeline.txt").read_text()
        assert run.finish() == 0
    assert not (state / "obfs4_lock").exists()


@contextlib.contextmanager
def udp_echo():
    """Sends datagrams back, with its name before them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve():
            while True:
                data, peer = sock.recvfrom(65536)
                if not data:
                    return
                sock.sendto(b"%d:" % sock.getsockname()[1] + data, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", sock.getsockname())
            thread.join()


class Source:
    """An application's UDP socket."""

    def __init__(self, where):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(where)
        self.n = 0

    def asks(self, most=30, seconds=0.3):
        """Who answers?  The first datagrams of a source may be lost while its link is made; where none may, it has its time."""
        self.sock.settimeout(seconds * harness.SLOW)
        for _ in range(most):
            self.n += 1
            self.sock.send(b"%d" % self.n)
            try:
                while True:
                    port, n = self.sock.recv(100).split(b":")
                    if int(n) == self.n:
                        return int(port)
            except socket.timeout:
                pass
        raise AssertionError("no answer")


def source_of(where, who):
    """A source that this one answers; just after a change the old plan may still take one that comes."""
    def attempt():
        source = Source(where)
        if source.asks() == who:
            return source
        source.sock.close()
        return None

    return poll(attempt, what="a source of the new plan")


@pytest.mark.parametrize("options", [{"messages": False}, {"messages": True}])
def test_sources_stay_where_they_were(tmp_path, options):
    """UDP: a source that has a link keeps it when client or server is changed; new ones come to the new plan."""
    with udp_echo() as one, udp_echo() as two:
        port = free_port()

        def services(target, timeout):
            near = client(("127.0.0.1", port), mode="transparent-UDP", udpTimeout=timeout)
            near["options"].update(options)
            return {"far": server(target, mode="transparent-UDP", listen="127.0.0.1:%d" % port, options=options),
                    "near": near}

        with Run(tmp_path, services(one, 60)) as run:
            run.wait_ready()
            near = run.where("near")
            old = [Source(near) for _ in range(4)]
            assert [source.asks() for source in old] == [one] * 4
            since = len(run.err_lines)
            assert "2 changed" in run.reload(services(two, 61))
            assert run.where("near", since) == near
            run.where("far", since)
            assert [source.asks(1, 10) for source in old] == [one] * 4
            new = [source_of(near, two) for _ in range(4)]
            assert [source.asks(1, 10) for source in old + new] == [one] * 4 + [two] * 4
            since = len(run.err_lines)
            run.reload(services(one, 62))
            run.where("near", since), run.where("far", since)
            assert [source.asks(1, 10) for source in old + new] == [one] * 4 + [two] * 4
            for source in old + new:
                source.sock.close()


def test_gone_before_the_new_plan_was_ready(tmp_path, echo):
    """A service whose new plan still starts is taken out of the file: the old one does not stay behind."""
    with pair(tmp_path, echo) as (run, services):
        near = run.where("near")
        never = {**services["near"], "options": {**services["near"]["options"], "never": True}}
        run.reload({**services, "near": never})
        with connect(near) as sock:
            assert echoes(sock)
            assert "2 gone, 1 as they were" in run.reload({"far": services["far"]})
            poll(lambda: refused(near), what="the port to close")
            assert echoes(sock)
