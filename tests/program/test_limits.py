# SPDX-License-Identifier: BSD-3-Clause
"""The limits of a service: links, new ones per second, links of a prefix; and how its sockets are."""
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness
import lines
from cells import needs_landlock
from harness import connect, echoes, free_port, poll, recv_exact
from runner import Run, client, server
from test_metrics import get, port_of, sample


@contextlib.contextmanager
def serving(tmp_path, service, **more):
    """One service; gives the run, and where it listens."""
    with Run(tmp_path, {"far": service}, **more) as run:
        run.wait_ready()
        yield run, run.where("far")
        run.check()


def come(where, source="127.0.0.1"):
    """A connection from there; it may wait to be accepted."""
    sock = socket.socket()
    sock.settimeout(lines.PATIENCE)
    sock.bind((source, 0))
    sock.connect(where)
    return sock


def is_reset(begin, *args):
    """Whoever begins so is turned away; it may see that before it has connected."""
    try:
        with begin(*args) as sock:
            sock.sendall(b"x")
            return sock.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


def waits(sock, seconds=0.3):
    """Nothing comes, and it is not closed."""
    sock.settimeout(seconds)
    try:
        sock.sendall(b"ping")
        got = sock.recv(1)
    except socket.timeout:
        return True
    finally:
        sock.settimeout(lines.PATIENCE)
    raise AssertionError("it does not wait: %r" % got)


def wait_stopped(run):
    """SIGSTOP has been heard, by all its threads."""
    def stopped():
        tasks = "/proc/%d/task" % run.pid
        return all(open("%s/%s/stat" % (tasks, task)).read().rpartition(")")[2].split()[0] == "T" for task in os.listdir(tasks))

    poll(stopped, what="it to stop")


def said(run, what):
    """How often the log has said it."""
    return sum(what in line for line in run.err_lines)


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=needs_landlock)])
def test_more_links_wait(tmp_path, echo, isolate):
    """The third of two waits to be accepted, and is served when one has ended."""
    service = server(echo.port, limits={"links": 2}, isolate=isolate)
    with serving(tmp_path, service) as (run, where):
        with come(where) as first, come(where) as second:
            assert echoes(first) and echoes(second)
            assert said(run, "limits.links") == 0
            with come(where) as third, come(where) as fourth:
                assert waits(third) and waits(fourth)
                run.wait_line(r"far: limits\.links allows 2, and so many are open: new ones wait", "err")
                first.close()
                # One of the two has its answer, and the other still waits.
                ready = select.select([third, fourth], [], [], lines.PATIENCE)[0]
                assert len(ready) == 1 and recv_exact(ready[0], 4) == b"ping"
                assert echoes(ready[0]) and echoes(second)
                second.close()
                other = fourth if ready[0] is third else third
                assert recv_exact(other, 4) == b"ping"
        assert said(run, "limits.links") == 1   # it was met all the while, and said once
        with come(where) as last:
            assert echoes(last)


def test_limits_of_a_client(tmp_path, echo):
    """Applications are links, too, those that are told no among them."""
    services = {"far": server(echo.port), "near": client(("127.0.0.1", free_port()), limits={"links": 1})}
    with Run(tmp_path, services) as run:
        run.wait_ready()
        for _ in range(5):      # nobody is at the far end
            with come(run.where("near")) as sock:
                lines.expect_closed(sock)
        # Under another name, and so on another port: the one that goes may take one more connection on its own.
        services = {"far": services["far"], "again": client(run.where("far"), limits={"links": 1, "linksPerPrefix": 1})}
        run.reload(services)
        near = run.where("again")
        for _ in range(3):
            with come(near) as sock:
                assert echoes(sock)
                with come(near, "127.0.0.2") as other:
                    assert waits(other, 0.1)
                    sock.close()
                    assert recv_exact(other, 4) == b"ping"
        run.check()


