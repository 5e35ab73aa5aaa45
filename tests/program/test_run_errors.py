# SPDX-License-Identifier: BSD-3-Clause
"""ptah run: what an operator meets who has made a mistake; each says what to do next."""
import json
import os
import re
import socket
import subprocess

import pytest

import harness

DOCTOR = r"ptah doctor {conf} says what is in the way on this machine"


def one(**more):
    return {"one": {"role": "client", "transport": "dummy", "listen": "127.0.0.1:0", **more}}


def nothing(_):
    return None


def text_for_state(tmp_path):
    (tmp_path / "state").write_text("a file")


CASES = {
    "port in use": (69, {"services": one(listen="{taken}")}, nothing,
                    ["one does not start: dummy: cannot listen on {taken}: Address already in use$", DOCTOR,
                     "ending: no service of the file starts"]),
    "unknown key": (78, {"services": one(listn="127.0.0.1:0")}, nothing,
                    [r"{conf}:\d+:\d+: services.one.listn: there is no such key; did you mean \"listen\"",
                     "{conf} cannot be used: man ptah-conf says"]),
    "wrong type": (78, {"services": one(transport=5)}, nothing,
                   [r"services.one.transport: 5 is not the name of a transport"]),
    "no transport": (78, {"services": one(transport="nosuch")}, nothing,
                     [r"services.one.transport: there is no transport \"nosuch\": ptah modules lists those"]),
    "state is a file": (69, {"services": {"one": {"role": "server", "transport": "scramblesuit", "listen": "127.0.0.1:0",
                                                  "target": "127.0.0.1:9"}}}, text_for_state,
                        [r"one does not start: .*\(its state folder is {tmp}/state/one, and {tmp}/state is a file\)",
                         DOCTOR]),
    "log": (73, {"services": one(), "logFile": "{tmp}/none/log"}, nothing,
            ["cannot write the log {tmp}/none/log: No such file or directory: make its folder, or change \"logFile\" in {conf}"]),
    "control": (70, {"services": one(), "control": "{tmp}/none/control"}, nothing,
                ["the control socket cannot be opened: {tmp}/none/control: there is no such folder: make it first"]),
    "no JSON": (78, None, nothing, [r"{conf}:1:3: this is no JSON", "man ptah-conf says"]),
}


def run(path):
    return subprocess.run([harness.program()[0], "run", str(path)], env=harness.environment(), capture_output=True,
                          text=True, timeout=120 * harness.SLOW, check=False)


@pytest.mark.parametrize("name", CASES)
def test_each_says_what_to_do(tmp_path, name):
    rc, conf, prepare, said = CASES[name]
    for service in conf["services"].values() if conf else ():
        if service["transport"] == "scramblesuit" and not os.path.exists(os.path.join(harness.MODULES, "scramblesuit.so")):
            pytest.skip("built without scramblesuit")
    path = tmp_path / "ptah.json"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        words = {"taken": "127.0.0.1:%d" % taken.getsockname()[1], "conf": str(path), "tmp": str(tmp_path)}
        conf = {"stateDir": "{tmp}/state", "unsafeLogging": True, **conf} if conf else None
        text = json.dumps(conf) if conf else "{ nonsense"
        for key, word in words.items():
            text = text.replace("{%s}" % key, word)
        path.write_text(text)
        path.chmod(0o600)
        prepare(tmp_path)
        got = run(path)
    assert got.returncode == rc, got
    for pattern in said:
        for key, word in words.items():
            pattern = pattern.replace("{%s}" % key, re.escape(word))
        assert re.search(pattern, got.stderr, re.M), (pattern, got.stderr)


def test_a_file_that_is_not_there(tmp_path):
    got = run(tmp_path / "none")
    assert got.returncode == 78
    assert "%s/none: cannot be read: No such file or directory" % tmp_path in got.stderr
