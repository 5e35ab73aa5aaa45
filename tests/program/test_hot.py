# SPDX-License-Identifier: BSD-3-Clause
"""ptah run: modules that come, are replaced, and are bad, while links live."""
import os
import signal

import pytest

import harness
from harness import connect, echoes, poll
from hot import Folder, ask, connect_to, copies
from runner import Run, server

NOTHING = r"is not taken: nothing has changed"


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "modules")


def run_of(tmp_path, folder, services, **more):
    return Run(tmp_path, services, modulePath=[str(folder.path), harness.MODULES], **{"watch": False, **more})


def swap(run, label="far"):
    """A reload in which one service changes; gives where it serves then."""
    since = len(run.err_lines)
    assert "0 services are new, 1 changed, 0 gone" in run.reload()
    return run.where(label, since)


def test_a_new_file_serves(tmp_path, echo, folder):
    """It was not there at the start."""
    far = server(echo.port)
    with Run(tmp_path, {"far": far}, modulePath=[str(folder.path), harness.MODULES], watch=False) as run:
        run.wait_ready()
        new = server(echo.port, "edition")
        assert "there is no transport" in run.reload({"far": far, "new": new}, answer=r".*no transport.*")
        folder.rename(1)
        assert "1 services are new, 0 changed, 0 gone, 1 as they were" in run.reload()
        with connect(run.where("new")) as sock:
            assert ask(sock) == 1 and echoes(sock)
        assert run.finish() == 0


