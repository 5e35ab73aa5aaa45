# SPDX-License-Identifier: BSD-3-Clause
"""A machine on which all is well, for ptah doctor to look at.

What a test cannot change, the paths of the system and the clock, comes from a
folder (PTAH_DOCTOR_ROOT) and from a small library.
"""
import ctypes
import json
import os
import pwd
import re
import shutil
import socket
import struct
import subprocess
import tempfile

import pytest

import harness
from harness import MODULES, free_port

USER = "nobody"
with open("/proc/net/if_inet6", encoding="ascii") as table:
    HAS_IPV6 = table.read() != ""
COOKIE = b"! Extended ORPort Auth Cookie !\x0a" + bytes(32)

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

static int (*real)(clockid_t, struct timespec *);

int
clock_gettime(clockid_t id, struct timespec *out)
{
	static time_t first;
	struct timespec now;
	int rc;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	rc = real(id, out);
	if (id != CLOCK_REALTIME)
		return rc;
	real(CLOCK_MONOTONIC, &now);
	if (getenv("SHIM_SHIFT"))
		out->tv_sec += atol(getenv("SHIM_SHIFT"));
	/* Each look at the clock finds it a minute later. */
	if (getenv("SHIM_JUMPS"))
		out->tv_sec += first += 60;
	return rc;
}

