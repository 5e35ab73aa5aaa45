# SPDX-License-Identifier: BSD-3-Clause
"""ptah invite: what it prints is what works."""
import base64
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest

import harness
from harness import MODULES, E1C, E1S, Ptah, connect, free_port, recv_exact
from lines import pattern

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(MODULES, "obfs4.so")),
    reason="built without obfs4")

HERE = ["--bind", "127.0.0.1:4430", "--advertise", "192.0.2.7:443"]


def invite(*words, cwd=None, **env):
    return subprocess.run(
        [harness.program()[0], "invite", *map(str, words)],
        capture_output=True, env=harness.environment(env), cwd=cwd,
        text=True, timeout=120 * harness.SLOW, check=False)


def told(*words, **env):
    """The JSON form of an invitation."""
    got = invite(*words, "--json", **env)
    assert got.returncode == 0 and got.stderr == "", got
    out = json.loads(got.stdout)
    assert list(out) == ["transport", "new", "files", "kept", "bridge-line",
                         "server-torrc", "client-torrc", "server-options",
                         "client-options"]
    return out


def refused(*words, rc=69, says=(), **env):
    got = invite(*words, **env)
    assert got.returncode == rc and got.stdout == "", got
    for text in says:
        assert text in got.stderr, got.stderr
    return got


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- as Tor reads it ---------------------------------------------------------

def tor_starts(lines, target, state, **more):
    """A ptah server, started as Tor would with these lines of a torrc."""
    words = dict(line.split(" ", 1) for line in lines)
    name, how, path, *flags = words["ServerTransportPlugin"].split(" ")
    assert how == "exec" and os.path.samefile(path, harness.program()[0])
    listen = words["ServerTransportListenAddr"].split(" ")
    assert listen[0] == name
    env = dict(more, TOR_PT_SERVER_TRANSPORTS=name,
               TOR_PT_SERVER_BINDADDR="%s-%s" % (name, listen[1]))
    if "ServerTransportOptions" in words:
        of, *pairs = words["ServerTransportOptions"].split(" ")
        assert of == name
        env["TOR_PT_SERVER_TRANSPORT_OPTIONS"] = ";".join(
            name + ":" + re.sub(r"([\\:;])", r"\\\1", pair) for pair in pairs)
    return Ptah(E1S(state, target, **env).plus(*flags))


def carries(c, name, line):
    """Bytes go through the bridge that the line names, and come back."""
    words = line.split(" ")
    assert words[0] == name
    host, port = words[1].rsplit(":", 1)
    text = ";".join(re.sub(r"([\\;])", r"\\\1", pair) for pair in words[2:])
    sock = connect(c.address(name))
    if text:
        user, rest = text[:255].encode(), text[255:].encode() or b"\0"
        sock.sendall(b"\5\1\2" + b"\1" + bytes([len(user)]) + user +
                     bytes([len(rest)]) + rest)
        assert recv_exact(sock, 4) == b"\5\2\1\0"
    else:
        sock.sendall(b"\5\1\0")
        assert recv_exact(sock, 2) == b"\5\0"
    sock.sendall(b"\5\1\0\1" + bytes(map(int, host.split("."))) +
                 int(port).to_bytes(2, "big"))
    assert recv_exact(sock, 10)[:2] == b"\5\0"
    data = pattern(5000)
    sock.sendall(data)
    assert recv_exact(sock, len(data)) == data


@pytest.mark.parametrize("name, options", [
    ("obfs4", {}), ("obfs4", {"iat-mode": "1"}), ("shadow", {}),
    ("shadow", {"cipherName": "AES-128-GCM"}), ("dummy", {}), ("obfs3", {}),
    ("obfs2", {})], ids=str)
