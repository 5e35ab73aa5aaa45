# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the whole-program tests."""
import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import harness  # noqa: E402


def pytest_configure(config):
    path = harness.program()[0]
    if not os.access(path, os.X_OK):
        raise pytest.UsageError(
            "no program at %s: build first, or set PTAH_BUILD" % path)


@pytest.fixture
def echo():
    with harness.EchoServer() as server:
        yield server


@pytest.fixture
def sink():
    with harness.SinkServer() as server:
        yield server


@pytest.fixture
def state(tmp_path):
    """A state folder that does not exist yet."""
    return tmp_path / "state"


@pytest.fixture
def module_dir():
    """A module folder inside the build: /tmp is writable by the world."""
    path = tempfile.mkdtemp(prefix="modules-", dir=harness.BUILD)
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)
