# SPDX-License-Identifier: BSD-3-Clause
"""Services in processes of their own: what a hostile module tries, and what it gets."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import harness
import lines
import orport
import proxies
import socks
from cells import Run, ask, compiled, needs_landlock, server  # noqa: F401
from test_manager import handed

# A cell is back in 200 ms; of five that die one is, whatever else the machine has to do.
BACK = 0.2


pytestmark = needs_landlock


DEEDS = [
    # what it tries, on what, and what it gets
    ("read", "{tmp}/secret", "EACCES"),
    ("read", "/etc/passwd", "EACCES"),
    ("read", "{tmp}/state/other/key", "EACCES"),
    ("read", "/proc/self/environ", "EACCES"),
    ("write", "{tmp}/ptah.conf", "EACCES"),
    ("write", "{tmp}/new", "EACCES"),
    ("write", "{modules}/hostile.so", "EACCES"),
    ("write", "{tmp}/state/one/own", "done"),
    ("remove", "{tmp}/ptah.conf", "EACCES"),
    ("list", "{tmp}", "EACCES"),
    ("list", "/proc", "EACCES"),
    ("parent-memory", "", "EACCES"),
    ("parent-environment", "", "EACCES"),
    ("connect", "127.0.0.1:{elsewhere}", "EPERM"),
    ("dial", "127.0.0.1:{elsewhere}", "EACCES"),
    ("dial", "127.0.0.1:{target}", "done"),
    ("dial-local", "127.0.0.1:{elsewhere}", "EACCES"),
    ("udp", "", "EPERM"),
    ("bind", "", "EPERM"),
    ("shut", "", "EPERM"),
    ("spoil", "", "EPERM"),
    ("babble", "127.0.0.1:{elsewhere}", "done"),
    ("exec", "", "EPERM"),
    ("fork", "", "EAGAIN"),
    ("thread", "", "EAGAIN"),
    ("ptrace", "", "EPERM"),
    ("read-parent", "", "EPERM"),
    ("kill-parent", "", "EPERM"),
    ("kill-all", "", "EPERM"),
    ("outlive", "", "EPERM"),
    ("limit", "", "EPERM"),
    ("namespace", "", "EPERM"),
    ("uring", "", "EPERM"),
    ("share", "", "EPERM"),
    ("share-to-read", "", "EPERM"),
    ("pass-descriptors", "", "EPERM"),
    ("watch", "", "EPERM"),
    ("peer", "", "EPERM"),
    ("read", "/proc/self/mem", "EACCES"),
]


@pytest.fixture
def elsewhere():
    """A listener that nobody is told of; how many came."""
    came = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", harness.free_port()))   # the kernel's may have been somebody's a moment ago
        listener.listen(50)
        listener.settimeout(0.05)

        class Elsewhere:
            port = listener.getsockname()[1]

            @staticmethod
            def count():
                with contextlib.suppress(socket.timeout):
                    while True:
                        came.append(listener.accept()[0].close())
                return len(came)
        yield Elsewhere


@pytest.mark.parametrize("deed,at,gets", DEEDS, ids=["%s %s" % row[:2] for row in DEEDS])
def test_a_hostile_module_gets_nothing(tmp_path, compiled, echo, elsewhere, deed, at, gets):
    modules = compiled(deed)
    (tmp_path / "secret").write_text("nobody's business")
    (tmp_path / "state" / "other").mkdir(parents=True, mode=0o700)
    (tmp_path / "state" / "other" / "key").write_text("another service's")
    at = at.format(tmp=tmp_path, modules=modules, elsewhere=elsewhere.port, target=echo.port)
    with Run(tmp_path, {"one": server(echo.port, at)}, [modules]) as p:
        port = p.port("one")
        cells = p.cells()
        assert len(cells) == 1
        assert ask(port) == gets
        # It tries again, in the same process, and all is as it was.
        assert ask(port) == gets
        assert p.cells() == cells
        assert elsewhere.count() == 0
        assert (tmp_path / "ptah.conf").exists() and not (tmp_path / "new").exists()


def test_what_runs_when_a_file_is_loaded_is_locked_up_already(tmp_path, compiled, echo):
    """And it is loaded nowhere else: not in the parent, to see what options it takes."""
    mark = tmp_path / "mark"
    modules = compiled("nothing", '-DAMBUSH="%s"' % mark)
    with Run(tmp_path, {"one": server(echo.port)}, [modules]) as p:
        assert ask(p.port("one")) == "EACCES"
        p.signal(signal.SIGHUP)
        p.wait_line("is read again: 0 services are new, 0 changed", "err")
        assert not mark.exists()


# Each takes 7 s: that long may a worker be silent.
@pytest.mark.parametrize("deed,gets", [("eat-memory", "ENOMEM"), ("eat-descriptors", "EMFILE")])
def test_it_eats_its_own_share_only(tmp_path, compiled, echo, deed, gets):
    if harness.SLOW > 1 and deed == "eat-memory":
        pytest.skip("a sanitizer's shadow memory is beyond any limit")
    services = {"one": server(echo.port, isolateMemory=64), "two": server(echo.port, name="dummy", isolate=False)}
    with Run(tmp_path, services, [compiled(deed)]) as p:
        port = p.port("one")
        assert ask(port) == gets
        carries(p.port("dummy"))
        # One that can serve nobody is no better than one that hangs.
        p.wait_line(r"one: its process ended \(it did not answer", "err", timeout=20)
        p.wait_line(r"one: serves again", "err")
        assert ask(port) == gets


def test_it_hoards_its_own_share_only(tmp_path, compiled, echo):
    """Connections that it asks for and never takes stay with the parent, which has others to dial for."""
    services = {"one": server(echo.port, "127.0.0.1:%d" % echo.port), "two": server(echo.port, name="dummy")}
    few = ["prlimit", "--nofile=512:512"]
    with Run(tmp_path, services, [compiled("hoard")], wrapper=few) as p:
        port, other = p.port("one"), p.port("two")
        before = len(os.listdir("/proc/%d/fd" % p.pid))
        assert ask(port) == "done"
        for _ in range(20):
            carries(other)
        assert len(os.listdir("/proc/%d/fd" % p.pid)) - before <= 512 // 4


def carries(port, sock=None, text=b"some words"):
    """A link to the echo server behind a dummy's port carries."""
    own = sock is None
    sock = sock or socket.create_connection(("127.0.0.1", port), 10 * harness.SLOW)
    sock.settimeout(10 * harness.SLOW)
    sock.sendall(text)
    got = b""
    while len(got) < len(text):
        more = sock.recv(100)
        assert more, "closed"
        got += more
    assert got == text
    if own:
        sock.close()