def test_what_is_printed_works(echo, tmp_path, name, options):
    """By the lines of both torrcs, and by the options of both sides."""
    if not os.path.exists(os.path.join(MODULES, name + ".so")):
        pytest.skip("built without " + name)
    where = "127.0.0.1:%d" % free_port()
    words = [name, "--bind", where, "--advertise", where, "--state",
             tmp_path / "state"]
    if options:
        words += ["--options", json.dumps(options)]
    out = told(*words)
    with tor_starts(out["server-torrc"], echo.port, tmp_path / "other") as s:
        s.wait_done()
        with Ptah(E1C(tmp_path / "client",
                      TOR_PT_CLIENT_TRANSPORTS=name)) as c:
            c.wait_done()
            assert out["client-torrc"][2] == "Bridge " + out["bridge-line"]
            carries(c, name, out["bridge-line"])
    with Ptah(["-ptversion", "3.0", "-server", "-transport", name, "-bindhost",
               "127.0.0.1", "-bindport", where.split(":")[1], "-target",
               "127.0.0.1:%d" % echo.port, "-state", str(tmp_path / "state"),
               "-options", json.dumps(out["server-options"])]) as s, \
            Ptah(["-ptversion", "3.0", "-client", "-transport", name,
                  "-options", json.dumps(out["client-options"])]) as c:
        s.wait_done()
        c.wait_done()
        sock, code = harness.socks5(c.address(name), ("127.0.0.1", 9))
        assert code == 0
        harness.echoes(sock, pattern(5000))


@pytest.mark.parametrize("cipher, size", [
    ("2022-blake3-aes-128-gcm", 16), ("2022-blake3-aes-256-gcm", 32), ("2022-BLAKE3-CHACHA20-POLY1305", 32)])
def test_shadowsocks_2022_gets_a_key_of_its_length(echo, tmp_path, cipher, size):
    """No password: base64 as all programs of 2022 read it."""
    if not os.path.exists(os.path.join(MODULES, "shadow.so")):
        pytest.skip("built without shadow")
    where = "127.0.0.1:%d" % free_port()
    out = told("shadow", "--bind", where, "--advertise", where, "--state", tmp_path / "state", "--options",
               json.dumps({"cipherName": cipher, "profile": "ss"}))
    key = out["server-options"]["password"]
    assert out["client-options"]["password"] == key and "password=%s " % key in out["bridge-line"]
    assert len(base64.b64decode(key, validate=True)) == size
    with Ptah(["-ptversion", "3.0", "-server", "-transport", "shadow", "-bindhost", "127.0.0.1", "-bindport",
               where.split(":")[1], "-target", "127.0.0.1:%d" % echo.port,
               "-options", json.dumps(out["server-options"])]) as s, \
            Ptah(["-ptversion", "3.0", "-client", "-transport", "shadow",
                  "-options", json.dumps(out["client-options"])]) as c:
        s.wait_done()
        c.wait_done()
        sock, code = harness.socks5(c.address("shadow"), ("127.0.0.1", 9))
        assert code == 0
        harness.echoes(sock, pattern(5000))


def test_each_layer_of_a_stack_has_an_identity_and_a_place_in_the_line(echo, tmp_path, module_dir):
    with open(os.path.join(module_dir, "thrice.json"), "w") as f:
        json.dump({"stack": ["obfs4", "obfs4", "obfs4"]}, f)
    path = {"PTAH_MODULE_PATH": module_dir + ":" + MODULES}
    where = "127.0.0.1:%d" % free_port()
    out = told("thrice", "--bind", where, "--advertise", where, "--state", tmp_path, **path)
    certs = [out["client-options"][below + "cert"] for below in ("", "over.", "over.over.")]
    assert len(set(certs)) == 3
    assert {tmp_path / (name + "_state.json") for name in ("thrice", "obfs4", "obfs4.2")} <= {
        pathlib.Path(name) for name in out["files"]}
    with tor_starts(out["server-torrc"], echo.port, tmp_path / "other", **path) as s:
        s.wait_done()
        with Ptah(E1C(tmp_path / "client", TOR_PT_CLIENT_TRANSPORTS="thrice", **path)) as c:
            c.wait_done()
            carries(c, "thrice", out["bridge-line"])


