# SPDX-License-Identifier: BSD-3-Clause
"""Programs of others as modules: obfs4proxy and snowflake-client through exec.

A ptah whose module folder has NAME.json files offers obfs4 by a program; its
peers are ptah's own obfs4 and obfs4proxy itself.
"""

import json
import os
import shutil
import signal

import pytest

from conftest import need
from curling import download, login, upload
from pair import Client, Server, build_folder, program_path, socks_args
from servers import HttpServer

SIZE = 3 * 1024 * 1024 + 17


def folder_of(house, **definitions):
    """A module folder with exec.so and NAME.json of each definition."""
    folder = house.path("modules-" + "-".join(sorted(definitions)))
    os.makedirs(folder, mode=0o755)
    shutil.copy(os.path.join(build_folder(), "modules", "exec.so"), folder)
    for name, options in definitions.items():
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump(dict(options, module="exec"), f)
    return folder


def through(house, name="obfs4", program="obfs4proxy", **options):
    """A ptah that offers 'name' by that program."""
    folder = folder_of(house, **{name: dict(options, exec=program_path(program))})
    return ["/usr/bin/env", "PTAH_MODULE_PATH=" + folder, program_path("ptah")]


def command_of(house, word):
    if word == "exec":
        return through(house)
    return program_path(word)


class Pair:
    def __init__(self, house, client, server):
        need("curl", "obfs4proxy")
        self.house = house
        self.web = house.add(HttpServer())
        self.server = Server(house, server, "obfs4",
            "127.0.0.1:%d" % self.web.port)
        self.client = Client(house, client, "obfs4")

    def how(self):
        return ["--socks5", "%s:%d" % (self.client.host, self.client.port)
            ] + login(socks_args(self.server.args))

    def down(self, size, seed=1):
        download(self.how(), self.server.host, self.server.port, size, seed)

    def up(self, size, seed=1):
        upload(self.how(), self.server.host, self.server.port, size, seed,
            self.house.folder)


@pytest.mark.parametrize("client,server", [("exec", "exec"), ("exec", "ptah"),
    ("ptah", "exec"), ("exec", "obfs4proxy"), ("obfs4proxy", "exec")])
def test_web_130_obfs4proxy_through_exec(house, client, server, monkeypatch):
    made = {w: command_of(house, w) for w in {client, server}}
    pair = Pair(house, made[client], made[server])
    for size in (0, 1, 1427, 32769, SIZE):
        pair.down(size, size)
        pair.up(size, size)
