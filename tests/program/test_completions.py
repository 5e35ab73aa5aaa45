# SPDX-License-Identifier: BSD-3-Clause
"""Subcommands: parser, --help, manual page and completions are one table."""
import os
import pty
import re
import select
import shlex
import shutil
import subprocess

import pytest

import harness

SHELLS = ["bash", "zsh", "fish"]


def ptah(*words, rc=0):
    got = subprocess.run([harness.program()[0], *words], capture_output=True,
                         env=harness.environment(), text=True,
                         timeout=120 * harness.SLOW, check=False)
    assert got.returncode == rc, got
    return got


def commands():
    """Name and operand of each subcommand, as --help lists them: in brackets
    where it may be left out."""
    rows = re.findall(r"^       ptah ([a-z][a-z-]*) (\[[A-Z]+\]|[A-Z]*)",
                      ptah("--help").stderr, re.M)
    assert len(rows) > 4, rows
    return dict(rows)


def flags_of(command):
    """Name and value of each flag that a subcommand's --help tells."""
    return dict(re.findall(r"^    --(\S+)(?: (\S+))?$",
                           ptah(command, "--help").stdout, re.M))


def main_flags():
    return set(re.findall(r"^  -(\w[\w-]*)", ptah("--help").stderr, re.M))


# --- one table -----------------------------------------------------------------

def test_each_subcommand_tells_what_it_takes():
    for name, operand in commands().items():
        out = ptah(name, "--help").stdout
        assert out.startswith("usage: ptah %s" % name), out
        assert operand in out.splitlines()[0]
        for flag, value in flags_of(name).items():
            assert "--%s%s" % (flag, " " + value if value else "") \
                in out.splitlines()[0]


def test_the_parser_takes_what_help_tells_and_nothing_else():
    for name, operand in commands().items():
        flags = flags_of(name)
        for flag, value in flags.items():
            # --help behind it ends the reading, if all before it was right.
            for words in ([["--" + flag, "x"], ["-" + flag + "=x"]] if value
                          else [["--" + flag]]):
                got = subprocess.run(
                    [harness.program()[0], name, *words, "--help"],
                    capture_output=True, env=harness.environment(), text=True,
                    timeout=120 * harness.SLOW, check=False)
                assert got.returncode == 0 or "it can be" in got.stderr, got
            if value:
                assert "wants a value" in ptah(name, "--" + flag, rc=64).stderr
            else:
                assert "takes no value" in ptah(name, "--%s=1" % flag, rc=64).stderr
        said = ptah(name, "--no-such-flag", rc=64).stderr
        assert '"--no-such-flag" is none of its flags' in said
        if operand.startswith("["):
            assert "one word too many" in ptah(name, "ptah", "word", rc=64).stderr
        elif operand:
            assert "%s is missing: ptah %s" % (operand, name) in \
                ptah(name, rc=64).stderr
        else:
            assert "one word too many" in ptah(name, "word", rc=64).stderr


def test_a_word_that_is_no_command_hears_which_was_meant():
    """A person reads it on standard error; a parent still hears ENV-ERROR."""
    def first(word, **env):
        return subprocess.run([harness.program()[0], word], capture_output=True, text=True,
                              env=dict(harness.environment(), **env), timeout=120 * harness.SLOW,
                              check=False)
    got = first("module")
    assert got.returncode == 64
    assert got.stderr.startswith('ptah: there is no command "module"; did you mean "modules"?\n')
    assert "`ptah --help` lists them" in first("xylophone").stderr
    for got in (got, first("module", TOR_PT_MANAGED_TRANSPORT_VER="1")):
        assert "ENV-ERROR 'module' is one word too many" in got.stdout + got.stderr
    assert "did you mean" not in got.stderr


def test_a_flag_that_goes_with_another_is_not_left_unsaid():
    said = ptah("run", "--upgrade-timeout", "5", "/dev/null", rc=64).stderr
    assert said == "ptah: run: --upgrade-timeout goes with --upgradable\n"


def test_the_manual_page_has_all_of_it():
    page = ptah("manual").stdout
    for name, operand in commands().items():
        operand = operand.strip("[]")
        begin = page.index(".It Cm %s%s\n" % (name, " Ar " + operand if operand else ""))
        part = page[begin:page.find(".It Cm", begin + 1)]
        told = set(re.findall(r"^\.It Fl \\-(\S+)", part, re.M))
        assert told == set(flags_of(name)), name