@pytest.mark.parametrize("name", ["obfs4", "shadow"])
def test_an_identity_stays_until_another_is_wanted(tmp_path, name):
    state = tmp_path / "state"
    words = [name, *HERE, "--state", state]
    first = told(*words)
    assert first["new"] and first["kept"] == []
    assert sorted(first["files"]) == sorted(
        str(path) for path in state.iterdir())
    for path in first["files"]:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    before = everything(state)

    again = told(*words)
    assert not again["new"] and set(again["files"]) <= set(first["files"])
    assert again["bridge-line"] == first["bridge-line"]
    moved = told(name, *HERE[:2], "--advertise", "192.0.2.8:99", "--state",
                 state)
    assert moved["bridge-line"] == first["bridge-line"].replace(
        "192.0.2.7:443", "192.0.2.8:99")
    assert moved["client-options"]["serverAddress"] == "192.0.2.8:99"
    assert everything(state) == before

    for _ in range(2):  # also twice in one second
        other = told(*words, "--new")
        assert other["new"] and other["bridge-line"] != first["bridge-line"]
        assert sorted(other["files"]) == sorted(first["files"])
        for path in other["kept"]:
            assert re.search(r"\.\d{4}-\d\d-\d\dT\d{6}Z(\.2)?$", path)
            old = path.split(".20")[0]
            assert os.path.basename(old) in before
            text = open(path, "rb").read()
            assert text == before[os.path.basename(old)]
        before = {name: text for name, text in everything(state).items()
                  if ".20" not in name}
    assert told(*words)["bridge-line"] == other["bridge-line"]


def test_the_identity_of_a_running_bridge(echo, tmp_path):
    """It is read all the same, and not replaced meanwhile."""
    state = tmp_path / "state"
    with Ptah(E1S(state, echo.port, TOR_PT_SERVER_TRANSPORTS="obfs4",
                  TOR_PT_SERVER_BINDADDR="obfs4-127.0.0.1:0")) as bridge:
        bridge.wait_done()
        cert = re.search("cert=([^,]+)",
                         bridge.methods()["obfs4"][2]).group(1)
        before = everything(state)
        assert "cert=%s " % cert in told(
            "obfs4", *HERE, "--state", state)["bridge-line"]
        refused("obfs4", *HERE, "--state", state, "--new",
                says=["obfs4_*", "stop it first"])
        assert everything(state) == before


def test_where_the_state_is(tmp_path):
    """--state, else the variable, else the current folder."""
    for folder, words, env in [
            (tmp_path / "a", ["--state=%s" % (tmp_path / "a")],
             {"TOR_PT_STATE_LOCATION": tmp_path / "b"}),
            (tmp_path / "b", [], {"TOR_PT_STATE_LOCATION": tmp_path / "b"}),
            (tmp_path / "c", [], {})]:
        (tmp_path / "c").mkdir(exist_ok=True)
        got = invite("obfs4", *HERE, *words, cwd=tmp_path / "c", **env)
        assert got.returncode == 0 and got.stderr == "", got
        assert (folder / "obfs4_state.json").exists()
        assert str(folder / "obfs4_state.json") in got.stdout


def test_what_is_wrong_and_what_to_do(tmp_path):
    state = tmp_path / "state"
    for words, says in [
            ([], "ptah invite TRANSPORT"), (["--bind"], "--bind IP:PORT"),
            (["obfs4"], "--bind is missing"),
            (["obfs4", "--bind", "127.0.0.1"], "such as --bind 0.0.0.0:443"),
            (["obfs4", "--bind", "127.0.0.1:0"], "such as --bind"),
            (["obfs4", *HERE[:2]], "--advertise is missing"),
            (["obfs4", *HERE[:3], "192.0.2.7"], "such as --advertise"),
            (["obfs4", *HERE, "--nwe"], '"--nwe" is none of its flags'),
            (["obfs4", *HERE, "--new=1"], "--new takes no value"),
            (["obfs4", *HERE, "--new", "--new"], "twice"),
            (["obfs4", *HERE, "--state"], "--state FOLDER"),
            (["obfs4", *HERE, "--options", "{"], "--options"),
            (["obfs4", *HERE, "--optionsFile", "/none"], "--optionsFile")]:
        refused(*words, rc=64, says=[says])
    for words, says in [
            (["ghost"], "see ptah modules"),
            (["obfs4", "--options", '{"iat-mode": "3"}'], "not 0, 1 or 2"),
            (["obfs4", "--options", '{"node-id": "%s"}' % ("8" * 40)],
             "missing argument 'private-key'"),
            (["shadow", "--options", '{"cipherName": "rc4-md5"}'],
             '"cipherName": "rc4-md5"')]:
        refused(words[0], *HERE, "--state", state, *words[1:], says=[says])
        assert not list(state.glob("*")), words
    (tmp_path / "file").write_text("")
    refused("obfs4", *HERE, "--state", tmp_path / "file", rc=64,
            says=["no folder"])


