# SPDX-License-Identifier: BSD-3-Clause
"""The program beyond the rows: its names, subcommands, modules, limits."""
import json
import os
import pty
import re
import shutil
import stat
import subprocess

import pytest

import orport
from harness import (DEVNULL, E1C, E1S, F3C, MODULES, SLOW, TEST_MODULES,
                     Ptah, Start, connect, echoes, environment, free_port,
                     options, poll, program, socks5)
from rows import DONE, are, client, comes_up, env_error, server

SOURCE = os.environ.get("PTAH_SOURCE") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..")


# --- started under another name -------------------------------------------

def as_obfs4proxy(start, tmp_path, **kwargs):
    link = tmp_path / "obfs4proxy"
    if not link.exists():
        link.symlink_to(program()[0])
    return Ptah(start, executable=str(link), argv0=str(link), **kwargs)


def test_obfs4proxy_writes_its_own_log_file(echo, tmp_path):
    """As obfs4proxy it takes that program's flags and log file."""
    start = E1S(tmp_path / "pt_state", echo.port).plus(
        "-enableLogging", "-logLevel", "DEBUG", "-unsafeLogging=false")
    with as_obfs4proxy(start, tmp_path) as p:
        p.wait_done()
        with connect(p.address()) as sock:
            assert echoes(sock)
        assert p.finish() == 0
        assert are(p.out_lines, server("1"))
    assert os.listdir(tmp_path / "pt_state") == ["obfs4proxy.log"]
    path = tmp_path / "pt_state" / "obfs4proxy.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().count("\n") >= 1


@pytest.mark.parametrize("word", ["-version", "--version"])
def test_obfs4proxy_shows_a_version(tmp_path, word):
    """Its -version is a boolean, whatever follows."""
    with as_obfs4proxy([word, "3.0"], tmp_path) as p:
        assert p.exit() == 0
        assert len(p.out_lines) == 1
        assert not p.out_lines[0].startswith("VERSION")


def test_obfs4proxy_by_argv0_alone(tmp_path):
    """The name that counts is argv[0], with or without a path."""
    with Ptah(E1C(tmp_path / "s").plus("-enableLogging"),
              argv0="obfs4proxy") as p:
        p.wait_done()
        assert p.finish() == 0
    assert os.listdir(tmp_path / "s") == ["obfs4proxy.log"]


# --- started by a person ---------------------------------------------------

def test_version_for_people():
    """ptah --version prints one line on stdout."""
    with Ptah(["--version"]) as p:
        assert p.exit() == 0
        assert len(p.out_lines) == 1
        assert re.match(r"ptah [0-9]", p.out_lines[0])


def on_a_terminal(*argv):
    """Run with a terminal as stdin, stdout and stderr; gives text and rc."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([program()[0], *argv], env=environment(),
                               stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while True:
            got = os.read(ours, 65536)
            if not got:
                break
            text += got
    except OSError:
        pass    # the terminal's other end is gone
    os.close(ours)
    return text.decode(), process.wait(5 * SLOW)


def test_alone_on_a_terminal_it_prints_its_usage():
    """Started with nothing by a person it says how it is used."""
    text, rc = on_a_terminal()
    assert "usage" in text.lower()
    assert not re.search("^VERSION", text, re.M)
    assert rc in (0, 64)


def test_alone_without_a_terminal_it_is_a_pluggable_transport():
    """Started with nothing by a program it answers as a PT."""
    env_error(Start(), says="transport")


def test_unknown_subcommand():
    """A first word that is no subcommand is a stray word."""
    env_error(Start().plus("modulse"), says="modulse")


# --- ptah modules, ptah info -------------------------------------------------

def run(*argv, path=None):
    env = environment({"PTAH_MODULE_PATH": path} if path else {})
    got = subprocess.run([program()[0], *argv], env=env, stdin=DEVNULL,
                         capture_output=True, text=True, timeout=20 * SLOW)
    assert "Sanitizer" not in got.stderr, got.stderr
    return got


def test_modules_lists_what_is_there():
    """ptah modules has a line for every module, and refused ones."""
    got = run("modules")
    assert got.returncode == 0, got
    lines = got.stdout.splitlines()
    for name in ("dummy", "selfaddr", "nosrv", "nodialer", "broken"):
        assert any(re.match(r"\W*%s\b" % name, line) for line in lines), \
            (name, got.stdout)


def row(text, name):
    """What a listing says of one name, to the next name."""
    out, inside = [], False
    for line in text.splitlines():
        if re.match(r"\S", line):
            inside = re.match(r"%s\b" % re.escape(name), line) is not None
        if inside:
            out.append(line)
    return "\n".join(out)


def test_modules_says_what_is_hidden():
    """Of two files of one name the second is hidden, and by which."""
    got = run("modules", path=TEST_MODULES + ":" + MODULES)
    assert os.path.join(TEST_MODULES, "dummy.so") in got.stdout
    assert re.search("hidden", got.stdout), got.stdout


def test_info_prints_facts_and_options():
    """ptah info dummy prints summary, abilities and options."""
    got = run("info", "dummy")
    assert got.returncode == 0, got
    for word in ("dummy", "client", "server", "args"):
        assert word in got.stdout, got.stdout


def test_info_of_nothing():
    """An unknown name is an error on stderr, with a status."""
    got = run("info", "ghost")
    assert got.returncode not in (0, -6, -11)
    assert "ghost" in got.stderr and got.stdout == ""


def test_info_of_a_broken_module():
    """A module that cannot be loaded gives its reason."""
    got = run("info", "broken")
    assert got.returncode not in (0, -6, -11)
    assert "broken" in got.stderr
    assert "file not found" not in got.stderr


# --- the loader ------------------------------------------------------------

MODULE = r"""
#include <ptah/module.h>

