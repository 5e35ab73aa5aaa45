# SPDX-License-Identifier: BSD-3-Clause
"""What the cases share: the pair under test, and a household for each."""

import os
import shutil

import pytest

from household import Household
from netns import move_to_own
from pair import program_path


class Setting:
    """Which transport is under test, and which program plays each side."""

    def __init__(self):
        self.transport = os.environ.get("PEERS_TRANSPORT", "dummy")
        self.client_word = os.environ.get("PEERS_CLIENT", "ptah")
        self.server_word = os.environ.get("PEERS_SERVER", "ptah")
        self.client = program_path(self.client_word)
        self.server = program_path(self.server_word)

    def need_ptah_client(self):
        if self.client_word != "ptah":
            pytest.skip("only ptah's client does this")

    def need_no_args(self):
        if self.transport != "dummy":
            pytest.skip(self.transport + " needs arguments")


def need(*programs):
    """Skip unless all are installed; under CI=true fail instead."""
    missing = [p for p in programs if not program_path(p)]
    if not missing:
        return
    text = "not installed: " + " ".join(missing)
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


def pytest_configure(config):
    """pytest's terminal, which run leaves out, has an option that the words of
    a failed assert are made by: else it ends in "no option named 'verbose'",
    which says nothing, and is no AssertionError to who catches these."""
    if not hasattr(config.option, "verbose"):
        config.option.verbose = 0
    if shutil.which("ip"):
        move_to_own()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Add to a failure what the processes said: their household is gone
    before anybody can look, and the next time it may not fail."""
    report = (yield).get_result()
    if not report.failed:
        return
    for fixture in item.funcargs.values():
        for p in getattr(fixture, "processes", []):
            report.sections.append(("what %s said last (%s)" % (p.name,
                "it lives" if p.alive() else "it ended with %s"
                % p.popen.returncode), p.text()[-2000:]))


@pytest.fixture(scope="module")
def setting():
    return Setting()


@pytest.fixture
def house():
    with Household(keep=bool(os.environ.get("PEERS_KEEP"))) as h:
        yield h
        if h.keep:
            print("kept " + h.folder)


@pytest.fixture(scope="module")
def shared_house():
    """A household that the cases of one file share."""
    with Household(keep=bool(os.environ.get("PEERS_KEEP"))) as h:
        yield h
        if h.keep:
            print("kept " + h.folder)
