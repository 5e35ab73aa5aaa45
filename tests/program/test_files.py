# SPDX-License-Identifier: BSD-3-Clause
"""Files that options name: read when a service starts, part of what it is, and watched."""
import json
import os
import signal

import pytest

import conffile
import harness
from cells import needs_landlock
from harness import E1S, F3S, Ptah, connect, echoes, poll
from image import Image, flags_at
from runner import Run, server
from test_check_module import check as check_module
from test_info import info

NOTHING = r"is not taken: nothing has changed"


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path / "certs")


class Files:
    """A folder of them."""

    def __init__(self, path):
        path.mkdir(mode=0o700)
        self.path = path
        self.main = self.put("main.pem", b"one")

    def put(self, name, text, mode=0o600):
        """As a certificate's client does: by another name first."""
        new = self.path / ".new"
        new.write_bytes(text)
        new.chmod(mode)
        new.replace(self.path / name)
        return str(self.path / name)


def folio(target, path, isolate=False, files=None, **options):
    far = server(target, "folio", isolate=isolate, options={"file": path, **options})
    return dict(far, files=files) if files is not None else far


def ask(sock, what=b"F"):
    sock.sendall(what)
    return harness.recv_exact(sock, int(harness.recv_exact(sock, 4)))


def connect_to(where, holds):
    """A link that knows this content; just after a change the old service may still take what has come to the port."""
    def attempt():
        sock = connect(where)
        if ask(sock) == holds:
            return sock
        sock.close()
        return None

    return poll(attempt, timeout=30, what="a link that knows %r" % holds)


def asked(where):
    with connect(where) as sock:
        return ask(sock)


def swap(run, label="far"):
    """A reload in which one service changes, and serves again."""
    since = len(run.err_lines)
    assert "0 services are new, 1 changed, 0 gone" in run.reload()
    return run.where(label, since)


def refused(run):
    """A reload that is not taken; what is wrong."""
    since = len(run.err_lines)
    run.signal(signal.SIGHUP)
    run.wait_line(NOTHING, "err", since=since)
    return "\n".join(run.err_lines[since:])


def run_of(tmp_path, services, **more):
    return Run(tmp_path, services, **{"watch": False, **more})


# --- what is read -----------------------------------------------------------

