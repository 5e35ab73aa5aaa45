# SPDX-License-Identifier: BSD-3-Clause
"""ptah new-module: a folder that builds, is tested, and carries bytes.

Each kind is built once, in a few seconds: compilers are what takes the time.
"""
import ctypes
import os
import shutil
import subprocess

import pytest

import harness
from harness import F3C, F3S, Ptah, options
from lines import pattern
from prefix import Prefix

KEY = "00112233445566778899aabbccddeeff"
FOLDERS = ["codec", "carrier"]
TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


@pytest.fixture(scope="module", name="prefix")
def fixture_prefix():
    prefix = Prefix()
    yield prefix
    prefix.remove()


def run(prefix, cwd, *words, rc=0, **env):
    got = subprocess.run(words, cwd=cwd, env=dict(prefix.env, **env), text=True,
                         capture_output=True, timeout=600 * harness.SLOW, check=False)
    assert got.returncode == rc, (words, got.stdout, got.stderr)
    return got


def make(prefix, name, *words):
    """Write it, build it, check it, install it; once for each name."""
    folder = os.path.join(prefix.folder, name)
    if not os.path.exists(folder):
        run(prefix, prefix.folder, prefix.program, "new-module", name, *words)
        said = run(prefix, folder, "make", "-s")
        assert said.stdout + said.stderr == "", said  # no warning
        said = run(prefix, folder, "make", "-s", "check").stdout
        assert "tests passed" in said and "inputs replayed" in said, said
        run(prefix, folder, "make", "-s", "install")
        assert os.path.exists(os.path.join(prefix.modules, name + ".so"))
    return folder


def carries(prefix, echo, client, server, **keys):
    """Bytes go through two ptahs, one with each of these transports."""
    env = {"PTAH_MODULE_PATH": prefix.modules}
    path = os.environ.get("PTAH_PREFIX") and prefix.program
    with Ptah(F3S(echo.port, transport=server, options=options(**keys)),
              env=env, executable=path) as s:
        s.wait_done()
        port = s.address(server)[1]
        with Ptah(F3C(port, transport=client,
                      options=options(serverAddress="127.0.0.1:%d" % port, **keys)),
                  env=env, executable=path) as c:
            c.wait_done()
            for n in (1, 5000, 300000):
                sock, code = harness.socks5(c.address(client), ("127.0.0.1", 9))
                assert code == 0
                harness.echoes(sock, pattern(n))
                sock.close()


# --- what it writes ----------------------------------------------------------------

def test_codec_in_c(prefix, echo):
    """make && make check && make install works at once, and so does the transport."""
    make(prefix, "plain_c")
    carries(prefix, echo, "plain_c", "plain_c", key=KEY)


def test_carrier(prefix, echo):
    make(prefix, "web_like", "--carrier")
    carries(prefix, echo, "web_like", "web_like")
    carries(prefix, echo, "web_like", "web_like", path="/other")


def test_carrier_with_another_path(prefix, echo):
    """Whoever asks for something else is not answered, and others go on."""
    make(prefix, "web_like", "--carrier")
    with Ptah(F3S(echo.port, transport="web_like"),
              env={"PTAH_MODULE_PATH": prefix.modules}) as s:
        s.wait_done()
        address = s.address("web_like")
        sock = harness.connect(address)
        sock.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: example\r\nUser-Agent: a\r\n"
                     b"Accept: */*\r\n\r\n")
        assert harness.recv_all(sock) == b""
        with Ptah(F3C(address[1], transport="web_like"),
                  env={"PTAH_MODULE_PATH": prefix.modules}) as c:
            c.wait_done()
            sock, code = harness.socks5(c.address("web_like"), ("127.0.0.1", 9))
            assert code == 0
            harness.echoes(sock, pattern(1000))


def test_codec_over_carrier(prefix, echo):
    """The two templates, one over the other."""
    make(prefix, "plain_c")
    make(prefix, "web_like", "--carrier")
    carries(prefix, echo, "plain_c", "plain_c", key=KEY, over="web_like")


LANGUAGES = {"c": ("plain_c", "cc"), "c++": ("in_cxx", "g++"),
             "rust": ("in_rust", "rustc")}


def written_in(prefix, language):
    name, compiler = LANGUAGES[language]
    if not shutil.which(compiler):
        pytest.skip("rustc is too large to be brought for this" if
                    compiler == "rustc" else "%s is not installed" % compiler)
    make(prefix, name, "--language", language)
    return name


@pytest.mark.parametrize("client, server", [
    ("c++", "c++"), ("rust", "rust"), ("c", "c++"), ("rust", "c")])
def test_other_languages(prefix, echo, client, server):
    """They are built, and have one wire: each talks with each."""
    names = [written_in(prefix, language) for language in (client, server)]
    carries(prefix, echo, *names, key=KEY)