def test_more_per_second_wait(tmp_path, echo):
    """So many at once, then one after another at that pace; all are served, and each is counted once."""
    service = server(echo.port, limits={"linksPerSecond": 5})
    with serving(tmp_path, service, workers=1, metrics="127.0.0.1:0") as (run, where):
        def refused():
            return sample(get(port_of(run), "/metrics")[2], "ptah_connections_refused_total", limit="rate")

        for _ in range(5):      # as many as there is room for: each takes one place of it, and no more
            with come(where) as sock:
                assert echoes(sock)
        assert refused() == 0 and said(run, "linksPerSecond") == 0
        with contextlib.ExitStack() as stack:
            run.signal(signal.SIGSTOP)  # so that they are there at once, however slow we are
            stack.callback(run.signal, signal.SIGCONT)
            wait_stopped(run)
            socks = [stack.enter_context(come(where)) for _ in range(12)]
            for sock in socks:
                sock.sendall(b"ping")
            began = time.monotonic()
            run.signal(signal.SIGCONT)
            for sock in socks:
                assert recv_exact(sock, 4) == b"ping"
            assert time.monotonic() - began > (12 - 5) / 5 - 0.1
        run.wait_line(r"far: limits\.linksPerSecond allows 5, and more come: new ones wait", "err")
        assert said(run, "linksPerSecond") == 1
        # It looks for them fifty times in each second that they wait.
        assert 1 <= refused() <= 12
        with come(where) as sock:
            assert echoes(sock)


def test_more_of_a_prefix_are_reset(tmp_path, echo):
    """Sources of one prefix share a number; others do not mind; what ends makes room."""
    limits = {"linksPerPrefix": 2, "prefixV4": 24}
    with serving(tmp_path, server(echo.port, limits=limits)) as (run, where):
        with come(where, "127.0.0.1") as one, come(where, "127.0.0.77") as two:
            assert echoes(one) and echoes(two)
            for _ in range(3):
                assert is_reset(come, where, "127.0.0.3")
            run.wait_line(r"far: limits\.linksPerPrefix allows 2, and so many are open from one prefix: new ones from there are closed", "err")
            with come(where, "127.0.1.1") as other:
                assert echoes(other)
            one.close()
            poll(lambda: not is_reset(come, where, "127.0.0.3"), what="room")
            assert echoes(two)
        assert said(run, "linksPerPrefix") == 1


def test_figures_say_which_limit_was_reached(tmp_path, echo):
    """One that waits is counted once, however long; one that is reset, each time."""
    limits = {"links": 2, "linksPerPrefix": 1}
    with serving(tmp_path, server(echo.port, limits=limits), workers=1, metrics="127.0.0.1:0") as (run, where):
        def refused(limit):
            return sample(get(port_of(run), "/metrics")[2], "ptah_connections_refused_total", limit=limit)

        with come(where) as one:
            assert echoes(one)
            for n in range(1, 4):
                assert is_reset(come, where)
                assert refused("prefix") == n
            with come(where, "127.0.0.2") as two, come(where, "127.0.0.3") as three:
                assert echoes(two)
                poll(lambda: refused("links") == 1, what="the third to be seen")
                assert waits(three, 0.5) and refused("links") == 1
                one.close()
                assert recv_exact(three, 4) == b"ping"
        assert (refused("prefix"), refused("links"), refused("rate")) == (3, 1, 0)


def test_failed_links_leave_their_prefix(tmp_path):
    """Nobody is at the target: each link ends, and then, when somebody is there, there is room."""
    limits = {"linksPerPrefix": 1, "links": 2}
    port = free_port()
    with serving(tmp_path, server(port, limits=limits)) as (run, where):
        for _ in range(20):
            # One worker may take it before another has buried the one before.
            with contextlib.suppress(ConnectionResetError), come(where) as sock:
                lines.expect_closed(sock)
        run.wait_line("cannot reach the target", "err")
        with harness.EchoServer(port=port):
            poll(lambda: not is_reset(come, where), what="room")


def test_prefix_is_that_of_the_client_behind_a_proxy(tmp_path, echo):
    """haproxy has one address, its clients have many."""
    limits = {"linksPerPrefix": 1, "prefixV6": 48}
    service = server(echo.port, limits=limits, proxyProtocolFrom=["127.0.0.1"])
    with serving(tmp_path, service) as (_, where):
        def caller(family, address):
            sock = connect(where)
            sock.sendall(("PROXY TCP%d %s %s 1 2\r\n" % (family, address, address)).encode())
            return sock

        with caller(4, "192.0.2.1") as one, caller(4, "192.0.2.2") as two, caller(6, "2001:db8:1:2::3") as three:
            assert echoes(one) and echoes(two) and echoes(three)
            assert is_reset(caller, 4, "192.0.2.1")
            assert is_reset(caller, 6, "2001:db8:1:3::4")
            with caller(6, "2001:db8:2::") as other:
                assert echoes(other)


