# SPDX-License-Identifier: BSD-3-Clause
"""Version negotiation: rows IPC-001 to IPC-023."""
from harness import E1C, F3C, Ptah, Start
from rows import (DONE, EX_CONFIG, are, client, comes_up, env_error,
                  gives_up)

NO_VERSION = "VERSION-ERROR no-version"


def test_ipc_001_client_by_environment(state):
    """A PT 1 client says VERSION, CMETHOD, DONE on stdout, and lives on."""
    comes_up(E1C(state), client("1"))


def test_ipc_002_client_by_flags(echo):
    """A PT 3 client by flags says VERSION first, CMETHOD, DONE."""
    comes_up(F3C(echo.port), client("3.0"))


def test_ipc_003_newest_of_a_list(echo):
    """Of 1,2,3.0 the newest is chosen."""
    comes_up(F3C(echo.port, ptversion="1,2,3.0"), client("3.0"))


def test_ipc_004_spelling_is_echoed(echo):
    """A token is answered as it was spelled."""
    comes_up(F3C(echo.port, ptversion="3,1"), client("3"))


def test_ipc_005_unknown_tokens_are_passed_over(echo):
    """Legal but unknown tokens of a list do no harm."""
    comes_up(F3C(echo.port, ptversion="1,1a,2.2,this_is_a_valid_version"),
             client("2.2"))


def test_ipc_006_version_2(echo):
    """The token 2 alone is answered with 2."""
    comes_up(F3C(echo.port, ptversion="2"), client("2"))


def test_ipc_007_long_spellings(echo):
    """1.0 and 2.0 are spellings, the newer is chosen and echoed."""
    comes_up(F3C(echo.port, ptversion="1.0,2.0"), client("2.0"))


def test_ipc_008_no_common_version_by_flag(echo):
    """No known token by flag: one VERSION-ERROR, on stderr only, rc 78."""
    gives_up(F3C(echo.port, ptversion="9,foo"), EX_CONFIG, [], [NO_VERSION])


def test_ipc_009_empty_version_flag(echo):
    """An empty -ptversion= is a list without a known token."""
    gives_up(Start([(None, "-ptversion=")] +
                   F3C(echo.port).minus("ptversion").flags),
             EX_CONFIG, [], [NO_VERSION])


def test_ipc_010_no_common_version_by_environment(state):
    """No known token by variable: one VERSION-ERROR on each stream."""
    gives_up(E1C(state, TOR_PT_MANAGED_TRANSPORT_VER="9"),
             EX_CONFIG, [NO_VERSION], [NO_VERSION])


def test_ipc_011_tokens_are_not_trimmed(state):
    """A token with a leading space matches nothing."""
    comes_up(E1C(state, TOR_PT_MANAGED_TRANSPORT_VER="1, 3.0"), client("1"))


def test_ipc_012_empty_tokens_are_passed_over(state):
    """Empty elements of the list are ignored."""
    comes_up(E1C(state, TOR_PT_MANAGED_TRANSPORT_VER=",,1,"), client("1"))


def test_ipc_013_flag_beats_variable(state):
    """-ptversion wins over the variable; the rest comes from variables."""
    comes_up(E1C(state).plus("-ptversion", "2.1"), client("2.1"))


def test_ipc_014_no_list_by_flags(echo):
    """Flags without a list: the newest version is answered."""
    comes_up(F3C(echo.port).minus("ptversion"), client("3.0"))


def test_ipc_015_no_list_by_environment(tmp_path):
    """Variables without a list: 2.2 is answered."""
    comes_up(Start(env={"TOR_PT_CLIENT_TRANSPORTS": "dummy"}),
             client("2.2"), cwd=tmp_path)


def test_ipc_016_version_3_by_environment(state):
    """With 3.0 offered by variable the variables stay in use."""
    comes_up(E1C(state, TOR_PT_MANAGED_TRANSPORT_VER="3.0"), client("3.0"))


def test_ipc_017_version_3_by_flag_ignores_variables(echo):
    """With 3.0 by flag a bad TOR_PT_PROXY is not even read."""
    comes_up(F3C(echo.port).plus(TOR_PT_PROXY="bogus"), client("3.0"))


def test_ipc_018_unknown_flag():
    """An unknown flag is an ENV-ERROR after VERSION, and is named."""
    env_error(Start().plus("-ptversion", "3.0", "-nosuchflag"),
              says="nosuchflag")


def test_ipc_018_unknown_flag_before_the_version():
    """-ptversion is found although what stands before it is malformed."""
    env_error(Start().plus("-nosuchflag", "-ptversion", "2.2"),
              says="nosuchflag", version="2.2")


def test_ipc_019_empty_variable_is_unset(state):
    """An empty version variable counts as none."""
    comes_up(E1C(state, TOR_PT_MANAGED_TRANSPORT_VER=""), client("2.2"))


def shows_its_version(*argv):
    with Ptah(argv) as p:
        assert p.exit() == 0
        assert len(p.out_lines) == 1, p.out_lines
        assert p.out_lines[0].startswith("ptah ")
        assert any(c.isdigit() for c in p.out_lines[0])
        assert p.err_protocol() == []


def test_ipc_020_show_version():
    """-showVersion prints one line that is no message, rc 0."""
    shows_its_version("-showVersion")


def test_ipc_021_help():
    """--help prints the usage on stderr, nothing on stdout, rc 0."""
    for word in ("--help", "-help", "-h"):
        with Ptah([word]) as p:
            assert p.exit() == 0
            assert p.out_bytes == b""
            assert "usage" in p.err_lines[0].lower()
            assert any("-ptversion" in line for line in p.err_lines)
            assert p.err_protocol() == []


def test_ipc_022_version_alone():
    """-version without a value is -showVersion."""
    shows_its_version("-version")


def test_ipc_022_version_before_a_flag(echo):
    """-version before another flag is -showVersion as well."""
    shows_its_version("-version", "-client")


def test_ipc_023_version_with_a_value(tmp_path):
    """-version with a value is -ptversion."""
    with Ptah(["-version", "3.0", "-transport", "dummy"], cwd=tmp_path) as p:
        p.wait_done()
        assert p.finish() == 0
        assert are(p.out_lines, client("3.0"))
        assert p.out_lines[-1] == DONE