#ifdef MISSING
extern int function_that_nobody_has(void);
#endif

static int
pass(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link; (void)open; (void)io;
#ifdef MISSING
	return function_that_nobody_has();
#else
	return PTAH_PASS;
#endif
}

static const char *const names[] = { ALIASES 0 };

#define DESCRIBE(id) PTAH_MODULE(id)
DESCRIBE(FILENAME) = {
	.head = { MAGIC, MAJOR, PTAH_ABI_MINOR, NEEDS, 0,
	    sizeof(struct ptah_module), sizeof(struct ptah_option) },
	.name = NAME,
	.aliases = names,
	.version = "1",
	.summary = "lets bytes pass; for tests",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM |
	    PTAH_CAN_HALF_CLOSE,
	.open = pass,
};
"""


@pytest.fixture(scope="session")
def compiler(tmp_path_factory):
    """Make FILE.so in a folder, with facts of its descriptor changed."""
    source = tmp_path_factory.mktemp("module") / "module.c"
    source.write_text(MODULE)
    cc = os.environ.get("CC", "cc").split()

    def compile(folder, file="veil", name=None, magic="PTAH_ABI_MAGIC",
                major="PTAH_ABI_MAJOR", needs="0", aliases=(), flags=()):
        path = os.path.join(folder, file + ".so")
        subprocess.run(cc + [
            "-shared", "-fPIC", "-I", os.path.join(SOURCE, "include"),
            "-DFILENAME=" + file, '-DNAME="%s"' % (name or file),
            "-DMAGIC=" + magic, "-DMAJOR=" + major, "-DNEEDS=" + needs,
            "-DALIASES=" + "".join('"%s",' % a for a in aliases),
            *flags, "-o", path, str(source)], check=True)
        os.chmod(path, 0o755)
        return path
    return compile


def asks(folder, name, *words):
    """A client that wants one transport of one folder alone."""
    return Start(env={"PTAH_MODULE_PATH": str(folder)}).plus(
        "-ptversion", "3.0", "-transports", name, *words)


def refused(folder, name="veil"):
    """The reason of the method error, also told by ptah modules."""
    with Ptah(asks(folder, name)) as p:
        p.wait_done()
        assert p.finish() == 0
        assert are(p.out_lines, ["VERSION 3.0", DONE])
        assert are(p.err_protocol(), ["CMETHOD-ERROR %s <m>" % name])
        line = p.err_protocol()[0]
    listed = run("modules", path=str(folder))
    assert listed.returncode == 0
    assert name in row(listed.stdout, name), listed.stdout
    return line, row(listed.stdout, name)


def both_say(said, regex):
    for text in said:
        assert re.search(regex, text, re.I), (regex, said)


def carries(p, name, port):
    sock, rep = socks5(p.address(name), ("127.0.0.1", port))
    assert rep == 0 and echoes(sock)
    sock.close()


def test_module_that_is_dropped_in(echo, module_dir, compiler):
    """A good module is found by its name and carries bytes."""
    compiler(module_dir)
    with Ptah(asks(module_dir, "veil", "-options", options(
            serverAddress="127.0.0.1:%d" % echo.port))) as p:
        p.wait_done()
        carries(p, "veil", 1)
        assert p.finish() == 0
        assert are(p.out_lines, client(name="veil"))
        assert p.err_protocol() == []


def test_module_folder_by_flag(echo, module_dir, compiler):
    """-moduleDir is searched after PTAH_MODULE_PATH."""
    compiler(module_dir)
    start = Start(env={"PTAH_MODULE_PATH": ""}).plus(
        "-ptversion", "3.0", "-transports", "veil", "-moduleDir", module_dir)
    comes_up(start, client(name="veil"))
    start = Start().plus("-ptversion", "3.0", "-transports", "veil,dummy",
                         "-moduleDir", module_dir)
    comes_up(start, ["VERSION 3.0", "CMETHOD veil socks5 127.0.0.1:<P>",
                     "CMETHOD dummy socks5 127.0.0.1:<P>", DONE])


def test_first_folder_wins(module_dir, compiler):
    """Of two folders the first that has the name is taken, good or bad."""
    first = os.path.join(module_dir, "first")
    second = os.path.join(module_dir, "second")
    for folder in (first, second):
        os.mkdir(folder, 0o755)
    compiler(second)
    comes_up(asks(first + ":" + second, "veil"), client(name="veil"))
    compiler(first, magic="7")
    comes_up(asks(first + ":" + second, "veil"), ["VERSION 3.0", DONE],
             ["CMETHOD-ERROR veil <m>"])


@pytest.mark.parametrize("mode", [0o666, 0o777, 0o757])
def test_module_that_others_may_write(module_dir, compiler, mode):
    """A file that anybody may change is not loaded."""
    os.chmod(compiler(module_dir), mode)
    both_say(refused(module_dir), "writ")


def test_module_folder_that_others_may_write(module_dir, compiler):
    """Nor is anything from a folder that anybody may change."""
    compiler(module_dir)
    os.chmod(module_dir, 0o777)
    both_say(refused(module_dir), "writ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_module_of_somebody_else(module_dir, compiler):
    """A file must be root's or ours."""
    os.chown(compiler(module_dir), 65534, 65534)
    both_say(refused(module_dir), "own")


