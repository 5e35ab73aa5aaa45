# SPDX-License-Identifier: BSD-3-Clause
"""Tor asks for a stack by a name: its own names have no '+' in them."""

import json
import os
import secrets

from conftest import need
from pair import module_env, program_path
from tor_network import BOOTSTRAP_S, NEEDS, TorNetwork

FETCH_S = 60


def test_tor_carries_a_stack_that_a_file_names(house):
    """Shadowsocks, in what obfs4proxy makes of it, is 'veiled' to both tors.

    The password is in the file, the program's cert in the bridge line.
    """
    need("obfs4proxy", *NEEDS)
    folder = house.path("modules")
    os.makedirs(folder, mode=0o755)
    with open(os.path.join(folder, "veiled.json"), "w") as f:
        json.dump({"module": "shadow", "password": secrets.token_hex(16),
            "over": {"module": "exec", "name": "obfs4",
                "exec": program_path("obfs4proxy")}}, f)
    os.chmod(f.name, 0o600)
    program = "/usr/bin/env PTAH_MODULE_PATH=%s:%s %s" % (folder,
        module_env()["PTAH_MODULE_PATH"], program_path("ptah"))
    net = TorNetwork(house, "veiled", program, program, say=print)
    net.start(BOOTSTRAP_S)
    assert " cert=" in " " + net.arguments()
    net.fetch([4 << 20] * 2, FETCH_S)
    net.check_extorport()
