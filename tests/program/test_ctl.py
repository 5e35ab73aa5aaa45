# SPDX-License-Identifier: BSD-3-Clause
"""ptah ctl: the control socket and who speaks with it."""
import json
import os
import socket
import subprocess

import pytest

import harness
from cells import needs_landlock
from runner import Run, server


def ctl(*words, env=None, timeout=30):
    argv = [harness.program()[0], "ctl", *map(str, words)]
    return subprocess.run(argv, env={**harness.environment(), **(env or {})}, text=True, capture_output=True,
                          timeout=timeout * harness.SLOW)


class Controlled(Run):
    def __init__(self, tmp_path, services, **more):
        self.socket = tmp_path / "control"
        super().__init__(tmp_path, services, control=str(self.socket), **more)

    def ctl(self, *words):
        return ctl(*words, "--socket", self.socket)

    def ask(self, text):
        """The answer to one line, spoken by hand."""
        with socket.socket(socket.AF_UNIX) as conn:
            conn.settimeout(20)
            conn.connect(str(self.socket))
            conn.sendall(text.encode() + b"\n")
            conn.shutdown(socket.SHUT_WR)
            return json.loads(b"".join(iter(lambda: conn.recv(65536), b"")).splitlines()[-1])


@pytest.fixture
def far(tmp_path, echo):
    with Controlled(tmp_path, {"far": server(echo.port)}) as run:
        run.wait_ready()
        yield run


def test_status_is_a_table(far):
    done = far.ctl("status")
    head, columns, row = done.stdout.splitlines()
    assert done.returncode == 0 and done.stderr == ""
    assert head.startswith("ptah ") and columns.split()[:4] == ["SERVICE", "TRANSPORT", "ROLE", "STATE"]
    assert row.split()[:5] == ["far", "dummy", "server", "serves", "0"]


