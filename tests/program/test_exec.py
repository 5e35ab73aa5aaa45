# SPDX-License-Identifier: BSD-3-Clause
"""exec: programs with bad habits as transports (the rows WEB-13x, WEB-140)."""

import contextlib
import json
import os
import re
import signal
import stat

import pytest

import harness
import lines
from harness import E1C, F3C, Ptah, poll
from socks import Client, reply, request, split_args

CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ptchild.py")


class Odd:
    """A client whose transport is ptchild.py with a habit."""

    def __init__(self, tmp, habit, start="eager", options=None, flags=(), **env):
        self.notes = str(tmp / "notes")
        self.tmp = tmp
        self.conf = dict({"exec": CHILD, "args": [habit], "name": "odd",
            "start": start, "env": dict(env, ODD_NOTES=self.notes)},
            **(options or {}))
        self.flags = flags

    def run(self, **more):
        return Ptah(F3C(1, transport="exec", state=self.tmp,
            options=harness.options(**self.conf)).plus(
            "-ipcLogLevel", "DEBUG", *self.flags), **more)

    def noted(self, key):
        """All notes that have this key."""
        if not os.path.exists(self.notes):
            return []
        with open(self.notes) as f:
            all_of_it = [json.loads(line) for line in f]
        return [one for one in all_of_it if key in one]

    def wait_noted(self, key, n=1):
        return poll(lambda: len(self.noted(key)) >= n and self.noted(key),
            what="note %d of %s" % (n, key))


def refused(p, pattern, timeout=10):
    """Its one transport does not start, and that is why."""
    p.wait_line(r"^CMETHODS DONE$", timeout=timeout)
    p.wait_line(r"METHOD-ERROR", stream="err")
    errors = [line for line in p.err_protocol() if "METHOD-ERROR" in line]
    assert len(errors) == 1, errors
    assert re.search(pattern, errors[0]), errors[0]
    assert "exec" in errors[0]


def gone(pid):
    return not os.path.exists("/proc/%d" % pid)


@pytest.mark.parametrize("habit, why", [
    ("dies", r"exit status 7"),
    ("no-version", r"VERSION"),
    ("version-2", r"version 2"),
    ("version-error", r"VERSION-ERROR no-version"),
    ("env-error", r"ENV-ERROR no TOR_PT_MOOD"),
    ("method-error", r"not today"),
])
def test_web_133_a_start_that_fails_says_why(tmp_path, habit, why):
    with Odd(tmp_path, habit).run() as p:
        refused(p, why)


def test_web_133_a_name_that_it_does_not_offer(tmp_path):
    odd = Odd(tmp_path, "fine", options={"name": "even"})
    with odd.run() as p:
        refused(p, r'does not offer even.*"name"')