int
adjtimex(struct timex *out)
{
	out->status = getenv("SHIM_UNSYNC") ? STA_UNSYNC : 0;
	return 0;
}
"""


def compiled(source, out, *more):
    """A library from a text."""
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(out), "-x", "c", "-", "-x", "none", *map(str, more)],
                   input=source.encode(), check=True, timeout=60)
    return out


def refuse_call(number, error, argument=None, value=0):
    """From now on this call of the kernel fails (when an argument is that)."""
    def row(code, jump, other, what):
        return struct.pack("HBBI", code, jump, other, what)

    rows = [row(0x20, 0, 0, 0), row(0x15, 0, 3 if argument is not None else 1, number)]
    if argument is not None:
        rows += [row(0x20, 0, 0, 16 + 8 * argument), row(0x15, 0, 1, value)]
    rows += [row(0x06, 0, 0, 0x00050000 | error), row(0x06, 0, 0, 0x7fff0000)]
    text = ctypes.create_string_buffer(b"".join(rows))
    program = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()


def has_landlock():
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def has_namespaces():
    return subprocess.run(["unshare", "-nm", "true"], capture_output=True, check=False).returncode == 0


def listener(address="127.0.0.1", backlog=16):
    sock = socket.socket()
    sock.bind((address, 0))
    sock.listen(backlog)
    return sock


class Setup:
    """A machine on which all is well; a test changes what it wants."""

    def __init__(self, folder, shim):
        self.folder = folder
        self.root = os.path.join(folder, "root")
        self.modules = os.path.join(folder, "modules")
        self.state = os.path.join(folder, "state")
        self.data = os.path.join(folder, "tor")
        self.path = os.path.join(folder, "ptah.json")
        self.torrc_path = self.root + "/etc/tor/torrc"
        self.program = os.path.join(folder, "bin", "ptah")
        self.env = {"PTAH_DOCTOR_ROOT": self.root, "LD_PRELOAD": shim, "PTAH_MODULE_PATH": self.modules,
                    "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}
        self.words = []
        self.wrapper = []
        self.mode = 0o644
        self.before = None
        self.open = []
        self.uses_unit = True
        os.mkdir(self.modules)
        os.makedirs(os.path.join(folder, "bin"))
        shutil.copy(harness.program()[0], self.program)
        for name in ("dummy", "obfs4", "shadow", "exec"):
            shutil.copy(os.path.join(MODULES, name + ".so"), self.modules)
        self.own(self.state)
        self.own(os.path.join(folder, "run"))
        self.target = self.listen()
        self.port = free_port()
        line = self.invite(os.path.join(self.state, "web"), self.port)
        self.cert = re.search(r"cert=(\S+)", line).group(1)
        self.make_unit()
        self.make_conf()
        self.make_tor()

    def listen(self, **how):
        sock = listener(**how)
        self.open.append(sock)
        return sock.getsockname()[1]

    def own(self, path, user=USER, mode=0o700):
        if not os.path.exists(path):
            os.mkdir(path)
        for base, _, files in os.walk(path):
            for name in [base, *(os.path.join(base, f) for f in files)]:
                os.chown(name, pwd.getpwnam(user).pw_uid, 0)
        os.chmod(path, mode)

    def write(self, name, text, mode=0o644):
        """A file of the system."""
        path = name if name.startswith(self.folder) else self.root + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def invite(self, state, port):
        os.makedirs(state, exist_ok=True)  # root's until it is all there: below another's folder it makes nothing
        got = subprocess.run(
            [harness.program()[0], "invite", "obfs4", "--bind", "127.0.0.1:%d" % port,
             "--advertise", "127.0.0.1:%d" % port, "--state", state],
            env=harness.environment(), capture_output=True, text=True, timeout=120 * harness.SLOW, check=True)
        self.own(state)
        return got.stdout

    def make_unit(self, more="", sockets="web", enabled=True):
        self.write("/etc/systemd/system/ptah.service",
                   "[Service]\nExecStart=/usr/bin/ptah run %s\nUser=%s\nLimitNOFILE=65536\n%s" % (self.path, USER, more))
        self.write("/etc/systemd/system/ptah.socket",
                   "[Socket]\nFileDescriptorName=%s\nListenStream=443\n" % sockets)
        wants = self.root + "/etc/systemd/system/sockets.target.wants"
        shutil.rmtree(wants, ignore_errors=True)
        os.mkdir(wants)
        if enabled:
            os.symlink("../ptah.socket", wants + "/ptah.socket")

    def make_conf(self):
        target = "127.0.0.1:%d" % self.target
        cookie = self.write(self.folder + "/cookie", COOKIE)
        odd = self.write(self.folder + "/bin/odd", "#!/bin/sh\n", 0o755)
        self.services = {
            "web": {"role": "server", "transport": "obfs4", "listen": "127.0.0.1:%d" % self.port, "target": target,
                    "limits": {"links": 100}},
            "app": {"role": "client", "transport": "obfs4", "mode": "transparent-TCP", "listen": "127.0.0.1:0",
                    "options": {"serverAddress": "127.0.0.1:%d" % self.port, "cert": self.cert, "iat-mode": 0}},
            "six": {"role": "client", "transport": "dummy", "listen": "[::1]:0" if HAS_IPV6 else "127.0.0.1:0",
                    "isolate": True},
            "via": {"role": "client", "transport": "dummy", "listen": "127.0.0.1:0",
                    "proxy": "socks5://" + target},
            "from": {"role": "client", "transport": "dummy", "listen": "127.0.0.1:0", "outboundBindV4": "127.0.0.1"},
            "odd": {"role": "client", "transport": "exec", "listen": "127.0.0.1:0", "options": {"exec": odd}},
            "handed": {"role": "server", "transport": "dummy", "listen": "fd:web", "target": target},
            "tor": {"role": "server", "transport": "dummy", "listen": "127.0.0.1:0", "extorport": target,
                    "authcookie": cookie},
        }
        self.conf = {"stateDir": self.state, "logFile": self.folder + "/run/log",
                     "control": self.folder + "/run/control", "services": self.services}

    def only(self, *labels):
        for label in set(self.services) - set(labels):
            del self.services[label]
        return self.services[labels[0]]

    def make_tor(self):
        self.own(self.data)
        self.write(self.data + "/extended_orport_auth_cookie", COOKIE)
        self.write(self.folder + "/bin/tor", "#!/bin/sh\necho 'Tor version 0.4.8.10.'\n", 0o755)
        self.env["PATH"] = self.folder + "/bin:" + os.environ["PATH"]
        self.bridge_port = free_port()
        line = self.invite(self.data + "/pt_state", self.bridge_port)
        self.bridge_cert = re.search(r"cert=(\S+)", line).group(1)
        os.makedirs(self.root + "/sys/kernel/security/apparmor")
        self.write("/sys/kernel/security/apparmor/profiles", "system_tor (enforce)\nptah (enforce)\n")
        self.write("/etc/apparmor.d/system_tor", "profile system_tor flags=(attach_disconnected) {\n"
                   "  /usr/bin/obfs4proxy PUx,\n  #include <local/system_tor>\n}\n")
        self.write("/etc/apparmor.d/local/system_tor", "  %s/{s,}bin/pt[a-h]h PUx,\n" % self.folder)
        self.write("/etc/apparmor.d/ptah", "profile ptah %s/bin/* flags=(attach_disconnected) {\n"
                   "  owner %s/** rwk,\n}\n" % (self.folder, self.data))
        self.torrc = [
            "User " + USER, "DataDirectory " + self.data, "UseBridges 1",
            "ClientTransportPlugin obfs4 exec " + self.program,
            self.bridge(), "ORPort %d" % self.target, "ExtORPort %d" % self.target, "BridgeRelay 1",
            "ServerTransportPlugin obfs4 exec " + self.program,
            "ServerTransportListenAddr obfs4 127.0.0.1:%d" % self.bridge_port]

    def bridge(self, **more):
        options = {"cert": self.bridge_cert, "iat-mode": "0", **more}
        return "Bridge obfs4 127.0.0.1:%d %s %s" % (self.bridge_port, "0123456789" * 4, " ".join(
            "%s=%s" % pair for pair in options.items() if pair[1] is not None))

    def line(self, begin, text):
        """Another line instead of the first that begins so; without a text none."""
        at = [i for i, old in enumerate(self.torrc) if old.startswith(begin)][0]
        self.torrc[at:at + 1] = [text] if text else []

    def look(self, torrc, json_too=True):
        """What the doctor says."""
        if torrc:
            self.write(self.torrc_path, "\n".join(self.torrc) + "\n")
            words = ["--torrc", self.torrc_path]
        else:
            self.write(self.path, json.dumps(self.conf), self.mode)
            words = [self.path]
        got = subprocess.run(
            [*self.wrapper, harness.program()[0], "doctor", *words, *self.words, *(["--json"] if json_too else [])],
            env=harness.environment(self.env), capture_output=True, text=True, preexec_fn=self.before,
            timeout=120 * harness.SLOW, check=False)
        assert not harness.SANITIZER.search(got.stderr), got.stderr
        return got

    def found(self, torrc):
        got = self.look(torrc)
        assert got.stderr == "" and got.stdout, got
        said = json.loads(got.stdout)
        bad = [one for one in said["found"] if one["state"] != "ok"]
        assert said["faults"] == sum(one["state"] == "fault" for one in bad)
        assert said["warnings"] == sum(one["state"] == "warning" for one in bad)
        assert got.returncode == (1 if said["faults"] else 0), got
        return said["found"], bad

    def close(self):
        for sock in self.open:
            sock.close()


@pytest.fixture(scope="module", name="shim")
def fixture_shim():
    folder = tempfile.mkdtemp(prefix="ptah-doctor-shim-")
    os.chmod(folder, 0o755)
    yield compiled(SHIM, os.path.join(folder, "shim.so"), "-ldl")
    shutil.rmtree(folder)


@pytest.fixture(name="setup")
def fixture_setup(shim):
    folder = tempfile.mkdtemp(prefix="ptah-doctor-")
    os.chmod(folder, 0o755)
    setup = Setup(folder, shim)
    yield setup
    setup.close()
    shutil.rmtree(folder)


# Where nobody could look, or not all could be well.
marks = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user"),
    pytest.mark.skipif(not all(os.path.exists(os.path.join(MODULES, name + ".so"))
                               for name in ("obfs4", "shadow", "exec")),
                       reason="built without the modules that are looked at"),
    pytest.mark.skipif(not has_landlock(), reason="the kernel has no Landlock, which is a fault in itself")]