@pytest.mark.parametrize("deed,how", [
    ("crash", r"signal 11"), ("abort", r"signal 6"), ("exit", r"exit status \d")])
def test_its_end_costs_its_own_links_only(tmp_path, monkeypatch, compiled, echo, deed, how):
    # A process with ThreadSanitizer sleeps for a second before it exits, and looks for races meanwhile.
    monkeypatch.setenv("TSAN_OPTIONS", os.environ.get("TSAN_OPTIONS", "") + ":atexit_sleep_ms=0")
    hostile = ["one"] + ["more%d" % i for i in range(4)]
    services = {"two": server(echo.port, name="dummy"), "three": server(echo.port, name="dummy", isolate=False),
                **{label: server(echo.port) for label in hostile}}
    with Run(tmp_path, services, [compiled(deed)]) as p:
        asked, ports = {label: p.port(label) for label in hostile}, [p.port("two"), p.port("dummy")]
        links = [socket.create_connection(("127.0.0.1", other), 10) for other in ports]
        for link in links:
            carries(None, link)
        assert len(p.cells()) == 1 + len(hostile)
        took = []
        for label, port in asked.items():
            begun = time.monotonic()
            assert ask(port) == ""
            p.wait_line(r"%s: its process ended \(%s.* starts now" % (label, how), "err")
            p.wait_line(r"%s: serves again" % label, "err")
            took.append(time.monotonic() - begun)
        for link in links:
            carries(None, link)
            link.close()
        assert min(took) < BACK * max(harness.SLOW, 1), took
        assert ask(asked["one"]) == ""


def test_one_that_dies_at_once_is_given_more_and_more_time(tmp_path, compiled, echo):
    with Run(tmp_path, {"one": server(echo.port)}, [compiled("crash")]) as p:
        port = p.port("one")

        def descriptors():
            return len(os.listdir("/proc/%d/fd" % p.pid))

        before = descriptors()
        for when in ("now", "in 100 ms", "in 200 ms", "in 400 ms"):
            seen = len(p.err_lines)
            # No connection is refused at any time; that one waits for the next process.
            assert ask(port) == ""
            p.wait_line(r"one: its process ended .* starts %s$" % when, "err", since=seen)
            p.wait_line(r"one: serves again", "err", since=seen)
        harness.poll(lambda: descriptors() <= before, what="the descriptors of the dead to be closed")