def test_status_as_json_says_where_it_listens(far):
    done = far.ctl("status", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["ok"] is True
    assert answer["services"][0]["listen"] == "%s:%d" % far.where("far")
    assert answer == {**answer, **{"version": answer["version"], "process": answer["process"]}}


def test_a_failed_service_says_why(tmp_path, echo):
    with harness.EchoServer() as taken:
        services = {"far": server(echo.port), "late": server(echo.port, listen="127.0.0.1:%d" % taken.port)}
        with Controlled(tmp_path, services) as run:
            run.wait_ready()
            done = run.ctl("status")
            assert "failed" in done.stdout and "late: " in done.stdout and "in use" in done.stdout
            assert json.loads(run.ctl("status", "--json").stdout)["services"][1]["state"] == "failed"


def test_reload_waits_until_it_is_done(far, echo):
    far.write({"far": server(echo.port), "new": server(echo.port)})
    done = far.ctl("reload")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the file is read again: 1 services are new, 0 changed, 0 gone, 1 as they were\n"
    assert far.ctl("status").stdout.count("serves") == 2
    answer = json.loads(far.ctl("reload", "--json").stdout)
    assert {k: answer[k] for k in ("ok", "new", "changed", "gone", "same")} == \
        {"ok": True, "new": 0, "changed": 0, "gone": 0, "same": 2}
    assert answer["failed"] == 0


def test_a_wrong_file_changes_nothing_and_says_where(far):
    far.write('{"services": {"far": {"role": "server",\n "transport": "dumy"}}, "colour": 1}')
    done = far.ctl("reload")
    assert done.returncode == 1 and done.stdout == ""
    assert "services.far.transport" in done.stderr and ":2:" in done.stderr and "colour" in done.stderr
    assert "nothing has changed" in done.stderr and "Next: correct it" in done.stderr
    assert "serves" in far.ctl("status").stdout


def test_a_change_that_does_not_start_is_told_once(far, echo):
    """What the file says now fails, and the service that was there goes on."""
    with harness.EchoServer() as taken:
        far.write({"far": server(echo.port, listen="127.0.0.1:%d" % taken.port)})
        done = far.ctl("reload")
        told = far.ctl("reload", "--json")
    assert done.returncode == told.returncode == 2
    answer = json.loads(told.stdout)
    assert answer["ok"] is True and answer["failed"] == 1 and answer["words"] == told.stderr.splitlines()
    why, stays = done.stderr.splitlines()
    assert why.startswith("far does not start: ") and "in use" in why
    assert stays == "far goes on as it was before"
    assert "1 changed" in done.stdout and "serves" in far.ctl("status").stdout


def test_a_service_that_starts_at_last_ends_what_failed(far, echo):
    """The next reload tries again, and says of itself how that went: 2 is no refusal, and no lasting mark."""
    with harness.EchoServer() as taken:
        far.write({"far": server(echo.port), "late": server(echo.port, listen="127.0.0.1:%d" % taken.port)})
        done = far.ctl("reload")
        assert done.returncode == 2 and "1 services are new" in done.stdout
        assert done.stderr.startswith("late does not start: ") and len(done.stderr.splitlines()) == 1
        assert far.ctl("reload").returncode == 2
        far.write('{"services": {}}')
        assert far.ctl("reload").returncode == 1
    far.write({"far": server(echo.port), "late": server(echo.port)})
    assert far.ctl("reload").returncode == 0 and far.ctl("status").stdout.count("serves") == 2


def test_each_exit_status_is_told(far):
    """In --help and in the manual page, which have them from one table."""
    said = ctl("--help").stdout
    page = subprocess.run([harness.program()[0], "manual"], capture_output=True, text=True, env=harness.environment(),
                          timeout=120 * harness.SLOW, check=True).stdout
    table = page[page.index(".Sh EXIT STATUS"):page.index(".Sh EXAMPLES")]
    for status, when in ((1, "it was refused"),
                         (2, "the file was read again and a service of it did not start"), (69, "nobody answers")):
        assert "%d when %s" % (status, when) in said
        assert "For\n.Cm ctl :\n%s.\n" % when in table.split(".It %d\n" % status)[1].split(".It ")[0]


def test_drain_waits_for_the_last_link(far, echo):
    with socket.create_connection(far.where("far"), timeout=10) as conn:
        conn.sendall(b"here")
        assert conn.recv(4) == b"here"
        argv = [harness.program()[0], "ctl", "drain", "--socket", str(far.socket)]
        drain = subprocess.Popen(argv, env=harness.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert drain.stderr.readline() == "1 link is open\n"
        assert far.ctl("status").stdout.splitlines()[0].endswith("it drains")
        conn.sendall(b"more")
        assert conn.recv(4) == b"more"
    out, err = drain.communicate(timeout=20)
    assert drain.returncode == 0 and out == "it ends, and no link was cut off\n"
    assert far.exit() == 0
    far.wait_line("ending: the last link has ended", "err")
    assert not far.socket.exists()


def test_drain_ends_at_its_limit(far):
    with socket.create_connection(far.where("far"), timeout=10) as conn:
        conn.sendall(b"here")
        assert conn.recv(4) == b"here"
        done = far.ctl("drain", "--seconds", 1)
        assert done.returncode == 0 and "1 link is open" in done.stderr
        assert done.stdout == "it ends; 1 link was still open, and cut off\n"
        assert far.exit() == 0
    far.wait_line("ending: the last links had their time, and are cut off", "err")


def test_nobody_is_there(tmp_path, far):
    gone = tmp_path / "gone"
    done = ctl("status", "--socket", gone)
    assert done.returncode == 69 and "no such socket" in done.stderr and "--socket" in done.stderr
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(gone))
    done = ctl("status", "--socket", gone)
    assert done.returncode == 69 and "nobody serves there" in done.stderr
    done = ctl("status", "--socket", "/" + "x" * 200)
    assert done.returncode == 69 and "too long" in done.stderr


def test_the_folder_of_the_service_manager_is_looked_into(far):
    done = ctl("status", env={"RUNTIME_DIRECTORY": str(far.socket.parent)})
    assert done.returncode == 0 and "far" in done.stdout


def test_wrong_words(far):
    for words, part in ((["dance"], "status, links"), (["status", "--most", 3], "goes with links"),
                        (["links", "--most", "x"], "a number"), (["drain", "--seconds", 0], "a number"), ([], "")):
        done = far.ctl(*words)
        assert done.returncode == 64 and part in done.stderr and done.stdout == ""


def test_a_line_that_is_no_order_is_answered(far):
    for line, part in (("{}", "order"), ("no json", ""), ('{"order": "dance"}', "dance"), ('{"order": "status", "x": 1}', '"x"')):
        answer = far.ask(line)
        assert answer["ok"] is False and part in answer["error"] and answer["next"]
    assert far.ask('{"order": "status"}')["ok"] is True


def test_several_orders_on_one_connection(far):
    with socket.socket(socket.AF_UNIX) as conn:
        conn.settimeout(20)
        conn.connect(str(far.socket))
        conn.sendall(b'{"order": "status"}\n{"order": "reload"}\n{"order": "status"}\n')
        conn.shutdown(socket.SHUT_WR)
        answers = [json.loads(line) for line in b"".join(iter(lambda: conn.recv(65536), b"")).splitlines()]
    assert [a["ok"] for a in answers] == [True] * 3 and "same" in answers[1]


def test_a_line_without_end_is_cut_off(far):
    with socket.socket(socket.AF_UNIX) as conn:
        conn.settimeout(20)
        conn.connect(str(far.socket))
        try:
            conn.sendall(b"x" * 5000)
            assert conn.recv(1) == b""
        except ConnectionError:
            pass
    assert far.ctl("status").returncode == 0


def test_the_socket_is_for_its_user_alone(far):
    assert far.socket.stat().st_mode & 0o777 == 0o600


def test_a_folder_for_a_group_lets_the_group_in(tmp_path, echo):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o750)
    folder.chmod(0o750)
    with Run(tmp_path, {"far": server(echo.port)}, control=str(folder / "control")) as run:
        run.wait_ready()
        assert (folder / "control").stat().st_mode & 0o777 == 0o660


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_another_user_may_not(far):
    os.chmod(far.socket.parent, 0o755)
    code = "import socket; s = socket.socket(socket.AF_UNIX); s.connect(%r)" % str(far.socket)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", code],
                          text=True, capture_output=True, timeout=20)
    assert done.returncode != 0 and "PermissionError" in done.stderr


