# SPDX-License-Identifier: BSD-3-Clause
"""ptah info: what a transport can stand on, what can stand on it, and stacks."""
import json
import os
import re
import subprocess

import pytest

import harness
from harness import F3S, MODULES, MODULE_PATH, Ptah

NEEDED = ("obfs4", "shadow", "dummy", "exec", "optimizer")
pytestmark = pytest.mark.skipif(
    not all(os.path.exists(os.path.join(MODULES, n + ".so")) for n in NEEDED),
    reason="built without one of " + ", ".join(NEEDED))


def info(name, path=MODULES):
    """Exit status, standard output, standard error."""
    got = subprocess.run([harness.program()[0], "info", name], capture_output=True, text=True,
                         env=harness.environment({"PTAH_MODULE_PATH": path}),
                         stdin=subprocess.DEVNULL, timeout=120 * harness.SLOW, check=False)
    return got.returncode, got.stdout, got.stderr


def facts(name, path=MODULES):
    status, out, err = info(name, path)
    assert (status, err) == (0, "")
    return out


def refused(name, path=MODULES):
    """The one line that says why."""
    status, out, err = info(name, path)
    assert (status, out) == (69, "")
    assert err.startswith("ptah: %s: " % name) and err.count("\n") == 1
    return err.split(": ", 2)[2][:-1]


