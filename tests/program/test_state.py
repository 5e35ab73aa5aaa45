# SPDX-License-Identifier: BSD-3-Clause
"""State files: the old one or the new one, whatever happens meanwhile."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

import harness
from harness import E1S, MODULES, Ptah

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "obfs4.so")),
    reason="built without obfs4")


def bridge(state, iat=None, **changes):
    more = {} if iat is None else {
        "TOR_PT_SERVER_TRANSPORT_OPTIONS": "obfs4:iat-mode=%d" % iat}
    return E1S(state, 9, TOR_PT_SERVER_TRANSPORTS="obfs4",
               TOR_PT_SERVER_BINDADDR="obfs4-127.0.0.1:0", **more, **changes)


def started(start, **how):
    """It comes up, and ends; what it announced."""
    with Ptah(start, **how) as p:
        p.wait_done()
        methods = p.methods()
        assert p.finish() == 0
    return methods["obfs4"][2]


def refused(start, **how):
    with Ptah(start, **how) as p:
        line = p.wait_line("^SMETHOD-ERROR obfs4 ")
        p.wait_line("^SMETHODS DONE$")
        assert p.finish() == 0
    return line


def identity(state):
    """Whole, in both files: without the mode, and the mode."""
    text = (state / "obfs4_state.json").read_text()
    whole = json.loads(text)
    assert list(whole) == ["node-id", "private-key", "public-key",
                           "drbg-seed", "iat-mode"]
    line = (state / "obfs4_bridgeline.txt").read_text()
    assert re.search(r"\nBridge obfs4 .* cert=\S{70} iat-mode=[012]\n$", line)
    mode = whole.pop("iat-mode")
    assert mode in (0, 1)
    return whole, mode


def test_kill_at_any_moment_of_the_start(tmp_path):
    """Each start writes both files again, here with another iat-mode."""
    state = tmp_path / "state"
    begun = time.monotonic()
    started(bridge(state, 0))
    whole = time.monotonic() - begun
    who, _ = identity(state)
    seen = set()
    for i in range(40):
        start = bridge(state, (i + 1) % 2)
        p = subprocess.Popen([harness.program()[0], *start.argv],
                             env=harness.environment(start.env),
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            p.wait(whole * i / 40)
        except subprocess.TimeoutExpired:
            pass
        p.send_signal(signal.SIGKILL)
        p.wait()
        now, mode = identity(state)
        assert now == who
        seen.add(mode)
    # What the dead left beside them is in nobody's way.
    assert "iat-mode=1" in started(bridge(state, 1))
    assert identity(state) == (who, 1)


@pytest.mark.skipif(harness.SLOW > 1, reason="sanitizers write files of their own")
def test_a_file_that_may_not_grow(tmp_path):
    """RLIMIT_FSIZE: an error of the transport, and the old file."""
    state = tmp_path / "state"
    started(bridge(state, 0))
    before = identity(state)
    for size in (0, 1, 100):
        line = refused(bridge(state, 1), wrapper=[
            "prlimit", "--fsize=%d" % size])
        assert "state folder: File too large" in line, line
        assert identity(state) == before
        assert sorted(os.listdir(state)) == ["obfs4_bridgeline.txt",
                                             "obfs4_state.json"]


def mounts():
    """May we mount, in a namespace of our own?"""
    return shutil.which("unshare") and subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/tmp"],
        capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("pages, fits", [(2, False), (3, True)])
def test_a_full_disk(tmp_path, pages, fits):
    """A disk of so many pages, of which the two old files take two."""
    if not mounts():
        pytest.skip("needs root, to mount a small disk")
    state = tmp_path / "state"
    started(bridge(state, 0))
    before = identity(state)
    out = tmp_path / "out"
    size = resource.getpagesize()
    # The disk is gone with the process: a copy is taken when it has ended.
    script = ('mkdir "$3" && cp "$1"/obfs4_* "$3" && '
              'mount -t tmpfs -o size=$2,mode=700 none "$1" && '
              'cp "$3"/* "$1" && trap \'kill -TERM $!\' TERM && state=$1 out=$3 && shift 3 && '
              '{ "$@" & p=$!; wait $p; wait $p; '
              'rc=$?; cp "$state"/* "$out"; exit $rc; }')
    wrapper = ["unshare", "-m", "sh", "-c", script, "sh", str(state),
               str(pages * size), str(out)]
    how = {"wrapper": wrapper}
    start = bridge(state, 1).plus("-exit-on-parent-death=false")
    if fits:
        assert "iat-mode=1" in started(start, **how)
        assert identity(out) == (before[0], 1)
    else:
        line = refused(start, **how)
        assert "state folder: No space left on device" in line, line
        assert identity(out)[0] == before[0]
        left = sorted(os.listdir(out))
        assert left == ["obfs4_bridgeline.txt", "obfs4_state.json"], left
    assert identity(state) == before


def test_a_state_folder_that_cannot_be(tmp_path):
    """It is an error, and no reason to be another bridge at each start."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "else")
    for folder in (tmp_path / "link", "/proc/nowhere", "/proc/nowhere/else"):
        line = refused(bridge(folder))
        assert "state folder: " in line, line


def test_a_state_folder_that_is_in_use(tmp_path):
    with Ptah(bridge(tmp_path / "state")) as p:
        p.wait_done()
        assert "busy" in refused(bridge(tmp_path / "state"))
        assert p.finish() == 0


@pytest.mark.skipif(not os.path.exists(os.path.join(MODULES, "dummy.so")),
    reason="built without dummy")
def test_two_services_cannot_have_one_identity(tmp_path):
    """Below two stacks: one is told so, and a name of its own helps."""
    folder = tmp_path / "modules"
    folder.mkdir(mode=0o755)
    (folder / "other.json").write_text('{"module": "obfs4"}')
    for second, words in (("obfs4", 1), ("other", 0)):
        names = ["dummy+obfs4", "dummy+dummy+" + second]
        with Ptah(E1S(tmp_path / "state", 9, TOR_PT_SERVER_TRANSPORTS=",".join(names),
                TOR_PT_SERVER_BINDADDR=",".join(n + "-127.0.0.1:0" for n in names),
                PTAH_MODULE_PATH="%s:%s" % (folder, MODULES))) as p:
            p.wait_line("^SMETHODS DONE$")
            errors = [line for line in p.out_lines if line.startswith("SMETHOD-ERROR")]
            assert len(errors) == words, errors
            assert all("another transport" in e and "NAME.json" in e for e in errors)
            assert p.finish() == 0
    assert {"obfs4_state.json", "other_state.json"} <= set(os.listdir(tmp_path / "state"))
