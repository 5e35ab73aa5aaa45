# SPDX-License-Identifier: BSD-3-Clause
"""Configuration files of "ptah run": read with their comments, and checked."""
import json
import re
import subprocess

import harness

# A string, or a comment; only the latter goes.
TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.S)


def loads(text):
    """JSON with comments."""
    return json.loads(TOKEN.sub(lambda m: m.group(1) or " ", text))


class Checked:
    """What "ptah check" says of a file."""

    def __init__(self, path, *flags):
        got = subprocess.run([harness.program()[0], "check", str(path), *flags],
                             capture_output=True, env=harness.environment(),
                             text=True, timeout=120 * harness.SLOW, check=False)
        assert not harness.SANITIZER.search(got.stderr), got.stderr
        self.rc = got.returncode
        self.said = got.stdout
        self.error = got.stderr
        # (line, column, path, text) of each, without the file's name
        row = re.compile(re.escape(str(path)) + r":(\d+):(\d+): (?:([^ ]+): )?(.*)")
        self.faults = [(int(line), int(column), where, text) for line, column, where, text in
                       (m.groups() for m in map(row.fullmatch, self.said.splitlines()) if m)]
        self.errors = [f for f in self.faults if not f[3].startswith("warning: ")]
        self.warnings = [f for f in self.faults if f[3].startswith("warning: ")]

    def of(self, path):
        """Texts of the errors at or below a path."""
        return [f[3] for f in self.errors
                if f[2] == path or (f[2] or "").startswith((path + ".", path + "["))]


def check(tmp_path, conf, *flags, mode=0o600):
    """Check a text or an object."""
    path = tmp_path / "ptah.json"
    path.write_text(conf if isinstance(conf, str) else json.dumps(conf, indent=1))
    path.chmod(mode)
    return Checked(path, *flags)