def test_rust_knows_the_header(prefix):
    """ptah.rs has the sizes and the ABI that the header has."""
    heads = []
    for language in ("c", "rust"):
        name = written_in(prefix, language)
        module = ctypes.CDLL(os.path.join(prefix.modules, name + ".so"))
        heads.append(bytes((ctypes.c_char * 20).in_dll(module, name + "_LTX_ptah_module")))
    assert heads[0] == heads[1]


def test_nothing_is_left_of_the_template(prefix):
    """No file of the folder speaks of "sketch", and each has its licence."""
    folder = make(prefix, "plain_c")
    n = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                body = file.read()
            assert b"sketch" not in body.lower() and "sketch" not in name
            if "corpus" not in path and not body.startswith(b"\x7fELF"):
                assert b"SPDX-License-Identifier" in body[:200], name
            n += 1
    assert n > 10


def test_templates_are_short():
    """A transport to begin with is 120 lines of C at most."""
    for kind in FOLDERS:
        path = os.path.join(TOP, "modules", "template", kind, "sketch.c")
        with open(path, encoding="utf-8") as file:
            assert len(file.readlines()) <= 120, path


def test_its_tests_can_fail(prefix, tmp_path):
    """make check finds a key that is not used, and a byte that is lost."""
    folder = make(prefix, "plain_c")
    for before, after in [("sodium_memcmp(", "0 * sodium_memcmp("),
                          ("from->eaten = to->made =", "from->eaten = (to->made =")]:
        copy = tmp_path / ("copy%d" % len(after))
        shutil.copytree(folder, copy)
        text = (copy / "plain_c.c").read_text()
        assert before in text
        text = text.replace(before, after)
        if "(to->made" in after:
            text = text.replace("to->out.len;\n\tapply", "to->out.len) + (to->made == 1);\n\tapply")
        (copy / "plain_c.c").write_text(text)
        run(prefix, copy, "make", "-s", "clean")
        got = run(prefix, copy, "make", "-s", "check", rc=2)
        assert "not so" in got.stderr, got


def test_destdir_and_uninstall(prefix, tmp_path):
    folder = make(prefix, "plain_c")
    run(prefix, folder, "make", "-s", "install", "DESTDIR=%s" % tmp_path)
    file = "%s%s/plain_c.so" % (tmp_path, prefix.modules)
    assert os.path.exists(file)
    run(prefix, folder, "make", "-s", "uninstall", "DESTDIR=%s" % tmp_path)
    assert not os.path.exists(file)


def test_make_fuzz(prefix):
    """The fuzz target builds with clang, and finds nothing in a moment."""
    if not shutil.which("clang"):
        pytest.skip("clang is not installed")
    folder = make(prefix, "plain_c")
    got = run(prefix, folder, "make", "-s", "fuzz", "SECONDS_EACH=1")
    assert "Done" in got.stderr


def test_without_ptah_make_says_so(prefix, tmp_path):
    folder = make(prefix, "plain_c")
    got = run(prefix, folder, "make", "MODULE_DIR=", rc=2,
              PKG_CONFIG_PATH=str(tmp_path))
    assert "PKG_CONFIG_PATH" in got.stderr


# --- what it refuses -----------------------------------------------------------------

def test_refusals(prefix, tmp_path):
    def refused(*words, rc=64, cwd=tmp_path):
        got = run(prefix, cwd, prefix.program, "new-module", *words, rc=rc)
        assert got.stdout == ""
        return got.stderr

    for name in ("7up", "a-b", "a/b", "..", "", "é"):
        assert "letters, digits and _" in refused(name), name
    assert "longer than 64" in refused("x" * 65)
    assert "header files" in refused("ptah_own")
    assert "NAME is missing" in refused()
    assert "c, c++, rust" in refused("mine", "--language", "perl")
    assert "a carrier is there in c only" in \
        refused("mine", "--carrier", "--language", "rust")
    assert os.listdir(tmp_path) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept").write_text("as it was")
    assert "nothing is overwritten" in refused("mine", rc=73)
    assert os.listdir(tmp_path / "mine") == ["kept"]
    (tmp_path / "file").write_text("")
    assert "nothing is overwritten" in refused("file", rc=73)


def test_a_folder_that_cannot_be_written(prefix):
    """Nothing is left of a folder that could not be finished."""
    got = run(prefix, "/proc/self", prefix.program, "new-module", "mine", rc=73)
    assert "cannot make the folder mine here" in got.stderr


def test_half_a_folder_is_taken_back(prefix, tmp_path):
    """A file size limit ends it in the middle."""
    got = run(prefix, tmp_path, "/bin/sh", "-c",
              'trap "" XFSZ; ulimit -f 1; exec "$0" new-module mine',
              prefix.program, rc=73)
    assert "cannot write mine/" in got.stderr
    assert os.listdir(tmp_path) == []