def standing(text, title):
    """{name: (label, reason)} of "stands on" or "stands below"; label "not " where it cannot be."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  " + title))
    groups, out = [lines[at][16:]], {}
    for line in lines[at + 1:]:
        if not line.startswith(" " * 16):
            break
        if groups[-1].endswith(","):
            groups[-1] += " " + line[16:]
        else:
            groups.append(line[16:])
    for group in groups:
        said = re.fullmatch(r"(not |(?:as a|in the)[^:]+: )?(\w+(?:, \w+)*)(?:: (.*))?", group)
        assert said, group
        for name in said[2].split(", "):
            assert name not in out, text
            out[name] = (said[1] or "", said[3])
    return out


def shipped():
    return sorted(f[:-3] for f in os.listdir(MODULES) if f.endswith(".so"))


def names_of(path):
    """What can be asked for: the lines of ptah modules that refuse nothing."""
    got = subprocess.run([harness.program()[0], "modules"], capture_output=True, text=True,
                         env=harness.environment({"PTAH_MODULE_PATH": path}), timeout=120 * harness.SLOW, check=True)
    return {line.split()[0] for line in got.stdout.splitlines()
            if re.match(r"\w+ +(client|server)", line)}


@pytest.mark.parametrize("path", [MODULES, MODULE_PATH], ids=["shipped", "all"])
def test_each_pair_is_listed_as_the_stack_itself_answers(path):
    """ptah info a says of b what ptah info a+b does, and every name has its place."""
    names = names_of(path)
    for top in names & set(NEEDED if path == MODULES else ("dummy", "parcel", "nosrv")):
        text = facts(top, path)
        below = standing(text, "stands below")
        assert set(below) == names
        if re.search(r"^is a +carrier", text, re.M):
            assert "stands on     nothing: it makes its own streams\n" in text
            on = dict.fromkeys(names, ("not ", None))
        else:
            on = standing(text, "stands on")
        assert set(on) == names
        for name in names:
            for stack, (label, _) in ((top + "+" + name, on[name]), (name + "+" + top, below[name])):
                status, out, err = info(stack, path)
                assert status == (69 if label == "not " else 0), (stack, label, err)
                roles = re.search(r"^can be +(.*)$", out, re.M)
                if status == 0:
                    assert ("as a client" in label) == (roles[1] == "client"), stack
                    assert ("UDP modes" in label) == ("and nothing else" in out), stack


def test_it_says_of_shipped_transports_what_is_known():
    """In words, with the reason for those that cannot."""
    obfs4 = facts("obfs4")
    on, below = standing(obfs4, "stands on"), standing(obfs4, "stands below")
    assert on["shadow"] == on["exec"] == below["dummy"] == ("", None)
    assert on["optimizer"] == ("as a client: ", None)
    assert below["exec"] == ("not ", "what makes its own streams stands on nothing")
    assert set(on) == set(shipped())


def test_a_stack_has_the_facts_of_each_layer():
    """And what they are together: obfs4 keeps no messages, so the two do not."""
    text = facts("obfs4+shadow")
    assert re.search(r"^stack +obfs4\+shadow$", text, re.M)
    assert re.search(r"^messages +framed on a stream, above it$", text, re.M)
    top, wire = text.split("\nlayer 1, the top:\n")[1].split("\nlayer 2, on the wire:\n")
    assert re.search(r"^name +obfs4$", top, re.M) and "\noptions of obfs4:\n" in top
    assert re.search(r"^name +shadow$", wire, re.M) and "\n  cipherName, method\n" in wire
    assert "node-id" not in wire
    assert "messages=true" in facts("shadow+dummy").split("\nlayer 1")[0]


@pytest.mark.parametrize("method", [
    "CHACHA20-IETF-POLY1305", "AES-256-GCM", "AES-192-GCM", "AES-128-GCM", "2022-BLAKE3-AES-256-GCM",
    "2022-BLAKE3-AES-128-GCM", "2022-BLAKE3-CHACHA20-POLY1305"])
def test_shadow_names_its_methods(method):
    """Those that ptah info shows are those that a wrong one is answered with."""
    listed = re.search(r"\n  cipherName, method\n(.*)\n", facts("shadow"))[1]
    assert method in re.split(r"[ ,]+", listed)
    with Ptah(F3S(9, transport="shadow", options=json.dumps({"password": "x", "cipherName": "rot13"}))) as p:
        p.wait_done()
        line, = [l for l in p.out_lines + p.err_lines if "METHOD-ERROR shadow" in l]
    assert method in re.split(r"[ ,\\]+", line)


@pytest.mark.parametrize("stack, why", [
    ("exec+dummy", "exec makes its own streams, so it cannot stand over another transport"),
    ("dummy+optimizer+dummy", "optimizer makes its own streams, so it cannot stand over another transport"),
    ("parcel+dummy+obfs4", "parcel carries messages only, and obfs4 cannot"),
    ("obfs4+shadwo", 'there is no transport "shadwo"; did you mean "shadow"?'),
    ("+".join(["dummy"] * 9), "the stack is too high: 8 transports at most"),
])
def test_a_stack_that_cannot_be_says_why(stack, why):
    assert refused(stack, MODULE_PATH) == why


@pytest.mark.parametrize("stack, mode", [("exec+dummy", "socks5"), ("parcel+obfs4", "transparent-UDP")])
def test_a_server_refuses_what_info_refuses(echo, stack, mode):
    """Both read the same abilities."""
    refused(stack, MODULE_PATH)
    options = {"password": "p", "exec": "/bin/true", "name": "x"}
    start = F3S(echo.port).change(transport=stack, options=json.dumps(options))
    with Ptah(start.plus("-mode", mode) if mode != "socks5" else start) as server:
        server.wait_line("SMETHODS DONE")
        server.wait_line(r"SMETHOD-ERROR \S+ .*(makes its own streams|cannot carry messages)", "err")


def test_a_defined_stack_counts_with_its_layers(module_dir):
    """NAME.json is one name among others, and more than one layer."""
    with open(os.path.join(module_dir, "twofold.json"), "w", encoding="utf-8") as f:
        json.dump({"stack": ["obfs4", {"module": "shadow", "password": "p"}]}, f)
    with open(os.path.join(module_dir, "bare.json"), "w", encoding="utf-8") as f:
        json.dump({"module": "exec", "exec": "/bin/true"}, f)
    path = module_dir + ":" + MODULES
    text = facts("twofold", path)
    assert re.search(r"^stack +obfs4\+shadow$", text, re.M) and re.search(r"^defined as +\{", text, re.M)
    assert standing(text, "stands on")["twofold"] == ("", None)
    assert re.search(r"^stack +dummy\+obfs4\+shadow\+dummy$", facts("dummy+twofold+dummy", path), re.M)
    assert standing(facts("dummy", path), "stands below")["bare"][0] == "not "
    assert refused("bare+dummy", path).startswith("bare makes its own streams")
    assert refused("+".join(["twofold"] * 5), path).startswith("the stack is too high")
    assert standing(facts("+".join(["twofold"] * 4), path), "stands on")["dummy"] == (
        "not ", "the stack would be too high")