def test_a_module_gets_what_its_files_hold(tmp_path, echo, files):
    """Bytes, all of them, and the path; secret ones, and several of one option."""
    odd = bytes(range(256))
    main = files.put("odd.pem", odd)
    more = [files.put("a", b"a"), files.put("none", b""), files.put("b", b"bb")]
    far = folio(echo.port, main, key=files.put("key", b"hush", 0o640), list=more, once=files.put("once", b"not for long"))
    with run_of(tmp_path, {"far": far}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as sock:
            assert ask(sock) == odd and ask(sock, b"P") == main.encode()
            assert ask(sock, b"K") == b"hush" and ask(sock, b"L") == b"abb"
            assert ask(sock, b"O") == b""
            assert echoes(sock)
        run.check()
        assert run.finish() == 0


@pytest.mark.parametrize("how", ["json", "kv"])
def test_under_a_parent(tmp_path, echo, files, how):
    """Both ways in which a parent says options."""
    if how == "json":
        start = F3S(echo.port, transport="folio", options=harness.options(file=files.main))
    else:
        start = E1S(tmp_path / "state", echo.port, TOR_PT_SERVER_TRANSPORTS="folio",
                    TOR_PT_SERVER_BINDADDR="folio-127.0.0.1:0",
                    TOR_PT_SERVER_TRANSPORT_OPTIONS="folio:file=%s" % files.main)
    with Ptah(start) as p:
        assert asked(p.address("folio")) == b"one"


FAULTS = [
    ("lost.pem", r"option \"file\": {folder}/lost.pem cannot be read: No such file or directory"),
    ("", r"option \"file\": {folder}/ is no file, but a folder"),
    ("pipe", r"option \"file\": {folder}/pipe is no file, but something else"),
    ("none", r"option \"file\": {folder}/none is 0 bytes long, and not 1 to 1048576"),
    ("long", r"option \"file\": {folder}/long is 1048577 bytes long, and not 1 to 1048576"),
    ("bad", r"option \"file\": what {folder}/bad holds is bad"),
]


@pytest.mark.parametrize("name, text", FAULTS, ids=[row[0] or "folder" for row in FAULTS])
def test_what_cannot_be_taken_is_said(tmp_path, echo, files, name, text):
    """By option, path and cause, and where in the configuration that is."""
    files.put("none", b"")
    files.put("bad", b"bad")
    os.mkfifo(files.path / "pipe", 0o600)
    with open(files.put("long", b""), "wb") as out:
        out.truncate(1048577)
    got = conffile.check(tmp_path, {"services": {"far": folio(echo.port, "%s/%s" % (files.path, name))}})
    where = "services.far.options" if name == "bad" else "services.far.options.file"
    assert got.of(where) == [text.replace("\\\"", '"').format(folder=files.path)]


def test_a_secret_is_open_to_nobody_else(tmp_path, echo, files):
    """Others may have no right on it; the path itself may be shown, and a file of everybody may say it."""
    key = files.put("key", b"hush", 0o604)
    conf = {"services": {"far": folio(echo.port, files.main, key=key)}}
    assert conffile.check(tmp_path, conf).of("services.far.options.key") == [
        'option "key": %s is a secret, and open to everybody (mode 0604): chmod o-rwx it' % key]
    os.chmod(key, 0o640)
    got = conffile.check(tmp_path, conf, mode=0o644)
    assert (got.errors, got.warnings) == ([], [])


@pytest.mark.skipif("PTAH_SLOW" in os.environ, reason="a sanitizer keeps what is freed")
def test_what_is_secret_lies_in_locked_memory_alone(tmp_path, echo, files):
    """Once, where no swap and no core image gets at it; what is read once is nowhere when the service serves."""
    secrets = {"key": os.urandom(32), "once": os.urandom(600)}
    paths = {name: files.put(name, text) for name, text in secrets.items()}
    needles = {"key": secrets["key"], "once": secrets["once"][-32:], "begin": secrets["once"][:32]}
    with run_of(tmp_path, {"far": folio(echo.port, files.main, **paths)}) as run:
        run.wait_ready()
        image = Image(run.pid, needles)
        assert (image.count("key"), image.count("once"), image.count("begin")) == (1, 0, 0), image.there()
        assert {"lo", "dd"} <= set(flags_at(run.pid, image.found["key"][0][0]))
        run.reload()
        assert Image(run.pid, needles).count("key") == 1
        assert run.finish() == 0


def test_ptah_does_not_start_without_it(tmp_path, echo, files):
    """A file with an error is not run."""
    os.unlink(files.main)
    with run_of(tmp_path, {"far": folio(echo.port, files.main)}) as run:
        run.wait_line(r"services.far.options.file: .*main.pem cannot be read: No such file", "err")
        assert run.exit() == 78


def test_people_are_told_of_it():
    """ptah info says what such an option takes."""
    status, out, _ = info("folio", harness.TEST_MODULES)
    assert status == 0
    assert "the absolute path of a file of 1 to 1048576 bytes; required; server; of the transport" in out
    assert "the absolute path of a file of 4 to 64 bytes; server; secret; of the transport" in out
    assert "list, each the absolute path of a file of 0 to 64 bytes" in out
    assert "ABI         1.1" in out


@pytest.mark.parametrize("row", ["required", "extremes", "carry"])
def test_check_module_gives_it_files(files, row):
    """Good ones by --options, and odd ones of its own."""
    path = os.path.join(harness.TEST_MODULES, "folio.so")
    options = json.dumps({"server": {"file": files.main, "tells": False}, "client": {}})
    status, out, _ = check_module(path, "--options", options, "--json", "--row", row)
    told = {one["name"]: one for one in json.loads(out)["rows"]}
    assert status == 0 and told[row]["verdict"] == "pass", told[row]
    if row == "extremes": # what can be taken as a file of the three options: two lengths, of four kinds each
        tried, worked = (int(word) for word in told[row]["text"].split() if word.isdigit())
        assert tried > worked >= 24


# --- reload -------------------------------------------------------------------

def test_new_links_get_what_it_holds_after_a_reload(tmp_path, echo, files):
    """Old ones keep what they were born with; one that was only touched is no change."""
    with run_of(tmp_path, {"far": folio(echo.port, files.main), "other": server(echo.port)}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == b"one"
            os.utime(files.main)
            assert "0 changed, 0 gone, 2 as they were" in run.reload()
            files.put("main.pem", b"two")
            assert ask(old) == b"one" and asked(where) == b"one"
            assert swap(run) == where
            with connect_to(where, b"two") as new:
                assert ask(old) == b"one" and echoes(old) and echoes(new)
                with open(files.main, "wb") as out:
                    out.write(b"three")
                swap(run)
                connect_to(where, b"three").close()
                assert ask(old) == b"one" and ask(new) == b"two"
        run.check()
        assert run.finish() == 0


def test_a_bad_one_changes_nothing(tmp_path, echo, files):
    """Gone, empty, or not what the module takes: it is said which, and the old content serves on."""
    key = files.put("key", b"hush")
    with run_of(tmp_path, {"far": folio(echo.port, files.main, key=key)}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == b"one"
            os.unlink(files.main)
            assert 'option "file": %s cannot be read: No such file' % files.main in refused(run)
            assert asked(where) == b"one"
            files.put("main.pem", b"")
            assert "main.pem is 0 bytes long" in refused(run)
            files.put("main.pem", b"bad")
            assert "what %s holds is bad" % files.main in refused(run)
            files.put("main.pem", b"two")
            os.chmod(key, 0o644)
            assert 'option "key": %s is a secret, and open to everybody' % key in refused(run)
            with connect(where) as late:
                assert ask(late) == b"one" and ask(late, b"K") == b"hush"
            os.chmod(key, 0o600)
            swap(run)
            connect_to(where, b"two").close()
            assert ask(old) == b"one" and ask(old, b"K") == b"hush"
        run.check()
        assert run.finish() == 0


# --- the watch ------------------------------------------------------------------

def test_a_change_is_noticed(tmp_path, echo, files):
    """Nobody says a word; takes some seconds, as each change must be quiet for one."""
    live = files.path / "live"
    for name in ("v1", "v2"):
        (files.path / name).mkdir()
    (files.path / "v1" / "main.pem").write_bytes(b"v1")
    (files.path / "v2" / "main.pem").write_bytes(b"v2")
    live.symlink_to("v1")
    services = {"far": folio(echo.port, files.main), "near": folio(echo.port, str(live / "main.pem"))}
    with run_of(tmp_path, services, watch=True) as run:
        run.wait_ready()
        far, near = run.where("far"), run.where("near")
        with connect(far) as old:
            assert ask(old) == b"one"
            files.put("main.pem", b"two")
            new = files.path / ".live"
            new.symlink_to("v2")
            new.replace(live)
            run.wait_line("files that options name have changed on disk", "err", timeout=30)
            connect_to(far, b"two").close()
            connect_to(near, b"v2").close()
            since = len(run.err_lines)
            os.unlink(files.main)
            run.wait_line(r'services.far.options.file: .*main.pem cannot be read: No such file', "err", since=since, timeout=30)
            run.wait_line(NOTHING, "err", since=since)
            assert asked(far) == b"two" and asked(near) == b"v2"
            files.put("main.pem", b"three")
            connect_to(far, b"three").close()
            with open(files.main, "r+b") as out:
                out.write(b"fours")
            connect_to(far, b"fours").close()
            assert ask(old) == b"one" and echoes(old)
        assert not any("modules have changed" in line for line in run.err_lines)
        run.check()
        assert run.finish() == 0


# --- isolated ---------------------------------------------------------------------

@needs_landlock
def test_an_isolated_service_gets_its_files(tmp_path, echo, files):
    """Changed ones by a process of its own; a bad one leaves the old process at work."""
    key = files.put("key", b"hush")
    far = folio(echo.port, files.main, isolate=True, key=key, files=[files.main, key])
    with run_of(tmp_path, {"far": far}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == b"one" and ask(old, b"K") == b"hush"
            assert "1 as they were" in run.reload()
            files.put("main.pem", b"two")
            swap(run)
            connect_to(where, b"two").close()
            since = len(run.err_lines)
            os.unlink(files.main)
            run.signal(signal.SIGHUP)
            run.wait_line(r'option "file": %s cannot be read: ' % files.main, "err", since=since)
            run.wait_line(r"far goes on as it was", "err", since=since)
            assert asked(where) == b"two"
            files.put("main.pem", b"three")
            swap(run)
            connect_to(where, b"three").close()
            assert ask(old) == b"one" and echoes(old)
        run.check()
        assert run.finish() == 0


@needs_landlock
def test_an_isolated_service_reads_no_other_file(tmp_path, echo, files):
    """What its options name is not enough, since it is the module that says which of them are files."""
    far, near = folio(echo.port, files.main, isolate=True), server(echo.port)
    conf = {"services": {"far": dict(far, files=[str(files.path / "other.pem")]), "near": near}}
    got = conffile.check(tmp_path, conf)
    assert got.of("services.far.isolate") == [
        'an isolated service cannot read %s, which an option names: put it into "files" of the service' % files.main]
    with run_of(tmp_path, conf["services"]) as run:
        run.wait_line(r'far.*"file": %s cannot be read: Permission denied; an isolated service can read the files of its '
                      r'"files", and no others' % files.main, "err")
        run.wait_line("ready: 1 of 2 services serve", "err")
        assert "1 changed" in run.reload({"far": dict(far, files=[files.main]), "near": near})
        assert asked(run.where("far")) == b"one"
        run.check()
        assert run.finish() == 0


def test_files_that_belong_to_a_service(tmp_path, echo, files):
    """They need not be named by an option: what they hold is a part of the service."""
    more = files.put("more.pem", b"1")
    with run_of(tmp_path, {"far": dict(server(echo.port), files=[more])}) as run:
        run.wait_ready()
        assert "1 as they were" in run.reload()
        files.put("more.pem", b"2")
        swap(run)
        os.unlink(more)
        swap(run)
        assert "1 as they were" in run.reload()
        assert run.finish() == 0


@needs_landlock
def test_a_change_is_noticed_for_an_isolated_service(tmp_path, echo, files):
    """The watch is the parent's, which does not know which options are files."""
    with run_of(tmp_path, {"far": folio(echo.port, files.main, isolate=True, files=[files.main])}, watch=True) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == b"one"
            files.put("main.pem", b"two")
            connect_to(where, b"two").close()
            assert ask(old) == b"one"
        run.check()
        assert run.finish() == 0