@contextlib.contextmanager
def udp_echo():
    """A target that gives back what it gets; in the background."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        over = threading.Event()

        def run():
            while not over.is_set():
                try:
                    got, back = sock.recvfrom(65535)
                    sock.sendto(got, back)
                except socket.timeout:
                    pass

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield sock.getsockname()[1]
        over.set()
        thread.join()


def datagram(source="127.0.0.1"):
    """A socket for datagrams from there."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((source, 0))
    return sock


def answered(sock, where, tries=100):
    """Datagrams get lost while a link is made: ask until one comes back."""
    sock.settimeout(0.1)
    for _ in range(tries):
        sock.sendto(b"ping", where)
        with contextlib.suppress(socket.timeout):
            return sock.recv(10) == b"ping"
    return False


@pytest.mark.parametrize("messages", [False, True])
def test_sources_of_datagrams_are_links(tmp_path, messages):
    """More sources than links, or than links of a prefix, get no answer; those that have one go on."""
    options = {"messages": True} if messages else {}
    port = free_port()
    with udp_echo() as target:
        services = {
            "far": server(target, mode="transparent-UDP", options=options, listen="127.0.0.1:%d" % port),
            "near": {"role": "client", "mode": "transparent-UDP", "transport": "dummy", "listen": "127.0.0.1:0",
                     "options": {**options, "serverAddress": "127.0.0.1:%d" % port}, "udpQueue": 4,
                     "limits": {"links": 3, "linksPerPrefix": 2}},
        }
        with Run(tmp_path, services) as run:
            run.wait_ready()
            near = run.where("near")
            with datagram() as one, datagram() as two, datagram() as three, datagram("127.0.0.2") as other:
                assert answered(one, near) and answered(two, near)
                assert not answered(three, near, 2)
                run.wait_line(r"near: limits\.linksPerPrefix allows 2", "err")
                assert answered(other, near)
                with datagram("127.0.0.3") as fourth:
                    assert not answered(fourth, near, 2)
                run.wait_line(r"near: limits\.links allows 3, and so many are open: new ones are turned away", "err")
                assert answered(one, near) and answered(two, near) and answered(other, near)
            run.check()


@pytest.mark.parametrize("messages", [False, True])
def test_peers_of_a_server_of_datagrams_are_links(tmp_path, messages):
    """The far end bounds, too: a client's second source comes from the same address."""
    options = {"messages": True} if messages else {}
    port = free_port()
    with udp_echo() as target:
        services = {
            "far": server(target, mode="transparent-UDP", options=options, listen="127.0.0.1:%d" % port,
                          limits={"linksPerPrefix": 1}),
            "near": {"role": "client", "mode": "transparent-UDP", "transport": "dummy", "listen": "127.0.0.1:0",
                     "options": {**options, "serverAddress": "127.0.0.1:%d" % port}, "udpQueue": 4},
        }
        with Run(tmp_path, services) as run:
            run.wait_ready()
            near = run.where("near")
            with datagram() as one, datagram() as two:
                assert answered(one, near)
                assert not answered(two, near, 2)
                run.wait_line(r"far: limits\.linksPerPrefix allows 1, and", "err")
                assert answered(one, near)
            run.check()


# --- how its sockets are ----------------------------------------------------------------------


def sockets(*words):
    """What ss says of them, a line each."""
    return subprocess.run(["ss", "-Hn", *words], capture_output=True, text=True, timeout=60, check=True).stdout


def backlogs(where):
    """How many may wait on each socket of a place."""
    return [int(line.split()[2]) for line in sockets("-lt", "src %s:%d" % where).splitlines()]