def test_completions_of_the_right_shells():
    said = ptah("completions", "tcsh", rc=64).stderr
    for shell in SHELLS:
        assert shell in said
        assert ptah("completions", shell).stdout.startswith(("# SPDX", "#compdef ptah\n# SPDX"))


def test_fish_and_zsh_have_every_flag():
    zsh, fish = (ptah("completions", shell).stdout for shell in ("zsh", "fish"))
    for name in commands():
        part = zsh[zsh.index("\t%s)\n" % name):]
        part = part[:part.index(";;\n")]
        wanted = {dash + flag for flag in flags_of(name) for dash in ("-", "--")}
        assert set(re.findall(r"'\(\S+ \S+\)(--?[\w-]+)=?\[", part)) == wanted
        assert set(re.findall(r"-n '__ptah_command_is %s' -o \S+ -l (\S+)" % name,
                              fish)) == set(flags_of(name))
    part = zsh[zsh.index("\t*)\n"):]
    wanted = {dash + flag for flag in main_flags() for dash in ("-", "--")}
    assert set(re.findall(r"'\(\S+ \S+\)(--?[\w-]+)=?\[", part)) == wanted
    assert set(re.findall(r"-n 'not [^']*' -o (\S+) -l", fish)) == main_flags()


# --- the shells ------------------------------------------------------------------

@pytest.fixture(scope="module", name="scripts")
def fixture_scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completions")
    for shell in SHELLS:
        (folder / shell).write_text(ptah("completions", shell).stdout)
    return folder


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_can_read_it(scripts, shell):
    if not shutil.which(shell):
        pytest.skip("%s is not installed" % shell)
    got = subprocess.run([shell, "-n", str(scripts / shell)],
                         capture_output=True, text=True, timeout=120, check=False)
    assert got.returncode == 0 and got.stderr == "", got


def completed(scripts, *words, cwd=None):
    """What bash offers for the last of the words."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); ' \
        'COMP_CWORD=$(($# - 1)); _ptah; printf "%s\\n" "${COMPREPLY[@]}"'
    got = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", str(scripts / "bash"),
         harness.program()[0], *words], cwd=cwd, capture_output=True,
        env=harness.environment(), text=True, timeout=120 * harness.SLOW,
        check=False)
    assert got.returncode == 0 and got.stderr == "", got
    return set(got.stdout.split())


def transports():
    """What ptah modules says that can be started."""
    out = set()
    for line in ptah("modules").stdout.split("\n\n")[0].splitlines()[1:]:
        if not line.startswith(" ") and "(refused)" not in line \
                and "(hidden)" not in line:
            out.add(line.split()[0])
    assert {"dummy", "veil"} <= out
    return out


def test_bash_offers_subcommands(scripts):
    assert completed(scripts, "") == set(commands())
    assert completed(scripts, "in") == {n for n in commands() if n.startswith("in")}
    assert completed(scripts, "info", "dummy", "") == transports()


def test_bash_offers_flags(scripts):
    assert completed(scripts, "-") == {"-" + f for f in main_flags()}
    assert completed(scripts, "-client", "--") == {"--" + f for f in main_flags()}
    for name in commands():
        assert completed(scripts, name, "--") == \
            {"--" + f for f in [*flags_of(name), "help"]}
    assert completed(scripts, "invite", "obfs4", "--adv") == {"--advertise"}


def test_bash_offers_values(scripts, tmp_path):
    modes = {"socks5", "transparent-TCP", "transparent-UDP", "STUN"}
    assert completed(scripts, "-mode", "") == modes
    assert completed(scripts, "-client", "--mode", "tr") == \
        {"transparent-TCP", "transparent-UDP"}
    # as bash cuts -mode= and -mode=tr
    assert completed(scripts, "-mode", "=") == modes
    assert completed(scripts, "-mode", "=", "S") == {"STUN"}
    assert completed(scripts, "completions", "") == set(SHELLS)
    assert completed(scripts, "-workers", "") == set()
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    assert completed(scripts, "-state", "f", cwd=tmp_path) == {"folder"}
    assert completed(scripts, "-optionsFile", "f", cwd=tmp_path) == {"folder", "file"}


def test_bash_offers_transports(scripts):
    names = transports()
    assert completed(scripts, "info", "") == names
    assert completed(scripts, "info", "du") == {"dummy"}
    assert completed(scripts, "invite", "") == names
    assert completed(scripts, "-transport", "vei") == {"veil"}
    assert completed(scripts, "-transports", "veil,du") == {"veil,dummy"}


def typed(scripts, keys, until):
    """What a person at a bash sees, who presses these keys."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(harness.environment(), TERM="dumb", PS1="$ ")
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    seen = b""
    patience = harness.Patience(30)
    try:
        os.write(fd, b"source %s; PATH=%s:$PATH\n" % (
            shlex.quote(str(scripts / "bash")).encode(),
            shlex.quote(str(scripts / "bin")).encode()))
        os.write(fd, keys)
        while until not in seen and not patience.is_over():
            if select.select([fd], [], [], 0.1)[0]:
                seen += os.read(fd, 4096)
    finally:
        os.close(fd)
        os.waitpid(pid, 0)
    return seen


