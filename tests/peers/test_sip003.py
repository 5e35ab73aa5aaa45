# SPDX-License-Identifier: BSD-3-Clause
"""ptah as the plugin of ss-local and ss-server."""

import os
import re
import signal
import socket
import subprocess

import pytest

from conftest import need
from curling import download, upload
from household import free_ports, listening, wait_for
from pair import module_env, program_path
from servers import HttpServer

PASSWORD = "what the two Shadowsocks programs know"
CIPHER = "chacha20-ietf-poly1305"


def ss(house, program, port, plugin_options, *argv, name=None):
    """One of theirs, with ptah before it, on a port of its own."""
    need(program)
    return house.start(name or program, [program_path(program), "-k",
        PASSWORD, "-m", CIPHER, "--plugin", program_path("ptah"),
        "--plugin-opts", plugin_options] + list(argv), module_env())


def ss_server(house, options, port, host="127.0.0.1"):
    process = ss(house, "ss-server", port, "server;" + options, "-s", host,
        "-p", str(port))
    wait_for("the plugin of ss-server", 20, lambda: listening(port, host))
    return process


def ss_local(house, options, port, host="127.0.0.1"):
    local, = free_ports(1)
    process = ss(house, "ss-local", port, options, "-s", host, "-p",
        str(port), "-b", "127.0.0.1", "-l", str(local))
    wait_for("ss-local", 20, lambda: listening(local))
    return process, ("127.0.0.1", local)


def children(process):
    """The programs that it started, by process id."""
    pid = str(process.popen.pid)
    with open("/proc/%s/task/%s/children" % (pid, pid)) as f:
        return [int(word) for word in f.read().split()]


def is_there(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def plugin_listens(pid):
    """ss-local connects to it only when somebody comes."""
    with open("/proc/%d/environ" % pid, "rb") as f:
        words = dict(line.partition(b"=")[::2]
            for line in f.read().split(b"\0"))
    if b"SS_LOCAL_PORT" not in words:
        return False  # it is still on its way from fork to exec
    return listening(int(words[b"SS_LOCAL_PORT"]),
        words[b"SS_LOCAL_HOST"].decode())


def pair(house, options_server, options_client, host="127.0.0.1"):
    port, = free_ports(1, host)
    server = ss_server(house, options_server, port, host)
    local, at = ss_local(house, options_client(port), port, host)
    child, = wait_for("the plugin", 30, lambda: children(local))
    wait_for("the plugin's listener", 30, lambda: plugin_listens(child))
    return server, local, at


def carries(house, at, sizes=(0, 1, 3 * 1024 * 1024 + 17)):
    need("curl")
    web = house.add(HttpServer())
    how = ["--socks5", "%s:%d" % at]
    for size in sizes:
        download(how, "127.0.0.1", web.port, size, size)
        upload(how, "127.0.0.1", web.port, size, size, house.folder)


def cert_of(folder):
    with open(os.path.join(folder, "obfs4_bridgeline.txt")) as f:
        return re.search(r"cert=(\S+)", f.read()).group(1)


def both_silent(*processes):
    """Nothing was said on success but what they say themselves."""
    for process in processes:
        assert not re.search(r"\bptah: |METHOD|VERSION", process.text())


def test_web_150_dummy(house):
    server, local, at = pair(house, "transport=dummy",
        lambda port: "transport=dummy")
    carries(house, at)
    both_silent(server, local)


def test_web_076_150_shadow_raw(house):
    """Shadowsocks within Shadowsocks: both escape what must be."""
    word = "transport=shadow;password=a\\;b\\=c\\\\d;cipherName=AES-128-GCM"
    server, local, at = pair(house, word, lambda port: word)
    carries(house, at)
    both_silent(server, local)


def test_web_150_shadow_2022(house):
    word = ("transport=shadow;profile=ss;cipherName=2022-blake3-aes-256-gcm;"
        "password=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\\=")
    carries(house, pair(house, word,
        lambda port: word + ";target=192.0.2.1:9")[2])


def test_web_150_obfs4(house):
    state = house.path("state")
    server, local, at = pair(house, "transport=obfs4;state=" + state,
        lambda port: "transport=obfs4;iat-mode=0;cert=" + cert_of(state))
    carries(house, at)
    both_silent(server, local)


def test_web_150_a_stack(house):
    word = ('transport=shadow;password=some words;'
        'over={"module":"dummy"}')
    carries(house, pair(house, word, lambda port: word)[2], [70000])


CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)),
    os.pardir, os.pardir, "conf")


def example(house, name, **words):
    """One of conf/, with its words filled in."""
    with open(os.path.join(CONF, name)) as f:
        text = f.read()
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    path = house.path(name)
    with open(path, "w") as f:
        f.write(text)
    return path