def test_one_that_hangs_is_killed(tmp_path, compiled, echo):
    """It takes 7 s: that long may a worker be silent."""
    with Run(tmp_path, {"one": server(echo.port)}, [compiled("loop")]) as p:
        assert ask(p.port("one"), 30) == ""
        p.wait_line(r"one: its process ended \(it did not answer", "err", timeout=30)
        p.wait_line(r"one: serves again", "err")


def ctl(control, *words):
    argv = [harness.program()[0], "ctl", *words, "--socket", str(control)]
    done = subprocess.run(argv, env=harness.environment(), text=True, capture_output=True, timeout=60 * harness.SLOW)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def beside(tmp_path, echo, module):
    """One that was asked for its deed, and a good one with a link; gives the control socket, the services and that link."""
    control = tmp_path / "control"
    services = {"one": server(echo.port), "two": server(echo.port, name="dummy")}
    with Run(tmp_path, services, [module], control=str(control)) as p:
        ports = p.port("one"), p.port("two")
        with socket.create_connection(("127.0.0.1", ports[1]), 10) as other, \
                socket.create_connection(("127.0.0.1", ports[0]), 10) as s:
            carries(None, other)
            s.sendall(b"x")
            yield control, services, other, ports[0]


def test_one_that_hangs_keeps_nobody_from_the_links_of_others(tmp_path, compiled, echo):
    """It takes 5 s: a cell has four to answer, and then the list goes without it."""
    with beside(tmp_path, echo, compiled("loop")) as (control, services, other, port), \
            contextlib.ExitStack() as asked:
        def answer():
            """It may have been asked before it began to hang, or when it was killed for that: so it hangs again."""
            asked.enter_context(socket.create_connection(("127.0.0.1", port), 10)).sendall(b"x")
            listed = json.loads(ctl(control, "links", "--json"))
            assert "two" in [link["service"] for link in listed["links"]]
            return listed["servicesNotListed"] == 1

        harness.poll(answer, 30, "a list without the one that hangs")
        carries(None, other)


def test_one_that_lies_about_its_links_gets_no_more_room_than_others(tmp_path, compiled, echo):
    """It says links without an end, with bytes that a terminal would obey."""
    with beside(tmp_path, echo, compiled("flood-links")) as (control, services, other, _):
        def lies():
            text = ctl(control, "links", "--json")
            listed = json.loads(text)
            assert len(listed["links"]) <= 1000 and text.strip().isprintable() and listed["more"] < 2 ** 34
            for link in listed["links"]:
                assert link["service"] in services and link["role"] == "server"
                assert re.fullmatch("dummy|hostile|[?]{63}", link["transport"])
            assert "\x1b" not in ctl(control, "links")
            return any(link["state"] == "unknown" for link in listed["links"])

        harness.poll(lies, 30, what="a lie to be shown as what it is")
        carries(None, other)
        assert len(json.loads(ctl(control, "status", "--json"))["services"]) == 2


def peak(pid):
    """The most memory that a process had so far."""
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))


def test_its_memory_is_told(tmp_path, echo):
    """Of each of its lives; that of others is ptah's own."""
    control = tmp_path / "control"
    services = {"one": server(echo.port, name="dummy"), "two": server(echo.port, name="dummy", isolate=False)}
    with Run(tmp_path, services, control=str(control)) as p:
        p.port("one")
        p.wait_line("ready: 2 of 2", "err")
        for life in range(2):
            pid, = p.cells()
            one, two = json.loads(ctl(control, "status", "--json"))["services"]
            # The kernel adds up what its threads have when there is enough of it.
            assert 1 << 20 < one["residentBytes"] < peak(pid) + (4 << 20)
            assert two["residentBytes"] is None
            if life == 0:
                os.kill(pid, signal.SIGKILL)
                p.wait_line("one: serves again", "err")
        table = ctl(control, "status").splitlines()
        assert table[1].split()[-1] == "MEMORY"
        assert re.search(r"[\d.]+ [KMG]iB$", table[2]) and table[3].endswith(" -")


def test_its_secrets_are_in_no_list_of_processes(tmp_path, compiled, echo):
    with Run(tmp_path, {"one": server(echo.port, "/a/secret/of/one")}, [compiled("nothing")]) as p:
        p.port("one")
        for pid in p.cells():
            with open("/proc/%d/comm" % pid, encoding="ascii") as f:
                assert f.read() == "ptah\n"  # by which the doctor knows its own
            for name in ("cmdline", "environ"):
                # Its own user cannot read the environment, for it is not dumpable; root can.
                with contextlib.suppress(PermissionError), open("/proc/%d/%s" % (pid, name), "rb") as f:
                    assert b"secret" not in f.read()