def test_module_with_a_wrong_magic(module_dir, compiler):
    """A descriptor that is none."""
    compiler(module_dir, magic="0x12345678")
    both_say(refused(module_dir), "12345678")


def test_module_of_another_abi(module_dir, compiler):
    """Another major is refused, with both numbers."""
    compiler(module_dir, major="(PTAH_ABI_MAJOR + 1)")
    both_say(refused(module_dir), r"ABI.*2|2.*ABI")


def test_module_that_needs_a_newer_host(module_dir, compiler):
    """So is a minor that this host does not have."""
    compiler(module_dir, needs="60000")
    both_say(refused(module_dir), "60000")


def test_module_with_a_wrong_name(module_dir, compiler):
    """NAME.so must say that it is NAME."""
    compiler(module_dir, name="other")
    both_say(refused(module_dir), "other")


def test_module_that_misses_a_function(module_dir, compiler):
    """The linker's true reason is told, not «file not found»."""
    compiler(module_dir, flags=["-DMISSING"])
    both_say(refused(module_dir), "function_that_nobody_has")


def test_module_without_a_descriptor(module_dir, compiler):
    """A library that is no module."""
    shutil.copy(compiler(module_dir, file="other"),
                os.path.join(module_dir, "veil.so"))
    both_say(refused(module_dir), "veil_LTX_ptah_module")


@pytest.mark.parametrize("content", [b"", b"this is text\n"])
def test_module_that_is_no_library(module_dir, content):
    """A file that is no library at all."""
    path = os.path.join(module_dir, "veil.so")
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, 0o644)
    for text in refused(module_dir):
        assert "file not found" not in text


def test_alias(echo, module_dir, compiler):
    """A module answers to its aliases too."""
    compiler(module_dir, aliases=["shroud", "scarf"])
    with Ptah(asks(module_dir, "scarf", "-options", options(
            serverAddress="127.0.0.1:%d" % echo.port))) as p:
        p.wait_done()
        carries(p, "scarf", 1)
        assert p.finish() == 0
        assert are(p.out_lines, client(name="scarf"))


def test_name_claimed_twice(module_dir, compiler):
    """Two modules that claim one name are both refused for it."""
    compiler(module_dir, file="veil", aliases=["scarf"])
    compiler(module_dir, file="shroud", aliases=["scarf"])
    with Ptah(asks(module_dir, "scarf")) as p:
        p.wait_done()
        assert p.finish() == 0
        assert p.methods() == {}
        assert are(p.err_protocol(), ["CMETHOD-ERROR scarf <m>"])


def define(folder, name, **content):
    path = os.path.join(folder, name + ".json")
    with open(path, "w") as f:
        json.dump(content, f)
    os.chmod(path, 0o644)
    return path