def test_programs_that_cannot_be_started(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("no program\n")
    for path, why in ((tmp_path / "none", r"No such file"),
            (tmp_path, r"no program"), (plain, r"not executable.*chmod"),
            ("relative/path", r'"exec".*absolute')):
        odd = Odd(tmp_path, "fine", options={"exec": str(path)})
        with odd.run() as p:
            refused(p, why)


def test_web_136_silence_ends_after_thirty_seconds(tmp_path):
    """The one long wait here is the program's own limit."""
    odd = Odd(tmp_path, "silent")
    with odd.run() as p:
        child = odd.wait_noted("pid")[0]["pid"]
        refused(p, r"not ready within 30 s", timeout=40)
        poll(lambda: gone(child), what="the end of the silent program")


def test_web_136_an_address_of_others_is_refused(tmp_path):
    with Odd(tmp_path, "elsewhere").run() as p:
        refused(p, r"loopback")


def open_link(p, args="", host="127.0.0.1", port=9, rep=0):
    client = Client(p.address("exec"))
    client.greet(b"\x00", 0)
    client.send(request(host, port))
    client.expect(reply(rep))
    return client


def echoes(client, data=b"round trip"):
    client.send(data)
    client.expect(data)


@pytest.mark.parametrize("habit", ["long-line", "binary", "flood"])
def test_web_136_strange_lines_do_no_harm(tmp_path, habit):
    with Odd(tmp_path, habit).run() as p:
        p.wait_done()
        with open_link(p) as client:
            echoes(client, lines.pattern(100000))


def test_web_139_what_the_program_inherits(tmp_path):
    odd = Odd(tmp_path, "fine", MOOD="good")
    with odd.run() as p:
        p.wait_done()
        got = odd.wait_noted("fds")[0]
        # The fourth is the listing itself.
        assert got["fds"][:3] == [0, 1, 2] and len(got["fds"]) == 4
        assert got["pgid"] == got["pid"]
        assert got["env"].pop("MOOD") == "good"
        assert got["env"]["TOR_PT_MANAGED_TRANSPORT_VER"] == "1"
        assert got["env"]["TOR_PT_CLIENT_TRANSPORTS"] == "odd"
        assert got["env"]["TOR_PT_EXIT_ON_STDIN_CLOSE"] == "1"
        state = got["env"]["TOR_PT_STATE_LOCATION"]
        assert state == str(tmp_path / "exec-exec") + "/"
        assert stat.S_IMODE(os.stat(state).st_mode) == 0o700
        assert set(got["env"]) - {"LC_CTYPE"} == {"PATH", "HOME", "TMPDIR",
            "LANG", "TOR_PT_MANAGED_TRANSPORT_VER", "TOR_PT_STATE_LOCATION",
            "TOR_PT_EXIT_ON_STDIN_CLOSE", "TOR_PT_CLIENT_TRANSPORTS",
            "ODD_NOTES"}
        with open("/proc/%d/status" % got["pid"]) as f:
            assert "NoNewPrivs:\t1" in f.read()


def test_two_programs_of_one_name_have_a_folder_each(tmp_path):
    """Below one optimizer, and of two processes: a client's takes the next."""
    odd = Odd(tmp_path, "fine")
    member = {"name": "exec", "config": dict(odd.conf, serverAddress="127.0.0.1:9")}
    start = F3C(1, transport="optimizer", state=tmp_path,
        options=harness.options(transports=[member, member]))

    def folders(n):
        return {one["env"]["TOR_PT_STATE_LOCATION"] for one in odd.wait_noted("env", n)}

    def named(*numbers):
        return {str(tmp_path / ("exec-exec" + n)) + "/" for n in numbers}

    with Ptah(start) as p:
        p.wait_done()
        assert folders(2) == named("", ".2")
        with odd.run() as other:
            other.wait_done()
            assert folders(3) == named("", ".2", ".3")
    with odd.run() as p:
        p.wait_done()
        assert odd.wait_noted("env", 4)[3]["env"]["TOR_PT_STATE_LOCATION"] in named("")


def test_a_terminal_is_not_for_the_program(tmp_path):
    """Neither what is typed there, nor a Ctrl-C."""
    odd = Odd(tmp_path, "fine")
    ours, theirs = os.openpty()
    try:
        with odd.run(wrapper=("setsid", "--ctty"), stdin=theirs) as p:
            p.wait_done()
            assert terminal_of(p.pid) != 0
            got = odd.wait_noted("pgid")[0]
            assert got["pgid"] == got["pid"]
            assert not got["terminal"] and terminal_of(got["pid"]) == 0
    finally:
        os.close(ours)
        os.close(theirs)


def terminal_of(pid):
    """The number of its controlling terminal; 0: none."""
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rpartition(")")[2].split()[4])


def test_it_may_gain_privileges_if_told_so(tmp_path):
    odd = Odd(tmp_path, "fine", options={"no-new-privs": False})
    with odd.run() as p:
        p.wait_done()
        with open("/proc/%d/status" % odd.wait_noted("pid")[0]["pid"]) as f:
            assert "NoNewPrivs:\t0" in f.read()


def test_lazy_is_started_by_the_first_link(tmp_path):
    odd = Odd(tmp_path, "fine", start="lazy")
    with odd.run() as p:
        p.wait_done()
        assert odd.noted("pid") == []
        with open_link(p) as one, open_link(p) as two:
            echoes(one)
            echoes(two)
        assert len(odd.noted("pid")) == 1