def test_a_person_presses_tab(scripts):
    """In an interactive bash, which cuts the words itself."""
    (scripts / "bin").mkdir(exist_ok=True)
    (scripts / "bin" / "ptah").write_text(
        "#!/bin/sh\n[ \"$1\" != modules ] || exec %s modules\n"
        "for word; do printf '<%%s>' \"$word\"; done\n"
        % shlex.quote(harness.program()[0]))
    (scripts / "bin" / "ptah").chmod(0o755)
    for keys, words in [(b"ptah -mode=STU\t", b"<-mode=STUN>"),
                        (b"ptah inv\tlett\t--adv\t", b"<invite><letterbox><--advertise>"),
                        (b"ptah --transports=veil,lett\t", b"<--transports=veil,letterbox>")]:
        seen = typed(scripts, keys + b"\n", words)
        assert words in seen, seen


def test_zsh_offers_them(scripts):
    """The functions run in a real zsh: what would be offered is shown."""
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    script = """
autoload -Uz compinit; compinit -D -u
source %s
_arguments() { print -l -- "$@" }
_describe() { print -l -- "${(@P)2}" }
words=(ptah '') CURRENT=2; _ptah
words=(ptah invite '') CURRENT=3; _ptah
words=(ptah -) CURRENT=2; _ptah
compadd() { print -l -- "${(@P)argv[-1]}" }
ptah_program=%s; _ptah_transports
""" % (shlex.quote(str(scripts / "zsh")), shlex.quote(harness.program()[0]))
    got = subprocess.run(["zsh", "-f", "-c", script], capture_output=True,
                         env=harness.environment(), text=True,
                         timeout=120 * harness.SLOW, check=False)
    assert got.stderr == "", got
    lines = got.stdout.splitlines()
    for name in commands():
        assert any(line.startswith(name + ":") for line in lines), lines
    assert any(line.startswith("(-advertise --advertise)--advertise=[")
               for line in lines), lines
    assert any(line.endswith(":(socks5 transparent-TCP transparent-UDP STUN)")
               for line in lines), lines
    assert transports() <= set(lines)


def test_fish_offers_them(scripts):
    """As fish itself says, by complete -C."""
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")

    def offers(line):
        got = subprocess.run(
            ["fish", "--no-config", "-c", "source %s; complete -C '%s %s'" % (
                shlex.quote(str(scripts / "fish")), "ptah", line)],
            capture_output=True, text=True, timeout=120 * harness.SLOW, check=False,
            env=dict(harness.environment(), HOME=str(scripts), PATH="%s:%s" % (
                os.path.dirname(harness.program()[0]), os.environ["PATH"])))
        assert got.stderr == "", got
        return {row.split("\t")[0] for row in got.stdout.splitlines()}

    assert offers("") == set(commands())
    assert offers("-mode ") == {"socks5", "transparent-TCP", "transparent-UDP", "STUN"}
    assert {"--" + f for f in flags_of("invite")} <= offers("invite --")
    assert offers("info ") == transports()
    assert "--bind" not in offers("--")
