# SPDX-License-Identifier: BSD-3-Clause
"""ptah doctor: what it reads, and that it changes nothing."""
import json
import os
import subprocess

import doctorsetup
import harness
from doctorsetup import USER
from doctorsetup import fixture_setup, fixture_shim  # noqa: F401 pylint: disable=unused-import

pytestmark = doctorsetup.marks


def everything(folder):
    return {os.path.join(base, name): os.lstat(os.path.join(base, name))[:9]
            for base, folders, files in os.walk(folder) for name in folders + files}


def test_it_changes_nothing(setup):
    setup.look(False)
    for torrc in (False, True):
        setup.look(torrc)
        before = everything(setup.folder)
        setup.look(torrc)
        after = everything(setup.folder)
        for path in (setup.path, setup.torrc_path):  # which the test itself writes
            before.pop(path, None), after.pop(path, None)
        assert {path: st[:7] for path, st in after.items()} == {path: st[:7] for path, st in before.items()}
        assert [st[8] for st in after.values()] == [st[8] for st in before.values()]


def test_a_torrc_of_several_files(setup):
    """Quotation marks, comments, lines in parts; a line that counts once is the last, wherever it stands."""
    setup.write(setup.folder + "/torrc.d/10-first", "\n".join(
        ["User nosuchuser", "usebridges 0 # not yet", *setup.torrc[1:2]]) + "\n")
    setup.write(setup.folder + "/torrc.d/20-second", "\n".join(
        ['user "%s" # of all' % USER, *setup.torrc[2:4], setup.torrc[4].replace(" cert", " \\\n# in parts\n  cert"),
         "+" + setup.torrc[5], *setup.torrc[6:9]]) + "\n")
    setup.torrc = ["%include " + setup.folder + "/torrc.d/*", "", setup.torrc[9]]
    found, bad = setup.found(True)
    assert bad == []
    assert found[0]["text"] == "looked at with the eyes of " + USER
    setup.torrc[2] = "ServerTransportListenAddr obfs4"
    setup.torrc.append("%%include %s/none" % setup.folder)
    _, bad = setup.found(True)
    assert [(one["check"], one["cure"][0].split(":")[0]) for one in bad] == [
        ("torrc", setup.torrc_path + " line 3"), ("torrc", setup.torrc_path + " line 4")]


def test_the_usual_files(setup):
    """Those that it takes where nobody names one."""
    def doctor(*words, rc):
        got = subprocess.run([harness.program()[0], "doctor", *words], env=harness.environment(setup.env),
                             capture_output=True, text=True, timeout=120 * harness.SLOW, check=False)
        assert got.returncode == rc, got
        return got

    assert "bind" not in doctor(rc=0).stdout
    setup.torrc_path = setup.folder + "/torrc"
    setup.write("/usr/share/tor/tor-service-defaults-torrc", "User %s\n" % USER)
    setup.write("/etc/tor/torrc", "\n".join(setup.torrc[1:]) + "\n")
    got = doctor(rc=0)
    assert "the eyes of " + USER in got.stdout and "apparmor" in got.stdout and "all is well" in got.stdout
    setup.write("/etc/ptah/ptah.json", json.dumps({"services": {"a": setup.services["from"]}}))
    assert "outbound" in doctor(rc=0).stdout
    assert "cannot be read: No such file" in doctor("--torrc", setup.folder + "/none", rc=66).stderr
    assert "No such file" in doctor(setup.folder + "/none", rc=1).stdout