def test_definition(echo, module_dir, compiler):
    """NAME.json makes a transport of that name out of a module."""
    compiler(module_dir)
    define(module_dir, "gauze", module="veil")
    with Ptah(asks(module_dir, "gauze", "-options", options(
            serverAddress="127.0.0.1:%d" % echo.port))) as p:
        p.wait_done()
        carries(p, "gauze", 1)
        assert p.finish() == 0
        assert are(p.out_lines, client(name="gauze"))


def test_definition_with_options(echo, module_dir, compiler):
    """The other keys of a definition are options; the parent's go first."""
    compiler(module_dir)
    define(module_dir, "gauze", module="veil",
           serverAddress="127.0.0.1:%d" % echo.port)
    with Ptah(asks(module_dir, "gauze")) as p:
        p.wait_done()
        carries(p, "gauze", 1)
    define(module_dir, "gauze", module="veil", serverAddress="127.0.0.1:1")
    with Ptah(asks(module_dir, "gauze", "-options", options(
            serverAddress="127.0.0.1:%d" % echo.port))) as p:
        p.wait_done()
        carries(p, "gauze", 1)


def test_definition_of_a_stack(echo, module_dir, compiler):
    """A stack of transports is a transport of one name."""
    compiler(module_dir)
    compiler(module_dir, file="shroud")
    define(module_dir, "gauze", stack=["veil", "shroud"])
    with Ptah(asks(module_dir, "gauze", "-options", options(
            serverAddress="127.0.0.1:%d" % echo.port))) as p:
        p.wait_done()
        carries(p, "gauze", 1)
        assert p.finish() == 0
        assert are(p.out_lines, client(name="gauze"))


@pytest.mark.parametrize("content", [
    {}, {"module": 5}, {"module": "a b"}, {"stack": []},
    {"stack": ["veil", 1]}, {"module": "veil", "stack": ["veil"]}])
def test_definition_that_defines_nothing(module_dir, content):
    """What a definition should look like is told where it is wrong."""
    define(module_dir, "gauze", **content)
    both_say(refused(module_dir, "gauze"), '"module"')


def test_definition_that_is_no_json(module_dir):
    """A definition that does not parse is a method error with its place."""
    path = os.path.join(module_dir, "veil.json")
    with open(path, "w") as f:
        f.write('{"module": }')
    os.chmod(path, 0o644)
    both_say(refused(module_dir), r"json")


def test_definition_that_others_may_write(module_dir, compiler):
    """A definition is code as well: nobody else may change it."""
    compiler(module_dir, file="veil")
    os.chmod(define(module_dir, "gauze", module="veil"), 0o666)
    both_say(refused(module_dir, "gauze"), "writ")


def test_definition_of_an_unknown_module(module_dir):
    """A definition on top of nothing says what is missing."""
    define(module_dir, "gauze", module="linen")
    with Ptah(asks(module_dir, "gauze")) as p:
        p.wait_done()
        assert p.finish() == 0
        assert are(p.err_protocol(), ["CMETHOD-ERROR gauze <m>"])
        assert "linen" in p.err_protocol()[0]


# --- generated options -----------------------------------------------------

def generate(state, name, where):
    return run("-generateConfig", "-transport", name, "-serverIP", where,
               "-state", str(state), path=TEST_MODULES)


def test_generated_options_fit_each_other(echo, tmp_path):
    """-generateConfig writes a pair with which bytes are carried."""
    state = tmp_path / "new" / "folder"
    port = free_port()
    got = generate(state, "veil", "127.0.0.1:%d" % port)
    assert got.returncode == 0, got
    assert got.stdout == ""
    files = {role: state / ("veil_%s.json" % role)
             for role in ("server", "client")}
    assert sorted(os.listdir(state)) == ["veil_client.json",
                                         "veil_server.json"]
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert str(path) in got.stderr
    with Ptah(["-ptversion", "3.0", "-server", "-transport", "veil",
               "-bindhost", "127.0.0.1", "-bindport", str(port),
               "-target", "127.0.0.1:%d" % echo.port,
               "-optionsFile", str(files["server"])]) as s, \
            Ptah(["-ptversion", "3.0", "-client", "-transport", "veil",
                  "-optionsFile", str(files["client"])]) as c:
        s.wait_done()
        c.wait_done()
        carries(c, "veil", 9)


@pytest.mark.parametrize("name, says", [
    ("dummy", "no options to make"), ("ghost", "no such transport"),
    ("broken", "undefined symbol")])
