# SPDX-License-Identifier: BSD-3-Clause
"""pair.py: a PT client and a PT server, started as Tor starts them.

The program of each side and the transport are parameters, so that a pair may
be ptah and ptah, or ptah and another implementation.
"""

import os
import re
import shutil


def build_folder():
    return os.path.abspath(os.environ.get("PTAH_BUILD", os.getcwd()))


def program_path(word):
    """Turn 'ptah' or another program's name or path into a path, or None."""
    if word == "ptah":
        path = os.path.join(build_folder(), "ptah")
        return path if os.access(path, os.X_OK) else None
    path = shutil.which(word, path=os.environ.get("PATH", "")
        + ":/usr/sbin:/sbin:/usr/local/sbin")
    return os.path.abspath(path) if path else None


def module_env():
    """Point ptah at the modules of the build folder; nobody else minds."""
    path = os.environ.get("PTAH_MODULE_PATH",
        os.path.join(build_folder(), "modules"))
    return {"PTAH_MODULE_PATH": path}


def command_of(program):
    """A program is a path, or a list with what stands before the path."""
    return [program] if isinstance(program, str) else list(program)


def split_args(text):
    """Undo the escapes of SMETHOD ARGS: a list of (key, value)."""
    items = []
    for part in re.findall(r"(?:\\.|[^,\\])+", text):
        key, value = re.match(r"((?:\\.|[^=\\])*)=(.*)$", part).groups()
        items.append((re.sub(r"\\(.)", r"\1", key),
            re.sub(r"\\(.)", r"\1", value)))
    return items


def socks_args(items):
    """Write (key, value) pairs as the argument string of PT 1."""

    def esc(s):
        return re.sub(r"([\\;=])", r"\\\1", s)

    return ";".join(esc(k) + "=" + esc(v) for k, v in items)


def _last_field(process, keyword, transport, seconds=20):
    done = keyword + "S DONE"
    process.wait_text(done + "\n", seconds)
    for line in process.text().splitlines():
        word = line.split(" ")
        if word[0] == keyword and word[1] == transport:
            return word[2:]
    raise AssertionError("%s announced no %s:\n%s" % (process.name, transport,
        process.text()))


def _host_port(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Server:
    """A PT server in front of 'target' (HOST:PORT)."""

    def __init__(self, house, program, transport, target, host="127.0.0.1",
            options="", name="pt-server"):
        shown = "[%s]" % host if ":" in host else host
        env = {
            "TOR_PT_MANAGED_TRANSPORT_VER": "1",
            "TOR_PT_STATE_LOCATION": house.path(name + "-state"),
            "TOR_PT_SERVER_TRANSPORTS": transport,
            "TOR_PT_SERVER_BINDADDR": "%s-%s:0" % (transport, shown),
            "TOR_PT_ORPORT": target,
            "TOR_PT_EXTENDED_SERVER_PORT": "",
        }
        if options:
            env["TOR_PT_SERVER_TRANSPORT_OPTIONS"] = ";".join(
                "%s:%s" % (transport, o) for o in options.split(";"))
        env.update(module_env())
        self.process = house.start(name, command_of(program), env)
        fields = _last_field(self.process, "SMETHOD", transport)
        self.host, self.port = _host_port(fields[0])
        self.args = []
        for f in fields[1:]:
            if f.startswith("ARGS:"):
                self.args = split_args(f[len("ARGS:"):])


class Client:
    """A PT client; 'argv' adds flags, 'proxy' goes in as the flag or as env.

    With 'version' set it is started by flags alone, in that dialect.
    """

    def __init__(self, house, program, transport, proxy=None,
            proxy_by_flag=False, argv=(), version=None, name="pt-client"):
        state = house.path(name + "-state")
        command = command_of(program)
        env = {}
        if version is None:
            env = {
                "TOR_PT_MANAGED_TRANSPORT_VER": "1",
                "TOR_PT_STATE_LOCATION": state,
                "TOR_PT_CLIENT_TRANSPORTS": transport,
            }
        else:
            command += ["-ptversion", version, "-client", "-transport",
                transport, "-state", state]
        if proxy and proxy_by_flag:
            command += ["-proxy", proxy]
        elif proxy:
            env["TOR_PT_PROXY"] = proxy
        env.update(module_env())
        self.process = house.start(name, command + list(argv), env)
        fields = _last_field(self.process, "CMETHOD", transport)
        self.protocol = fields[0]
        self.host, self.port = _host_port(fields[1])
