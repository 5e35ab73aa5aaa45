# SPDX-License-Identifier: BSD-3-Clause
"""Who does not know a server learns nothing, where its protocol allows it.

One matrix for each transport of probing.KINDS.  obfs3 and obfs2 speak first:
there it is shown that a prober gets that one message and not a byte more.
"""
import os
import select
import socket

import pytest

import probing
from harness import recv_exact
from lines import reset
from probing import KINDS, Probers


@pytest.fixture(params=KINDS, ids=lambda kind: kind.label)
def probers(request, tmp_path):
    if not request.param.is_here():
        pytest.skip("built without " + request.param.name)
    with Probers(request.param, tmp_path) as p:
        yield p


def test_obfs_107_120_126_the_probe_matrix(probers):
    """Whatever comes: no byte for it, and no end; who knows it gets in."""
    flight = probers.flight()
    if not probers.kind.hello:
        # It is a whole link, and good once: by any probe that has all of it.
        assert recv_exact(probers.probe(flight), 1)
    socks = [probers.probe(data) for _, data in probing.probes(flight)]
    link = probers.gets_in()
    probers.first_words(socks)
    probers.is_silent(socks, 0.7)
    # more bytes change nothing, however many there are
    for n in (3000, 9000, 100000):
        for sock in socks[::1 if n < 100000 else 20]:
            sock.sendall(os.urandom(n))
        probers.is_silent(socks, 0.5)
    # a reset is forgotten
    for sock in socks[::2]:
        reset(sock)
    probers.talks(link)
    probers.gets_in()


def test_a_prober_that_says_nothing_hears_no_more(probers):
    socks = [probers.probe(b"") for _ in range(50)]
    said = probers.first_words(socks)
    if probers.kind.says[1]:
        assert len(set(said)) > 40  # each time another length
    probers.is_silent(socks, 0.5)
    probers.gets_in()


def test_a_replay_hears_no_more(probers):
    """The first words of a real client, many times: once they may count."""
    flight = probers.flight()
    socks = [probers.probe(flight) for _ in range(20)]
    probers.first_words(socks)
    probers.gets_in()
    while True:
        # by whichever worker was first; all others had the same time
        answered = probers.spoken_to(socks, 0.5)
        if probers.spoken_to(socks, 0.2) == answered:
            break
    assert len(answered) <= 1
    rest = [sock for sock in socks if sock not in answered]
    for sock in rest:
        sock.sendall(os.urandom(3000))
    probers.is_silent(rest, 0.5)
    probers.gets_in()


def test_obfs_108_half_closed_probes_end_without_a_reset(probers):
    """A FIN at once, or silence: never a byte, and never a RST."""
    flight = probers.flight()
    socks = [probers.probe(data) for data in (
        b"", b"x", os.urandom(200), os.urandom(9000), flight[:-1])]
    probers.first_words(socks)
    for sock in socks:
        sock.shutdown(socket.SHUT_WR)
    for sock in select.select(socks, [], [], 1)[0]:
        assert sock.recv(4096) == b""
    probers.gets_in()
