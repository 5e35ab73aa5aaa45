# SPDX-License-Identifier: BSD-3-Clause
"""A module that tells its number, in a folder where it can be replaced."""
import os
import re
import shutil

import harness

NUMBER = re.compile(rb"EDITION=(\d{4})\n")


class Folder:
    """A folder of modules; 'module' is one of those that tell their number."""

    def __init__(self, path, module="edition"):
        path.mkdir(mode=0o700)
        self.path = path
        self.file = path / (module + ".so")
        with open(os.path.join(harness.TEST_MODULES, module + ".so"), "rb") as file:
            self.bytes = file.read()
        assert len(NUMBER.findall(self.bytes)) == 1

    def add(self, module):
        shutil.copy(os.path.join(harness.TEST_MODULES, module + ".so"), self.path)

    def edition(self, number):
        return NUMBER.sub(b"EDITION=%04d\n" % number, self.bytes)

    def rename(self, number):
        """As a package manager does."""
        new = self.path / ".new"
        new.write_bytes(self.edition(number))
        new.chmod(0o644)
        new.replace(self.file)

    def unlink(self, number):
        """As install(1) does."""
        self.file.unlink(missing_ok=True)
        self.file.write_bytes(self.edition(number))

    def overwrite(self, number):
        """As cp(1) does: the file stays the same one."""
        with open(self.file, "r+b") as file:
            file.truncate(0)
            file.write(self.edition(number))


def ask(sock, what=b"?"):
    """Which edition answers: '?' asks the link's code, '!' its home's."""
    sock.sendall(what)
    return int(NUMBER.match(harness.recv_exact(sock, 13))[1])


def connect_to(where, number):
    """A link of this edition; just after a change the old one may still take what has come to the port."""
    def attempt():
        sock = harness.connect(where)
        if ask(sock) == number:
            return sock
        sock.close()
        return None

    return harness.poll(attempt, what="edition %d" % number)


def copies(pid, name="edition"):
    """How many different files of this module a process runs from memory."""
    found = set()
    with open("/proc/%d/maps" % pid) as maps:
        for line in maps:
            words = line.split(None, 5)
            if len(words) > 5 and "/memfd:%s.so" % name in words[5]:
                found.add(words[4])
    return len(found)
