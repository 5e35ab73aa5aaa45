# SPDX-License-Identifier: BSD-3-Clause
"""An installed ptah for tests that build against it.

PTAH_PREFIX names a real one; else one is put together of the build's program
and the sources' headers, below the build folder, where modules are trusted.
"""
import os
import shlex
import shutil
import tempfile

import harness

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Prefix:
    """'modules': where "make install" puts a module; 'env': to build with.

    Tests run several at once, and each removes what it installed: so a real
    prefix's own modules folder is for one test that says so ('own').
    """

    def __init__(self, own=False):
        real = os.environ.get("PTAH_PREFIX")
        self.folder = tempfile.mkdtemp(prefix="prefix-", dir=harness.BUILD)
        os.chmod(self.folder, 0o755)
        self.modules = os.path.join(real if real and own else self.folder,
                                    "lib", "ptah", "modules")
        os.makedirs(self.modules, 0o755, exist_ok=True)
        self.before = set(os.listdir(self.modules))
        if real:
            self.program = os.path.join(real, "bin", "ptah")
            pkgconfig = os.path.join(real, "lib", "pkgconfig")
        else:
            self.program = self._put_together()
            pkgconfig = self.folder
        self.env = harness.environment({
            "PKG_CONFIG_PATH": pkgconfig, "MODULE_DIR": self.modules,
            "PTAH_MODULE_PATH": self.modules + ":" + harness.MODULES,
            "PATH": os.path.dirname(self.program) + ":" + os.environ["PATH"]})
        if real and own:
            del self.env["MODULE_DIR"]
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CC", "CXX", "CFLAGS"):
            self.env.pop(name, None)

    def install_modules(self):
        """Make the modules folder what the program finds without being told."""
        shutil.copy(os.path.join(harness.MODULES, "dummy.so"), self.modules)
        with open(self.program, encoding="utf-8") as file:
            text = file.read()
        with open(self.program, "w", encoding="utf-8") as out:
            out.write(text.replace(
                "#!/bin/sh\n", "#!/bin/sh\nPTAH_MODULE_PATH=${PTAH_MODULE_PATH+$PTAH_MODULE_PATH:}%s\n"
                "export PTAH_MODULE_PATH\n" % shlex.quote(self.modules)))

    def _put_together(self):
        include = os.path.join(self.folder, "include")
        shutil.copytree(os.path.join(TOP, "include", "ptah"),
                        os.path.join(include, "ptah"))
        program = os.path.join(self.folder, "bin", "ptah")
        os.mkdir(os.path.dirname(program))
        path, libs = harness.program()
        with open(program, "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\n%sexec %s \"$@\"\n" % (
                "LD_LIBRARY_PATH=%s; export LD_LIBRARY_PATH\n" % shlex.quote(libs)
                if libs else "", shlex.quote(path)))
        os.chmod(program, 0o755)
        with open(os.path.join(TOP, "include", "ptah-module.pc.in"),
                  encoding="utf-8") as file:
            text = file.read()
        for name, value in [("prefix", self.folder), ("exec_prefix", self.folder),
                            ("libdir", os.path.join(self.folder, "lib")), ("includedir", include),
                            ("bindir", os.path.dirname(program)),
                            ("abi", "1.0"), ("PACKAGE_VERSION", "0")]:
            text = text.replace("@%s@" % name, value)
        with open(os.path.join(self.folder, "ptah-module.pc"), "w",
                  encoding="utf-8") as out:
            out.write(text)
        return program

    def remove(self):
        for name in set(os.listdir(self.modules)) - self.before:
            os.unlink(os.path.join(self.modules, name))
        shutil.rmtree(self.folder)