def test_log_and_status_are_passed_on(tmp_path):
    odd = Odd(tmp_path, "talks")
    with odd.run() as p:
        p.wait_done()
        p.wait_line(r'LOG WARN.*it is "odd"!')
        p.wait_line(r"status: TRANSPORT=odd TYPE=mood MOOD=fine")
    folder = tmp_path / "modules"
    folder.mkdir(mode=0o755)
    (folder / "exec.so").write_bytes(
        open(os.path.join(harness.MODULES, "exec.so"), "rb").read())
    (folder / "odd.json").write_text(json.dumps(dict(odd.conf, module="exec")))
    with Ptah(E1C(tmp_path, TOR_PT_CLIENT_TRANSPORTS="odd",
            PTAH_MODULE_PATH=str(folder))) as p:
        p.wait_done()
        p.wait_line(r"^STATUS TRANSPORT=odd TYPE=mood MOOD=fine$")


# --- arguments ------------------------------------------------------------------

@contextlib.contextmanager
def as_tor_asks(tmp_path, odd):
    """PT 1 with odd.json, so that arguments come by SOCKS login."""
    folder = tmp_path / "modules"
    folder.mkdir(mode=0o755)
    (folder / "exec.so").write_bytes(
        open(os.path.join(harness.MODULES, "exec.so"), "rb").read())
    (folder / "odd.json").write_text(json.dumps(dict(odd.conf, module="exec")))
    with Ptah(E1C(tmp_path, TOR_PT_CLIENT_TRANSPORTS="odd",
            PTAH_MODULE_PATH=str(folder))) as p:
        p.wait_done()
        yield p


def ask(p, args, rep=0):
    client = Client(p.address("odd"))
    client.greet(b"\x02", 2)
    client.auth(args)
    client.send(request("192.0.2.7", 443))
    got = lines.read(client.sock, 10)
    assert got[1] == rep, got.hex()
    return client


@pytest.mark.parametrize("length", [255, 256, 510])
def test_web_137_arguments_are_cut_as_tor_cuts_them(tmp_path, length):
    odd = Odd(tmp_path, "fine")
    text = "a=" + "x" * (length - 2)
    with as_tor_asks(tmp_path, odd) as p:
        with ask(p, text.encode()) as client:
            echoes(client)
            login = odd.wait_noted("user")[0]
            assert login["user"] == text[:255]
            assert login["password"] == (text[255:] or "\0")
            told = odd.wait_noted("host")[0]
            assert (told["atyp"], told["host"], told["port"]) == (
                1, "c0000207", 443)


def test_web_137_longer_ones_are_refused(tmp_path):
    """What the configuration adds is what makes them too long."""
    odd = Odd(tmp_path, "fine", options={"options": {"b": "y" * 300}})
    with as_tor_asks(tmp_path, odd) as p:
        with ask(p, b"a=" + b"x" * 205):
            login = odd.wait_noted("user")[0]
            assert len(login["user"] + login["password"]) == 510
        ask(p, b"a=" + b"x" * 206, rep=1).sock.close()
        assert len(odd.noted("user")) == 1


def test_those_of_the_bridge_line_win(tmp_path):
    odd = Odd(tmp_path, "fine", options={"options": {"a": "1", "b": "2;=\\"}})
    with as_tor_asks(tmp_path, odd) as p, ask(p, b"a=9") as client:
        echoes(client)
        assert odd.wait_noted("user")[0]["user"] == "a=9;b=2\\;\\=\\\\"


def test_web_140_exec_does_not_come_from_a_bridge_line(tmp_path):
    with as_tor_asks(tmp_path, Odd(tmp_path, "fine")) as p:
        client = Client(p.address("odd"))
        client.greet(b"\x02", 2)
        client.auth(b"exec=/bin/true")
        client.send(request("192.0.2.7", 443))
        client.expect_refusal(1)
        p.wait_line(r'option "exec" is the transport.s', stream="err")


