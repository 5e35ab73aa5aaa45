# SPDX-License-Identifier: BSD-3-Clause
"""The manual pages: made of the parser's tables, and read without complaint."""
import glob
import os
import re
import shutil
import subprocess

import pytest

import harness

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGES = ["ptah.1", "ptah-conf.5", "ptah-module.7"]


def page(name):
    with open(os.path.join(TOP, "core", "host", name), encoding="utf-8") as f:
        return f.read()


def ptah(*words):
    return subprocess.run([harness.program()[0], *words], capture_output=True,
                          env=harness.environment(),
                          text=True, timeout=120, check=False)


def test_page_is_what_the_program_prints():
    """The pages that "ptah manual" makes were not left behind."""
    assert ptah("manual").stdout == ptah("manual", "ptah").stdout == page("ptah.1")
    assert ptah("manual", "ptah-conf").stdout == page("ptah-conf.5")


def test_help_and_page_name_the_same_flags():
    """--help and the page come from one table."""
    told = set(re.findall(r"^  -(\w[\w-]*)", ptah("--help").stderr, re.M))
    written = set(re.findall(r"^\.It Fl (\w\S*)", page("ptah.1"), re.M))
    assert told and told == written


def test_page_names_all_events():
    """Who waits for a line of the JSON log can look its name up."""
    told = {"log"}  # of lines without a name
    for path in glob.glob(os.path.join(TOP, "core", "*", "*.c")):
        with open(path, encoding="utf-8") as f:
            told |= set(re.findall(r'ptah_event\([^";]*"([a-z-]+)"', f.read()))
    part = page("ptah-conf.5").split(".Sh EVENTS")[1].split(".Sh ")[0]
    assert len(told) > 10 and told == set(re.findall(r"Li ([a-z-]+)", part.split(".Bl", 1)[1]))


@pytest.mark.parametrize("name", PAGES)
def test_page_is_clean(name):
    """mandoc finds no error and no warning in it."""
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    got = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning",
         os.path.join(TOP, "core", "host", name)],
        capture_output=True, text=True, check=False)
    # Names of other systems' pages are not known here.
    lines = [line for line in got.stdout.splitlines()
             if "cross reference" not in line and "referenced manual" not in line]
    assert lines == []
