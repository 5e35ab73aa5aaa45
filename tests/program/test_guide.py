# SPDX-License-Identifier: BSD-3-Clause
"""modules/README.md: every listing is run, in order, as a reader would.

Two seconds of it are the fuzzer's, the rest compilers'.
"""
import os
import re
import shutil
import subprocess

import pytest

import harness
from prefix import TOP, Prefix


def listings():
    with open(os.path.join(TOP, "modules", "README.md"), encoding="utf-8") as file:
        text = file.read()
    assert text.count("```") == 2 * len(re.findall(r"^```sh$", text, re.M))
    return re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)


def test_every_listing_works():
    if not shutil.which("clang"):
        pytest.skip("clang is not installed")
    prefix = Prefix(own=True)
    try:
        # A listing that fails ends it; what runs in the background goes with it.
        # "! command" is no failure to bash -e, whatever it gives: so it is said.
        script = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n"
        for i, listing in enumerate(listings()):
            listing = re.sub(r"^! (.*)$", r"if \1; then echo 'was to fail'; exit 1; fi",
                             listing, flags=re.M)
            script += "echo '=== listing %d'\n%s" % (i + 1, listing)
        script += "echo '=== all of it'\n"
        path = os.path.join(prefix.folder, "guide.sh")
        with open(path, "w", encoding="utf-8") as out:
            out.write(script)
        del prefix.env["PTAH_MODULE_PATH"]
        if not os.environ.get("PTAH_PREFIX"):
            prefix.install_modules()
        got = subprocess.run(["bash", path], cwd=prefix.folder, env=prefix.env,
                             text=True, capture_output=True, stdin=subprocess.DEVNULL,
                             timeout=600 * harness.SLOW, check=False)
        assert got.returncode == 0 and got.stdout.endswith("=== all of it\n"), \
            (got.stdout[-3000:], got.stderr[-3000:])
    finally:
        prefix.remove()