def test_backlog(tmp_path, echo):
    """As the file says, and after a reload as it says then; the port stays open."""
    service = server(echo.port, backlog=7)
    with serving(tmp_path, service) as (run, where):
        assert backlogs(where) == [7, 7]
        since = len(run.err_lines)
        run.reload({"far": {**service, "backlog": 9}})
        assert run.where("far", since) == where
        assert backlogs(where) == [9, 9]
        with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
            most = int(file.read())
        since = len(run.err_lines)
        run.reload({"far": server(echo.port)})
        assert run.where("far", since) == where
        assert backlogs(where) == [most, most]


def timer(near, far):
    """Seconds until TCP asks whether a peer is there; until the last bytes are acknowledged another timer is shown."""
    def look():
        return re.search(r"timer:\(keepalive,([0-9.]+)(ms|sec|min)", sockets(
            "-to", "state", "established", "sport = :%d and dport = :%d" % (near, far)))

    found = poll(look, what="its timer")
    return float(found[1].rstrip(".")) * {"ms": 0.001, "sec": 1, "min": 60}[found[2]]


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=needs_landlock)])
def test_keep_alive(tmp_path, isolate):
    """Each end of a link asks after half of the time."""
    with lines.listen() as target:
        service = server(target.getsockname()[1], keepAlive=8, isolate=isolate)
        with serving(tmp_path, service) as (_, where):
            with come(where) as sock, lines.accept(target) as far:
                sock.sendall(b"x")
                lines.expect(far, b"x")
                assert timer(where[1], sock.getsockname()[1]) <= 4
                assert timer(far.getpeername()[1], target.getsockname()[1]) <= 4


@pytest.mark.parametrize("mode", ["socks5", "transparent-UDP"])
def test_interface(tmp_path, echo, mode):
    """It listens on this one only."""
    service = server(echo.port, listen="0.0.0.0:0", interface="lo", mode=mode)
    if mode != "socks5":
        service["options"] = {"messages": True}
    with serving(tmp_path, service) as (_, where):
        shown = sockets("-lt" if mode == "socks5" else "-lu", "sport = :%d" % where[1])
        assert shown.count("0.0.0.0%%lo:%d" % where[1]) == 2, shown
        if mode == "socks5":
            with connect(("127.0.0.1", where[1])) as sock:
                assert echoes(sock)


def test_interface_that_is_not_there(tmp_path, echo):
    """The service says so."""
    with Run(tmp_path, {"far": server(echo.port, interface="nowhere0"), "good": server(echo.port)}) as run:
        run.wait_line("far does not start: .*cannot listen on .*No such device", "err")
        run.wait_ready()


def test_ipv6_alone(tmp_path, echo):
    """[::] takes IPv4 as well, but not with this family."""
    def ipv4_gets_in(where):
        try:
            with connect(("127.0.0.1", where[1])) as sock:
                return echoes(sock)
        except ConnectionRefusedError:
            return False

    # A port of the kernel's may be somebody else's in the other family.
    with serving(tmp_path, server(echo.port, listen="[::]:%d" % free_port("::"))) as (_, where):
        assert ipv4_gets_in(where)
    (tmp_path / "again").mkdir()
    with serving(tmp_path / "again", server(echo.port, listen="[::]:%d" % free_port("::"), family="ipv6")) as (_, where):
        assert not ipv4_gets_in(where)
        with connect(("::1", where[1])) as sock:
            assert echoes(sock)


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=needs_landlock)])
@pytest.mark.parametrize("family, greeting", [("ipv4", b"four"), ("ipv6", b"six!")])
def test_names_are_dialled_by_one_family(tmp_path, family, greeting, isolate):
    """A name with addresses of both."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 both.test\n::1 both.test\n", encoding="ascii")
    wrapper = lines.with_file(hosts, "/etc/hosts")
    if wrapper is None:
        pytest.skip("no mount namespace can be made here")
    port = free_port()
    with harness.SinkServer("127.0.0.1", port, b"four"), harness.SinkServer("::1", port, b"six!"):
        service = {**server(port, family=family, isolate=isolate), "target": "both.test:%d" % port}
        with serving(tmp_path, service, wrapper=wrapper) as (_, where):
            with connect(where) as sock:
                assert recv_exact(sock, 4) == greeting
