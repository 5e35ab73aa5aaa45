# SPDX-License-Identifier: BSD-3-Clause
"""ptah check-module: whoever keeps to the contract passes, who does not is caught.

Each row has a process of its own; together they take some seconds for a
module, and so this file takes longer than others.
"""
import json
import os
import re
import subprocess
import xml.etree.ElementTree

import pytest

import harness

KEEP_MESSAGES = ["dummy", "shadow"]
MODULES = ["dummy", "obfs4", "obfs3", "obfs2", "scramblesuit", "shadow"]


def check(path, *words, seconds="0.1", timeout=120):
    """The exit status, and what was printed."""
    got = subprocess.run(
        [harness.program()[0], "check-module", path, "--seconds", seconds, *words],
        capture_output=True, text=True, env=harness.environment(),
        timeout=timeout * harness.SLOW, check=False)
    return got.returncode, got.stdout, got.stderr


def rows(path, *words, **how):
    """Verdicts by row, and the whole rows."""
    status, out, _ = check(path, "--json", *words, **how)
    told = json.loads(out)
    assert status == (1 if told["failed"] else 0)
    return {row["name"]: row["verdict"] for row in told["rows"]}, {row["name"]: row for row in told["rows"]}


def shipped(name):
    return os.path.join(harness.MODULES, name + ".so")


@pytest.mark.parametrize("name", MODULES)
def test_shipped_module_passes(name):
    """What we ship keeps to what we ask."""
    verdicts, whole = rows(shipped(name))
    bad = {row: (whole[row]["text"], whole[row]["step"])
           for row, verdict in verdicts.items() if verdict not in ("pass", "n/a")}
    assert bad == {}
    assert verdicts["carry"] == "pass"
    assert {verdicts["messages"], verdicts["bad-messages"]} == {"pass" if name in KEEP_MESSAGES else "n/a"}


def test_what_is_behind_a_handshake_is_judged_as_that():
    """However many bytes there is time to change: obfs3 cannot know that one behind its handshake is not its peer's."""
    verdicts, whole = rows(shipped("obfs3"), "--row", "flipped", seconds="2")
    assert verdicts == {"flipped": "pass"}, whole


@pytest.mark.parametrize("row", ["messages", "bad-messages"])
@pytest.mark.parametrize("keys", [
    {"password": "MDEyMzQ1Njc4OWFiY2RlZg==", "cipherName": "2022-BLAKE3-AES-128-GCM"},
    {"password": "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=", "cipherName": "2022-BLAKE3-CHACHA20-POLY1305"},
    {"password": "for trials"},
], ids=["2022", "2022-chacha", "before"])
def test_shadow_keeps_messages_with_addresses(row, keys):
    """With the address of a target in each, and with sessions and windows."""
    server = dict(keys, profile="ss")
    options = {"server": server, "client": dict(server, target="192.0.2.7:53")}
    verdicts, whole = rows(shipped("shadow"), "--row", row, "--options", json.dumps(options))
    assert verdicts == {row: "pass"}, whole


@pytest.mark.parametrize("name", ["escort", "parcel"])
def test_messages_with_a_cookie_or_only_a_mark_pass(name):
    """A server that answers a stranger and forgets it, and one that opens for all."""
    path = os.path.join(harness.TEST_MODULES, name + ".so")
    for row in ("messages", "bad-messages"):
        verdicts, whole = rows(path, "--row", row, "--options", "{}")
        assert verdicts == {row: "pass"}, whole


def test_module_without_an_example_is_told_so():
    """exec runs whatever program it is told to: it cannot have an example."""
    _, whole = rows(shipped("exec"), "--row", "example")
    assert whole["example"]["verdict"] == "n/a"
    assert "--options" in whole["example"]["text"]


def test_carrier_is_tried_on_the_relay():
    """exec with our own program below it: 32 links."""
    path, libs = harness.program()
    how = {"exec": path, "name": "dummy", "env": {"PTAH_MODULE_PATH": harness.MODULES, **({"LD_LIBRARY_PATH": libs} if libs else {})}}
    options = {"server": how, "client": {**how, "options": {"a": "b"}}}
    for row in ("relay", "below"):
        verdicts, whole = rows(shipped("exec"), "--row", row, "--options", json.dumps(options))
        assert verdicts == {row: "pass"}, whole


@pytest.mark.parametrize("name, says", [
    ("wrongabi", "built for ABI 2"),
    ("wrongmagic", "no ptah module"),
    ("wrongname", "othername"),
    ("broken", "ptah_test_function_that_is_nowhere"),
])
def test_module_that_does_not_load_is_one_row(name, says):
    """The row "load" says why, and no other row says the same again."""
    verdicts, whole = rows(os.path.join(harness.TEST_MODULES, name + ".so"))
    assert verdicts.pop("load") == "fail"
    assert says in whole["load"]["text"]
    assert set(verdicts.values()) == {"skipped"}


def test_table_is_for_people():
    """A line for each row, and a sum; nothing but text."""
    status, out, err = check(shipped("dummy"), "--row", "carry")
    assert status == 0 and err == ""
    assert re.match(r"carry +pass +\d+ bytes", out)
    assert out.endswith("1 passed, 0 failed, 0 not applicable, 0 skipped\n")


def test_junit_file_says_the_same(tmp_path):
    """Cases, failures and skips, as a build server reads them."""
    path = str(tmp_path / "rows.xml")
    status, _, _ = check(os.path.join(harness.TEST_MODULES, "wrongname.so"), "--junit", path)
    suite = xml.etree.ElementTree.parse(path).getroot()
    assert status == 1
    assert suite.get("failures") == "1"
    assert len(suite) == int(suite.get("tests")) == int(suite.get("skipped")) + 1
    assert "othername" in suite.find("testcase[@name='load']/failure").get("message")


@pytest.mark.parametrize("words", [
    [], ["--json"], ["nothing.txt"], ["/nowhere/veil.so"], ["dummy.so", "--row"],
])
def test_what_cannot_be_is_usage(words):
    """64, one line, and nothing on standard output."""
    got = subprocess.run([harness.program()[0], "check-module", *words], capture_output=True,
                         text=True, env=harness.environment(), timeout=120, check=False)
    assert got.returncode == 64
    assert got.stdout == ""
    assert re.fullmatch(r"ptah: check-module: .+\n", got.stderr)


@pytest.mark.parametrize("words, says", [
    (["--row", "nothing"], "no row"),
    (["--seconds", "much"], "no number"),
    (["--options", "[1]"], "no JSON object"),
    (["--json", "--json"], "twice"),
    (["--bogus"], "none of its flags"),
    (["--json=1"], "takes no value"),
])
def test_wrong_flags_are_usage(words, says):
    """64, and which flag it was."""
    status, out, err = check(shipped("dummy"), *words)
    if words[0] == "--seconds":
        assert "twice" in err
        got = subprocess.run([harness.program()[0], "check-module", shipped("dummy"), *words],
                             capture_output=True, text=True, env=harness.environment(), timeout=120, check=False)
        status, out, err = got.returncode, got.stdout, got.stderr
    assert (status, out) == (64, "")
    assert says in err
