# SPDX-License-Identifier: BSD-3-Clause
"""obfs3 and obfs2 as a whole: what the host says of them and does with them."""
import os
import subprocess

import pytest

from harness import (E1S, F3C, F3S, MODULES, Ptah, environment, poll,
                     program)

ANSWERS = "answers whoever connects"
OLD = ["obfs3", "obfs2"]


@pytest.fixture(params=OLD)
def name(request):
    if not os.path.exists(os.path.join(MODULES, request.param + ".so")):
        pytest.skip("built without " + request.param)
    return request.param


def log_of(p, text):
    return [line for line in p.out_lines + p.err_lines if text in line]


def test_info_says_that_a_probe_finds_it(name):
    def info(of):
        return subprocess.run(
            [program()[0], "info", of], text=True, check=True,
            env=environment({"PTAH_MODULE_PATH": MODULES}),
            stdout=subprocess.PIPE).stdout
    said = info(name)
    assert "\nprobes      a server " + ANSWERS in said
    assert '\nasked for   by name only; "*" leaves it out\n' in said
    assert ANSWERS not in info("dummy")


def test_a_server_warns_once(name, echo):
    with Ptah(F3S(echo.port, transport=name)) as p:
        p.wait_done()
        poll(lambda: log_of(p, ANSWERS), what="the warning")
        assert p.finish() == 0
        said, = log_of(p, ANSWERS)
        assert name in said


def test_tor_hears_the_warning(name, echo, state):
    """At WARN, and so without being asked for more."""
    start = E1S(state, echo.port, TOR_PT_SERVER_TRANSPORTS=name,
                TOR_PT_SERVER_BINDADDR=name + "-127.0.0.1:0")
    with Ptah(start) as p:
        p.wait_done()
        assert len(poll(lambda: log_of(p, ANSWERS), what="the warning")) == 1


def test_a_client_has_nothing_to_warn_of(name):
    with Ptah(F3C(9, transport=name)) as p:
        p.wait_done()
        assert p.finish() == 0
        assert not log_of(p, ANSWERS)


def test_a_server_that_knows_its_peers_has_neither(echo):
    with Ptah(F3S(echo.port)) as p:
        p.wait_done()
        assert p.finish() == 0
        assert not log_of(p, ANSWERS)


def test_ipc_061_a_star_starts_neither_role(echo):
    where = ",".join(one + "-127.0.0.1:0" for one in OLD + ["dummy"])
    for start in (F3S(echo.port, transport=None, transports="*",
                      bindhost=None, bindport=None, bindaddr=where),
                  F3C(9, transport=None, transports="*")):
        with Ptah(start) as p:
            p.wait_done()
            assert p.finish() == 0
            asked = {line.split(" ")[1] for line in p.out_lines + p.err_lines
                     if line.split(" ")[0].startswith(("SMETHOD", "CMETHOD"))}
            assert "dummy" in asked
            assert not asked & set(OLD)