def test_two_do_not_share_a_socket(far, tmp_path, echo):
    """The second says so, and the first one's stays."""
    other = tmp_path / "other"
    other.mkdir()
    with Run(other, {"far": server(echo.port)}, control=str(far.socket)) as second:
        second.wait_line("another process serves there", "err")
        assert second.exit() != 0
    assert far.ctl("status").returncode == 0


def test_what_a_dead_one_left_is_replaced(tmp_path, echo):
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with Controlled(tmp_path, {"far": server(echo.port)}) as run:
        run.wait_ready()
        assert run.ctl("status").returncode == 0


def open_links(run, n):
    conns = []
    for _ in range(n):
        conns.append(socket.create_connection(run.where("far"), timeout=10))
        conns[-1].sendall(b"x" * 500)
        assert harness.recv_exact(conns[-1], 500) == b"x" * 500
    return conns


def test_links_are_listed_with_their_peers_where_that_is_allowed(far):
    assert far.ctl("links").stdout.splitlines()[1:] == []
    conns = open_links(far, 3)
    ports = {c.getsockname()[1] for c in conns}
    rows = far.ctl("links").stdout.splitlines()
    assert rows[0].split()[-1] == "PEER" and len(rows) == 4
    links = json.loads(far.ctl("links", "--json").stdout)["links"]
    assert {link["peer"] for link in links} == {"127.0.0.1:%d" % port for port in ports}
    for link in links:
        assert (link["service"], link["transport"], link["role"], link["state"]) == ("far", "dummy", "server", "carries")
        assert link["plainReceived"] == 500 and link["wireReceived"] >= 500 and 0 <= link["ageSeconds"] < 60
    for conn in conns:
        conn.close()
    harness.poll(lambda: json.loads(far.ctl("links", "--json").stdout)["links"] == [], what="the end of the links")


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=needs_landlock)], ids=["inside", "isolated"])
def test_links_tell_no_address_of_a_peer(tmp_path, echo, isolate):
    with Controlled(tmp_path, {"far": server(echo.port, isolate=isolate)}, unsafeLogging=False) as run:
        run.wait_ready()
        port = json.loads(run.ctl("status", "--json").stdout)["services"][0]["listen"].rsplit(":", 1)[1]
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as conn:
            conn.sendall(b"here")
            assert conn.recv(4) == b"here"
            done = run.ctl("links", "--json")
            assert len(json.loads(done.stdout)["links"]) == 1 and "127.0.0.1" not in done.stdout
            assert "PEER" not in run.ctl("links").stdout


def test_no_more_links_than_were_asked_for(far):
    conns = open_links(far, 5)
    done = far.ctl("links", "--most", 2)
    assert len(done.stdout.splitlines()) == 4 and "and 3 more" in done.stdout
    for conn in conns:
        conn.close()


def test_who_goes_before_the_answer_is_forgotten(far, echo):
    for i in range(30):
        with socket.socket(socket.AF_UNIX) as conn:
            conn.connect(str(far.socket))
            conn.sendall(b'{"order": "%s"}\n' % (b"links", b"reload", b"status")[i % 3])
    harness.poll(lambda: far.ctl("links").returncode == 0, what="an answer")
    assert far.ctl("reload").returncode == 0


@needs_landlock
def test_links_of_an_isolated_service_are_listed_like_others(tmp_path, echo):
    """In pieces, for there are more than one word from the other process can hold."""
    services = {"far": server(echo.port, isolate=True), "near": server(echo.port)}
    with Controlled(tmp_path, services) as run:
        run.wait_ready()
        assert run.ctl("links").stdout.splitlines()[1:] == []
        conns = open_links(run, 130)
        near = socket.create_connection(run.where("near"), timeout=10)
        near.sendall(b"x")
        assert harness.recv_exact(near, 1) == b"x"
        answer = json.loads(run.ctl("links", "--json").stdout)
        assert answer["more"] == 0 and answer["servicesNotListed"] == 0
        links = [link for link in answer["links"] if link["service"] == "far"]
        assert len(answer["links"]) == 131 and len(links) == 130
        assert {link["peer"] for link in links} == {"127.0.0.1:%d" % c.getsockname()[1] for c in conns}
        for link in links:
            assert (link["transport"], link["role"], link["state"], link["carries"]) == ("dummy", "server", "carries", "a stream")
            assert link["plainReceived"] == 500 and link["wireReceived"] >= 500 and 0 <= link["ageSeconds"] < 600
        for most in (1, 58, 100, 116, 130):
            done = run.ctl("links", "--most", most)
            assert len(done.stdout.splitlines()) == most + 2 and "and %d more" % (131 - most) in done.stdout
        harness.poll(lambda: json.loads(run.ctl("status", "--json").stdout)["services"][0]["linksOpen"] == 130, what="its figures")
        for conn in [near, *conns]:
            conn.close()
        harness.poll(lambda: json.loads(run.ctl("links", "--json").stdout)["links"] == [], what="the end of the links")
