# SPDX-License-Identifier: BSD-3-Clause
"""Tor, with the pair under test as its bridge's and its client's transport."""

from conftest import need
from tor_network import BOOTSTRAP_S, NEEDS, TorNetwork

FETCH_S = 60


def test_tor_bootstraps_and_fetches_four_times_8_mib_at_once(house, setting):
    need(*NEEDS)
    net = TorNetwork(house, setting.transport, setting.client, setting.server,
        say=print)
    net.start(BOOTSTRAP_S)
    net.fetch([8 << 20] * 4, FETCH_S)
    net.check_extorport()