def test_it_ends_with_its_parent(tmp_path, compiled, echo):
    with Run(tmp_path, {"one": server(echo.port)}, [compiled("nothing")]) as p:
        p.port("one")
        cells = p.cells()
        p.process.kill()
        p.process.wait()
        harness.poll(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in cells), what="its end")


# --- what it does for a service that is not hostile ------------------------------------

def client(**more):
    return dict({"role": "client", "mode": "socks5", "transport": "dummy", "listen": "127.0.0.1:0",
                 "isolate": True}, **more)


def test_a_client_and_a_server_of_one_file_carry(tmp_path, echo):
    port = harness.free_port()
    services = {"far": server(echo.port, name="dummy", listen="127.0.0.1:%d" % port),
                "near": client(options={"serverAddress": "127.0.0.1:%d" % port})}
    with Run(tmp_path, services) as p:
        p.port("far")
        near = p.port("near")
        for _ in range(5):
            with socks.Client(("127.0.0.1", near)) as c:
                c.open(port=1)
                carries(None, c.sock)
        assert len(p.cells()) == 2


def test_obfs4_keeps_its_state_and_carries(tmp_path, echo):
    """A restart of the process finds the identity that the one before made."""
    port = harness.free_port()
    far = server(echo.port, name="obfs4", listen="127.0.0.1:%d" % port)
    with Run(tmp_path, {"far": far}) as p:
        p.wait_line("far serves", "err")
        kept = (tmp_path / "state" / "far" / "obfs4_state.json").read_text()
        keys = (tmp_path / "state" / "far" / "obfs4_bridgeline.txt").read_text()
        cert = re.search(r"cert=(\S+)", keys).group(1)
        os.kill(p.cells()[0], signal.SIGKILL)
        p.wait_line("far: serves again", "err")
        assert (tmp_path / "state" / "far" / "obfs4_state.json").read_text() == kept
        p.write({"far": far, "near": client(transport="obfs4", options={
            "serverAddress": "127.0.0.1:%d" % port, "cert": cert, "iat-mode": 0})})
        p.signal(signal.SIGHUP)
        with socks.Client(("127.0.0.1", p.port("near"))) as c:
            c.open(port=1)
            carries(None, c.sock)


def test_a_client_goes_to_its_server_only(tmp_path, elsewhere):
    """With a serverAddress that is the one place; what the application asks for changes nothing."""
    with lines.listen() as far:
        services = {"one": client(options={"serverAddress": lines.address(far)}), "any": client()}
        with Run(tmp_path, services) as p:
            with socks.Client(("127.0.0.1", p.port("one"))) as c:
                c.open(port=elsewhere.port)
                lines.accept(far).close()
            assert elsewhere.count() == 0
            with socks.Client(("127.0.0.1", p.port("any"))) as c:
                c.open(port=elsewhere.port)
            assert elsewhere.count() == 1


def test_it_dials_names_and_by_the_proxy(tmp_path):
    """The parent does, so the process knows neither the proxy's password nor a resolver."""
    with lines.listen() as far, proxies.Socks5(login=(b"user", b"a-password")) as up:
        name = "localhost:%d" % far.getsockname()[1]
        services = {"proxied": client(proxy="socks5://user:a-password@" + up.address,
                                      options={"serverAddress": lines.address(far)}),
                    "named": client(options={"serverAddress": name})}
        with Run(tmp_path, services) as p:
            for label in services:
                with socks.Client(("127.0.0.1", p.port(label))) as c:
                    c.open(port=1)
                    with lines.accept(far) as f:
                        lines.echo_works(c.sock, f)
            assert len(up.calls) == 1


def test_extended_orport_and_its_cookie(tmp_path):
    """The cookie's folder is out of reach; the parent hands the cookie over with each connection."""
    cookie_path = tmp_path / "tor" / "cookie"
    cookie_path.parent.mkdir(mode=0o700)
    with orport.Port() as port:
        one = server(1, name="dummy", extorport=port.address, authcookie=str(cookie_path))
        del one["target"]
        with Run(tmp_path, {"one": one}) as p:
            where = p.port("one")
            for _ in range(2):      # Tor writes it late, and anew
                cookie = orport.cookie_file(cookie_path)
                with socket.create_connection(("127.0.0.1", where), 10) as s, port.accept() as ex:
                    ex.talk(cookie)
                    lines.echo_works(s, ex.sock)