def test_a_program_that_takes_no_arguments(tmp_path):
    odd = Odd(tmp_path, "no-login", options={"options": {"a": "1"}})
    with as_tor_asks(tmp_path, odd) as p:
        ask(p, b"b=2", rep=2).sock.close()


@pytest.mark.parametrize("said, heard", [(1, 1), (2, 2), (3, 3), (4, 4),
    (5, 5), (6, 6), (8, 8), (99, 1)])
def test_its_refusals_are_ours(tmp_path, said, heard):
    with Odd(tmp_path, "reply-%d" % said).run() as p:
        p.wait_done()
        with open_link(p, rep=heard):
            pass


# --- the upstream proxy ----------------------------------------------------------

PROXY = "socks5://us%65r:p%3Bw@127.0.0.1:9"


def test_web_134_the_proxy_is_handed_on(tmp_path):
    odd = Odd(tmp_path, "fine", flags=["-proxy", PROXY])
    with odd.run() as p:
        p.wait_done()
        assert (odd.wait_noted("env")[0]["env"]["TOR_PT_PROXY"]
            == "socks5://user:p%3Bw@127.0.0.1:9")


@pytest.mark.parametrize("habit, why", [("proxy-error", "cannot use the "
    "upstream proxy: cannot"), ("proxy-deaf", "did not take")])
def test_web_134_one_that_cannot_is_not_used(tmp_path, habit, why):
    with Odd(tmp_path, habit, flags=["-proxy", PROXY]).run() as p:
        refused(p, why)


# --- its end ------------------------------------------------------------------------

def test_web_135_a_killed_program_comes_back(tmp_path):
    odd = Odd(tmp_path, "fine")
    with odd.run() as p:
        p.wait_done()
        client = open_link(p)
        echoes(client)
        os.kill(odd.noted("pid")[0]["pid"], signal.SIGKILL)
        lines.expect_closed(client.sock)
        p.wait_line(r"LOG WARN.*signal 9.*again in 1 s")
        # Who comes meanwhile waits for it.
        with open_link(p) as next_one:
            echoes(next_one)
        assert len(odd.noted("pid")) == 2


def test_one_that_always_fails_is_left_alone(tmp_path):
    """Five failures: after 0, 1, 2, 4 and 8 s at most.  Then the reason is the answer."""
    odd = Odd(tmp_path, "dies", start="lazy")
    with odd.run() as p:
        p.wait_done()
        client = Client(p.address("exec"))
        client.greet(b"\x00", 0)
        client.send(request("127.0.0.1", 9))
        p.wait_line(r"LOG ERROR.*exit status 7.*no more tries", timeout=40)
        assert lines.read(client.sock, 10)[1] == 4
        assert len(odd.noted("pid")) == 5


def test_web_132_stdin_tells_it_to_end(tmp_path):
    odd = Odd(tmp_path, "fine")
    with odd.run() as p:
        p.wait_done()
        child = odd.wait_noted("pid")[0]["pid"]
        assert p.stop() == 0
        poll(lambda: gone(child), what="the program's end")


def test_web_138_who_ignores_all_is_killed(tmp_path):
    odd = Odd(tmp_path, "stubborn")
    with odd.run() as p:
        p.wait_done()
        child = odd.wait_noted("pid")[0]["pid"]
        assert p.stop(10) == 0 # two seconds are the program's
        poll(lambda: gone(child), what="the program's end")


def test_no_program_outlives_us(tmp_path):
    odd = Odd(tmp_path, "stubborn")
    with odd.run(clean_stop=False) as p:
        p.wait_done()
        child = odd.wait_noted("pid")[0]["pid"]
        p.signal(signal.SIGKILL)
        poll(lambda: gone(child), what="the program's end")


def test_who_waits_at_the_end_is_refused(tmp_path):
    """A link that is ended before it was open is not told of success."""
    odd = Odd(tmp_path, "silent", start="lazy")
    with odd.run() as p:
        p.wait_done()
        client = Client(p.address("exec"))
        client.greet(b"\x00", 0)
        client.send(request("127.0.0.1", 9))
        odd.wait_noted("pid")
        p.signal(signal.SIGTERM)
        client.expect_refusal(1)
        assert p.exit() == 0