def test_nothing_to_generate(tmp_path, name, says):
    """A transport that makes no options says so, and nothing is written."""
    state = tmp_path / "state"
    got = generate(state, name, "192.0.2.1:443")
    assert got.returncode == 69
    assert got.stdout == ""
    assert says in got.stderr, got.stderr
    assert not state.exists()


# --- what starts nothing before its time -----------------------------------

SPY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

int sodium_init(void);

int
sodium_init(void)
{
	int (*real)(void) = (int (*)(void))dlsym(RTLD_NEXT, "sodium_init");

	if (write(2, "sodium begins\n", 14) != 14)
		_exit(99);
	return real();
}
"""


@pytest.mark.skipif(SLOW > 1, reason="a sanitizer wants to be loaded first")
def test_cryptography_begins_when_it_is_needed(echo, state, tmp_path):
    """libsodium is not initialised before the first cookie is proved."""
    source, spy = tmp_path / "spy.c", tmp_path / "spy.so"
    source.write_text(SPY)
    subprocess.run(os.environ.get("CC", "cc").split() + [
        "-shared", "-fPIC", "-o", str(spy), str(source)], check=True)

    def begun(p):
        return "sodium begins" in p.err_lines

    with Ptah(E1C(state).plus(LD_PRELOAD=str(spy))) as p:
        carries(p, "dummy", echo.port)
        assert p.finish() == 0
        assert not begun(p)
    with orport.Port() as port:
        cookie = orport.cookie_file(tmp_path / "cookie")
        start = E1S(state, echo.port).change(
            LD_PRELOAD=spy, TOR_PT_EXTENDED_SERVER_PORT=port.address,
            TOR_PT_AUTH_COOKIE_FILE=tmp_path / "cookie")
        with Ptah(start) as p:
            p.wait_done()
            assert not begun(p)
            with connect(p.address()), port.accept() as exchange:
                exchange.talk(cookie)
            assert p.finish() == 0
            assert begun(p)


# --- resources -------------------------------------------------------------

def test_descriptor_limit_is_raised(echo):
    """The soft limit goes up to the hard one, and the log says so."""
    start = F3C(echo.port).plus("-ipcLogLevel", "INFO")
    with Ptah(start, wrapper=["prlimit", "--nofile=200:3210"]) as p:
        p.wait_done()
        with open("/proc/%d/limits" % p.pid) as f:
            line = [x for x in f if x.startswith("Max open files")][0]
        assert line.split()[3:5] == ["3210", "3210"]
        assert any("3210" in line for line in p.logs()), p.out_lines


@pytest.mark.skipif(SLOW > 1, reason="sanitizers open files of their own")
def test_too_few_descriptors_to_start(echo):
    """However few there are: it comes up, or says what it lacks and ends
    with 70."""
    ended = 0
    for n in range(4, 30):
        # With fewer than it was linked from, the loader itself gives up.
        with Ptah(F3C(echo.port).plus("-workers", "2"),
                  wrapper=["prlimit", "--nofile=%d:%d" % (n, n)]) as p:
            poll(lambda: DONE in p.out_lines or not p.alive(), 10,
                 "a decision with %d descriptors" % n)
            if p.alive():
                continue
            assert p.exit() == 70, (n, p.err_lines)
            assert p.err_lines and all(
                line.startswith("ptah: ") for line in p.err_lines), n
            assert any("Too many open files" in line
                       for line in p.err_lines), (n, p.err_lines)
            ended += 1
    assert ended > 3


def test_out_of_descriptors(echo, state):
    """New links wait, nothing spins, and service comes back."""
    start = E1C(state).plus("-workers", "1")
    with Ptah(start, wrapper=["prlimit", "--nofile=40:40"]) as p:
        p.wait_done()
        held = []
        for _ in range(60):
            sock = connect(p.address())
            sock.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\0\0\x01" +
                         echo.port.to_bytes(2, "big"))
            held.append(sock)
        poll(lambda: len(os.listdir("/proc/%d/fd" % p.pid)) >= 38,
             10, "it to run out")

        def cpu():
            with open("/proc/%d/stat" % p.pid) as f:
                words = f.read().rsplit(")", 1)[1].split()
            return (int(words[11]) + int(words[12])) / os.sysconf(
                "SC_CLK_TCK")
        before = cpu()
        assert p.stays_alive(0.5)
        assert cpu() - before < 0.2, "it spins"
        for sock in held:
            sock.close()

        def serves():
            try:
                sock, rep = socks5(p.address(), ("127.0.0.1", echo.port))
            except (OSError, AssertionError):
                return False
            good = rep == 0 and echoes(sock)
            sock.close()
            return good
        poll(serves, 10, "service to come back")