@pytest.mark.parametrize("how", ["rename", "unlink", "overwrite"])
def test_a_replaced_file_serves_new_links(tmp_path, echo, folder, how):
    """Old links end on old code, links and home alike; then it is gone."""
    folder.rename(1)
    with run_of(tmp_path, folder, {"far": server(echo.port, "edition")}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old, connect(where) as idle:
            assert ask(old) == 1 and ask(old, b"!") == 1
            getattr(folder, how)(2)
            assert ask(old) == 1
            assert swap(run) == where
            with connect_to(where, 2) as new:
                assert ask(new, b"!") == 2 and echoes(new)
                assert ask(old) == 1 and ask(old, b"!") == 1 and echoes(old)
                assert copies(run.pid) == 2
                old.close()
                idle.close()
                poll(lambda: copies(run.pid) == 1, what="the old code to go")
                assert ask(new) == 2 and ask(new, b"!") == 2
        run.check()
        assert run.finish() == 0


def test_what_does_not_say_it_may_go_stays(tmp_path, echo):
    """Nobody knows what it has left behind elsewhere."""
    folder = Folder(tmp_path / "modules", "lasting")
    folder.rename(1)
    with run_of(tmp_path, folder, {"far": server(echo.port, "lasting")}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == 1
            folder.rename(2)
            swap(run)
            with connect_to(where, 2):
                assert ask(old) == 1
        folder.rename(3)
        swap(run)
        connect_to(where, 3).close()
        assert copies(run.pid, "lasting") == 3
        assert run.finish() == 0


def test_what_a_carrier_opens_is_looked_at_too(tmp_path, echo, folder):
    """The optimizer opens edition by itself; the configuration does not know of that."""
    folder.rename(1)
    member = {"name": "edition", "config": {"serverAddress": "127.0.0.1:%d" % echo.port}}
    near = {"role": "client", "mode": "transparent-TCP", "transport": "optimizer", "listen": "127.0.0.1:0",
            "options": {"transports": [member]}}
    with run_of(tmp_path, folder, {"near": near}) as run:
        where = run.wait_ready().where("near")
        with connect(where) as old:
            assert echoes(old)
            assert "0 changed, 0 gone, 1 as they were" in run.reload()
            folder.rename(2)
            assert swap(run, "near") == where
            assert "0 changed, 0 gone, 1 as they were" in run.reload()
            with connect(where) as new:
                assert echoes(new) and echoes(old)
                assert copies(run.pid) == 2
        run.check()
        assert run.finish() == 0


def test_the_same_again_changes_nothing(tmp_path, echo, folder):
    """A package that was installed anew, the same version."""
    folder.rename(1)
    with run_of(tmp_path, folder, {"far": server(echo.port, "edition")}) as run:
        with connect(run.wait_ready().where("far")) as old:
            assert ask(old) == 1
            folder.unlink(1)
            os.utime(folder.file)
            assert "0 services are new, 0 changed, 0 gone, 1 as they were" in run.reload()
            assert ask(old) == 1 and copies(run.pid) == 1
        assert run.finish() == 0


def bad_files(folder):
    whole = folder.edition(2)
    other = os.path.join(harness.TEST_MODULES, "%s.so")
    return [
        (whole[:len(whole) // 2], 0o644, "cut short"),
        (whole[:-1], 0o644, "cut short"),
        (b"", 0o644, "cannot load"),
        (b"#!/bin/sh\nexit 0\n" * 20, 0o644, "invalid ELF header"),
        (open(other % "wrongabi", "rb").read(), 0o644, "edition_LTX_ptah_module"),
        (whole.replace(b"hatp", b"pth?"), 0o644, "no ptah module"),
        (whole, 0o666, "edition.so"),
    ]


def test_a_bad_file_changes_nothing(tmp_path, echo, folder):
    """Half-written, of another kind, or everybody's: refused with its reason; links and new links go on."""
    folder.rename(1)
    with run_of(tmp_path, folder, {"far": server(echo.port, "edition"), "plain": server(echo.port)}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == 1
            for text, mode, why in bad_files(folder):
                folder.file.unlink()
                folder.file.write_bytes(text)
                folder.file.chmod(mode)
                since = len(run.err_lines)
                run.reload(answer=NOTHING)
                said = "\n".join(run.err_lines[since:])
                assert "services.far.transport: " in said and 'transport "edition"' in said, said
                assert "%s: " % folder.file in said or "%s can" % folder.file in said, said
                assert why in said and "services.plain" not in said, said
                assert ask(old) == 1 and ask(old, b"!") == 1
                with connect(where) as new:
                    assert ask(new) == 1 and echoes(new)
            folder.file.unlink()
            run.reload(answer=NOTHING)
            folder.rename(1)
            assert "0 changed, 0 gone, 2 as they were" in run.reload()
            assert ask(old) == 1 and copies(run.pid) == 1
            folder.rename(3)
            swap(run)
            with connect_to(where, 3):
                assert ask(old) == 1
        run.check()
        assert run.finish() == 0


def test_a_definition_that_changes(tmp_path, echo, folder):
    """NAME.json is looked at like a module; a bad one is refused like one."""
    folder.rename(5)
    folder.add("lasting")
    file = folder.path / "nickname.json"
    file.write_text('{"module": "edition"}')
    with run_of(tmp_path, folder, {"far": server(echo.port, "nickname")}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == 5
            assert "1 as they were" in run.reload()
            file.write_text('{"module": ')
            assert "nickname" in run.reload(answer=r".*nickname\.json.*")
            file.write_text('{"module": "lasting"}')
            swap(run)
            with connect_to(where, 1):
                assert ask(old) == 5
            folder.rename(6)
            assert "1 as they were" in run.reload()
            file.write_text('{"module": "edition"}')
            swap(run)
            connect_to(where, 6).close()
        assert run.finish() == 0


def test_changes_are_noticed(tmp_path, echo, folder):
    """Nobody says a word; takes a few seconds, as a change must be quiet for one."""
    folder.rename(1)
    services = {"far": server(echo.port, "edition"), "apart": server(echo.port, "edition", isolate=True)}
    with run_of(tmp_path, folder, services, watch=True) as run:
        run.wait_ready()
        far, apart = run.where("far"), run.where("apart")
        with connect(far) as old:
            assert ask(old) == 1
            folder.rename(2)
            run.wait_line("modules have changed on disk", "err")
            connect_to(far, 2).close()
            connect_to(apart, 2).close()
            since = len(run.err_lines)
            new = folder.path / ".new"
            new.write_bytes(folder.edition(3)[:1000])
            new.replace(folder.file)
            run.wait_line(r"cut short", "err", since=since)
            run.wait_line(NOTHING, "err", since=since)
            connect_to(far, 2).close()
            connect_to(apart, 2).close()
            folder.overwrite(4)
            connect_to(far, 4).close()
            connect_to(apart, 4).close()
            assert ask(old) == 1 and ask(old, b"!") == 1
        run.check()
        assert run.finish() == 0


def test_an_isolated_service_is_replaced(tmp_path, echo, folder):
    """The new code has a process of its own."""
    folder.rename(1)
    with run_of(tmp_path, folder, {"far": server(echo.port, "edition", isolate=True)}) as run:
        where = run.wait_ready().where("far")
        with connect(where) as old:
            assert ask(old) == 1
            folder.rename(2)
            swap(run)
            with connect_to(where, 2):
                assert ask(old) == 1 and ask(old, b"!") == 1
        assert run.finish() == 0


def count(pid, what):
    if what == "rss":
        with open("/proc/%d/status" % pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    if what == "maps":
        with open("/proc/%d/maps" % pid) as maps:
            return sum(1 for _ in maps)
    return len(os.listdir("/proc/%d/fd" % pid))


def test_many_swaps_leak_nothing(tmp_path, echo, folder):
    """200 in a row, each with a link that outlives its code; takes a few seconds."""
    folder.rename(1)
    with run_of(tmp_path, folder, {"far": server(echo.port, "edition")}) as run:
        where = run.wait_ready().where("far")
        before, old = None, connect(where)
        assert ask(old) == 1
        for number in range(2, 232):
            folder.rename(number)
            since = len(run.err_lines)
            run.signal(signal.SIGHUP)
            run.wait_line("far serves: ", "err", since=since)
            new = connect_to(where, number)
            assert ask(old) == number - 1
            old.close()
            old = new
            if number == 31:
                poll(lambda: copies(run.pid) == 1)
                before = {what: count(run.pid, what) for what in ("fds", "maps", "rss")}
        poll(lambda: copies(run.pid) == 1, what="old code to go")
        poll(lambda: count(run.pid, "fds") <= before["fds"], what="descriptors to go")
        assert count(run.pid, "maps") <= before["maps"] + 8
        if harness.SLOW == 1:   # a sanitizer keeps what is freed for a while
            assert count(run.pid, "rss") <= before["rss"] + 4096
        old.close()
        run.check()
        assert run.finish() == 0