def test_the_examples(house):
    """As they stand in conf/, but for ports, words and the folder."""
    need("ss-server", "ss-local")
    port, local = free_ports(2)
    ours = {"8388": str(port), '"ptah"': '"%s"' % program_path("ptah"),
        "PASSWORD": "a password"}
    state = house.path("state")
    house.start("ss-server", [program_path("ss-server"), "-c", example(house,
        "shadowsocks.server.json", **{"0.0.0.0": "127.0.0.1",
            "/var/lib/ptah-shadowsocks": state}, **ours)], module_env())
    wait_for("the plugin of ss-server", 20, lambda: listening(port))
    client = house.start("ss-local", [program_path("ss-local"), "-c",
        example(house, "shadowsocks.client.json", SERVER="127.0.0.1",
            CERT=cert_of(state), **{"1080": str(local)}, **ours)],
        module_env())
    wait_for("ss-local", 20, lambda: listening(local))
    child, = wait_for("the plugin", 30, lambda: children(client))
    wait_for("the plugin's listener", 30, lambda: plugin_listens(child))
    carries(house, ("127.0.0.1", local), [70000])


def test_web_152_ipv6(house):
    carries(house, pair(house, "transport=dummy",
        lambda port: "transport=dummy", "::1")[2], [70000])


def test_web_153_sigterm(house):
    """Ours goes with who started it, and is no orphan."""
    server, local, at = pair(house, "transport=dummy",
        lambda port: "transport=dummy")
    for process in (local, server):
        child, = children(process)
        process.popen.send_signal(signal.SIGTERM)
        process.popen.wait(30)
        wait_for("the plugin's end", 30, lambda: not is_there(child))


def test_web_154_our_crash(house):
    """ss-local says that its plugin is gone, and goes too."""
    server, local, at = pair(house, "transport=dummy",
        lambda port: "transport=dummy")
    child, = children(local)
    os.kill(child, signal.SIGKILL)
    assert local.popen.wait(30) != 0


def run_plugin(**changes):
    local, remote = free_ports(2)
    env = dict(module_env(), SS_REMOTE_HOST="127.0.0.1",
        SS_REMOTE_PORT=str(remote), SS_LOCAL_HOST="127.0.0.1",
        SS_LOCAL_PORT=str(local), SS_PLUGIN_OPTIONS="transport=dummy")
    env.update(changes)
    env = {k: v for k, v in env.items() if v is not None}
    argv = [program_path("ptah")] + env.pop("ARGV", [])
    return local, subprocess.Popen(argv, env=env, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_web_153_155_ends_by_signal_and_not_by_stdin(number):
    local, plugin = run_plugin(ARGV=["-V"])
    with plugin:
        try:
            wait_for("the listener", 30, lambda: listening(local))
            plugin.stdin.close()
            with pytest.raises(subprocess.TimeoutExpired):
                plugin.wait(0.5)
            with socket.create_connection(("127.0.0.1", local), 5):
                plugin.send_signal(number)
                assert plugin.wait(30) == 0
            assert plugin.stdout.read() == b"" == plugin.stderr.read()
        finally:
            plugin.kill()


@pytest.mark.parametrize("changes,rc,says", [
    ({"SS_REMOTE_PORT": None}, 78, b"SS_REMOTE_PORT is not set"),
    ({"SS_PLUGIN_OPTIONS": None}, 78, b"no transport is named"),
    ({"SS_PLUGIN_OPTIONS": "transport=nosuch"}, 1, b"nosuch"),
    ({"SS_PLUGIN_OPTIONS": "transport=shadow;password=x;cipherName=rot13"},
        1, b"rot13"),
    ({"SS_PLUGIN_OPTIONS": "transport=dummy\\"}, 78, b"backslash"),
], ids=["variable", "no-transport", "unknown", "refused", "escape"])
def test_web_152_errors_go_to_stderr(changes, rc, says):
    out, err = b"", b""
    plugin = run_plugin(**changes)[1]
    with plugin:
        try:
            out, err = plugin.communicate(timeout=30)
        finally:
            plugin.kill()
    assert plugin.returncode == rc
    assert out == b""
    line, = err.splitlines()
    assert says in line


def test_web_152_a_server_on_several_addresses():
    hosts = ["127.0.0.1", "127.0.0.2", "::1"]
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(10)
        remote, = free_ports(1)
        plugin = run_plugin(SS_REMOTE_HOST="|".join(hosts),
            SS_REMOTE_PORT=str(remote),
            SS_LOCAL_PORT=str(target.getsockname()[1]),
            SS_PLUGIN_OPTIONS="transport=dummy;server")[1]
        with plugin:
            try:
                wait_for("the listeners", 30, lambda: all(
                    listening(remote, host) for host in hosts))
                for host in hosts:
                    with socket.create_connection((host, remote), 5) as s:
                        s.sendall(b"ping")
                        there = target.accept()[0]
                        assert there.recv(4) == b"ping"
                        there.close()
                plugin.send_signal(signal.SIGTERM)
                assert plugin.wait(30) == 0
            finally:
                plugin.kill()


def test_web_152_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        plugin = run_plugin(SS_LOCAL_PORT=str(taken.getsockname()[1]))[1]
        with plugin:
            try:
                out, err = plugin.communicate(timeout=30)
            finally:
                plugin.kill()
        assert plugin.returncode == 1 and out == b""
        assert b"dummy does not start" in err