def test_nothing_is_replaced_unasked(tmp_path):
    """Options that make another identity; a file that is damaged, or alone."""
    state = tmp_path / "state"
    told("obfs4", *HERE, "--state", state)
    before = everything(state)
    other = json.dumps({"node-id": "83" * 20, "private-key": "0f" * 32,
                        "drbg-seed": "c5" * 24})
    refused("obfs4", *HERE, "--state", state, "--options", other,
            says=["--new"])
    assert everything(state) == before
    got = told("obfs4", *HERE, "--state", state, "--options", other, "--new")
    assert len(got["kept"]) == 2
    (state / "obfs4_state.json").write_text("{")
    refused("obfs4", *HERE, "--state", state, says=["damaged"])
    assert (state / "obfs4_state.json").read_text() == "{"
    told("obfs4", *HERE, "--state", state, "--new")

    told("shadow", *HERE, "--state", state)
    refused("shadow", *HERE, "--state", state, "--options",
            '{"profile": "ss"}', says=["leave --options out", "--new"])
    (state / "shadow_client.json").unlink()
    refused("shadow", *HERE, "--state", state, says=["bring it back", "--new"])
    told("shadow", *HERE, "--state", state, "--new")


def test_what_a_line_cannot_say(tmp_path):
    state = tmp_path / "a folder"
    out = told("obfs4", *HERE, "--state", state)
    assert out["server-torrc"] is None and out["client-torrc"]
    text = invite("obfs4", *HERE, "--state", state).stdout
    assert "ServerTransportPlugin" not in text
    assert "a torrc cannot say the path" in text
    out = told("dummy", *HERE, "--options",
               '{"args": {"motto": "two words"}}', "--state", state)
    assert out["bridge-line"] is None and out["client-torrc"] is None
    assert out["client-options"]["motto"] == "two words"
    out = told("obfs4", *HERE[:3], "bridge.example:443", "--state", state)
    assert out["client-torrc"] is None
    assert out["client-options"]["serverAddress"] == "bridge.example:443"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_root_leaves_no_files_to_others():
    """What root makes, the owner of the folder could not read."""
    folder = tempfile.mkdtemp()
    try:
        os.chown(folder, 65534, 65534)
        refused("obfs4", *HERE, "--state", folder, says=["sudo -u nobody"])
        # Nor does root make a folder there, which that one could not read.
        refused("obfs4", *HERE, "--state", os.path.join(folder, "new", "deeper"),
                says=["%s is nobody's" % folder, "sudo -u nobody"])
        assert os.listdir(folder) == []
    finally:
        shutil.rmtree(folder)


def test_killed_at_any_moment_it_leaves_an_identity(tmp_path):
    """Under --new a name holds the old file or the new one, never less."""
    state = tmp_path / "state"
    told("obfs4", *HERE, "--state", state)
    begun = time.monotonic()
    told("obfs4", *HERE, "--state", state, "--new")
    whole = time.monotonic() - begun
    for i in range(25):
        p = subprocess.Popen(
            [harness.program()[0], "invite", "obfs4", *HERE, "--state",
             str(state), "--new"], env=harness.environment(),
            stdout=subprocess.DEVNULL)
        try:
            p.wait(whole * (i + 1) / 25)
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            p.wait()
        assert not told("obfs4", *HERE, "--state", state)["new"]


def test_the_example_of_the_readme(tmp_path):
    """It runs as it stands there, and prints what stands below it."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
        text = f.read()
    [line] = re.findall(r"^    (ptah invite .*)$", text, re.M)
    shown = text.split(line)[1].split("\n\n## ")[0].split("\n\n    ", 1)[1]
    shown = [row[4:] for row in ("    " + shown).splitlines()
             if row.startswith("    ") and "..." not in row]
    words = shlex.split(line)
    assert words[:2] == ["ptah", "invite"]
    at = words.index("--state") + 1
    got = invite(*words[2:at], tmp_path, *words[at + 1:])
    assert got.returncode == 0, got
    rows = got.stdout.replace(str(tmp_path), words[at]).replace(
        harness.program()[0], "/usr/local/bin/ptah").splitlines()
    assert shown and [row for row in shown if row not in rows] == []