def test_a_reload_changes_one_and_leaves_the_others(tmp_path, echo):
    port = harness.free_port()
    services = {"one": server(echo.port, name="dummy", listen="127.0.0.1:%d" % port),
                "two": server(echo.port, name="dummy")}
    with Run(tmp_path, services) as p:
        p.port("one")
        p.port("two")
        before = set(p.cells())
        with socket.create_connection(("127.0.0.1", port), 10) as old:
            carries(None, old)
            services["one"]["dialTimeout"] = 7
            p.write(services)
            p.signal(signal.SIGHUP)
            p.wait_line("0 services are new, 1 changed, 0 gone, 1 as they were", "err")
            harness.poll(lambda: len(set(p.cells()) - before) == 1, what="the new process")
            # The old link goes on in the old process, and new ones go to the new one on the same port.
            carries(None, old)
            carries(port)
            assert len(set(p.cells()) & before) == 2
        harness.poll(lambda: len(set(p.cells()) & before) == 1, what="the end of the old process")
        carries(port)
        # And out of the file altogether.
        p.write({"two": services["two"]})
        p.signal(signal.SIGHUP)
        harness.poll(lambda: len(p.cells()) == 1, what="its end")


def test_a_drain_lets_links_finish(tmp_path, echo):
    with Run(tmp_path, {"one": server(echo.port, name="dummy")}) as p:
        port = p.port("one")
        with socket.create_connection(("127.0.0.1", port), 10) as link:
            carries(None, link)
            p.signal(signal.SIGINT)
            p.wait_line("no new links", "err")
            carries(None, link)
            assert p.alive()
        assert p.exit() == 0


def test_says_why_it_cannot_start(tmp_path, echo):
    """By the words of a service that is not isolated."""
    with lines.listen() as taken:
        services = {"one": server(echo.port, name="dummy", listen=lines.address(taken)),
                    "two": server(echo.port, name="nosuch"),
                    "three": server(echo.port, name="obfs4", options={"private-key": "x"}),
                    "four": client(transport="exec", options={"exec": "/bin/true"}),
                    "five": server(echo.port, name="dummy")}
        with Run(tmp_path, services) as p:
            p.wait_line("one does not start: dummy: cannot listen on .*: Address already in use", "err")
            p.wait_line("two does not start: .*there is no such transport", "err")
            p.wait_line("three does not start: obfs4: .*private-key", "err")
            p.wait_line("four does not start: exec: it starts programs, which a service that is isolated may not", "err")
            carries(p.port("five"))


def test_its_figures_are_the_services(tmp_path, echo):
    """A second later; and those of a process that died stay counted, with its links as closed ones."""
    with Run(tmp_path, {"one": server(echo.port, name="dummy")}) as p:
        port = p.port("one")
        link = socket.create_connection(("127.0.0.1", port), 10)
        carries(None, link)

        def counters():
            seen = len(p.err_lines)
            p.signal(signal.SIGUSR1)
            line = p.wait_line("counters:", "err", since=seen)
            return dict(word.split("=") for word in line.split("counters:")[1].split())

        harness.poll(lambda: counters()["links_opened"] == "1", what="its link to be counted")
        assert counters()["links_closed"] == "0"
        os.kill(p.cells()[0], signal.SIGKILL)
        p.wait_line("one: serves again", "err")
        link.close()
        carries(port)
        harness.poll(lambda: counters()["links_opened"] == "2", what="the next one")
        harness.poll(lambda: counters()["links_closed"] == "2", what="their end")


def test_it_listens_on_several_addresses(tmp_path, echo):
    ports = [harness.free_port(), harness.free_port()]
    one = server(echo.port, name="dummy", listen=["127.0.0.1:%d" % port for port in ports])
    with Run(tmp_path, {"one": one}) as p:
        p.port("one")
        for _ in range(2):
            for port in ports:
                carries(port)
            os.kill(p.cells()[0], signal.SIGKILL)
            p.wait_line("one: serves again", "err")


def test_it_takes_a_socket_that_the_service_manager_opened(tmp_path, echo):
    port = harness.free_port()
    conf = tmp_path / "ptah.json"
    conf.write_text(json.dumps({
        "stateDir": str(tmp_path / "state"), "workers": 2,
        "services": {"one": server(echo.port, name="dummy", listen="fd:web")}}))
    with harness.Ptah(["run", conf], wrapper=handed("tcp:%d" % port), env={"LISTEN_FDNAMES": "web"}) as p:
        p.wait_line("ready: 1 of 1", "err")
        for _ in range(4):
            carries(port)
