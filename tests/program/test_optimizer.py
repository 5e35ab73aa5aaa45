# SPDX-License-Identifier: BSD-3-Clause
"""optimizer: several transports behind one name (the rows WEB-120 to WEB-124).

The members are dummy clients of three servers here; one that is to fail dials
a port where nobody listens.
"""

import base64
import collections
import contextlib
import json
import os
import time

import pytest

import harness
import lines
from harness import F3C, Ptah, poll
from socks import Client, reply, request

STRATEGIES = ["first", "random", "rotate", "track", "minimizeDialDuration"]


class Bridge:
    """A place to dial to that says its number, and that can be shut."""

    def __init__(self, number):
        self.number = number
        self.listener = lines.listen()
        self.where = lines.address(self.listener)
        self.port = self.listener.getsockname()[1]

    def shut(self):
        self.listener.close()

    def reopen(self):
        self.listener = lines.listen(port=self.port)


@pytest.fixture
def bridges():
    made = [Bridge(n) for n in range(3)]
    yield made
    for one in made:
        one.shut()


def member(bridge, name="dummy", **config):
    return {"name": name, "config": dict(config, serverAddress=bridge.where)}


def options_of(bridges, strategy):
    return {"strategy": strategy, "transports": [member(b) for b in bridges]}


@contextlib.contextmanager
def running(tmp, options, **more):
    start = F3C(1, transport="optimizer", state=tmp,
        options=json.dumps(options), ipcLogLevel="INFO")
    with Ptah(start, **more) as p:
        p.wait_done()
        p.where = p.address("optimizer")
        yield p


def dial(p, rep=0):
    client = Client(p.where)
    client.send(b"\x05\x01\x00")
    client.expect(b"\x05\x00")
    client.send(request("127.0.0.1", 9))
    if rep is not None:
        client.expect(reply(rep))
    return client


def went_to(p, bridges):
    """Dial, carry a few bytes, and say which bridge it was."""
    with dial(p) as client:
        client.send(b"hello")
        import select
        ready = select.select([b.listener for b in bridges
            if b.listener.fileno() != -1], [], [], lines.PATIENCE)[0]
        assert len(ready) == 1
        with lines.accept(ready[0]) as there:
            lines.expect(there, b"hello")
            there.sendall(b"there")
            client.expect(b"there")
        return next(b.number for b in bridges if b.listener is ready[0])


def test_web_120_first(tmp_path, bridges):
    """Always the first; while that fails it is tried again each second."""
    with running(tmp_path, options_of(bridges, "first")) as p:
        assert [went_to(p, bridges) for _ in range(4)] == [0] * 4
        bridges[0].shut()
        began = time.monotonic()
        client = dial(p, rep=None)
        lines.expect_silence(client.sock, 0.5)
        bridges[0].reopen()
        client.expect(reply(0))
        assert 0.5 < time.monotonic() - began
        client.sock.close()


def test_web_120_rotate(tmp_path, bridges):
    """One after the other from the first on; who fails is stepped over."""
    with running(tmp_path, options_of(bridges, "Rotate")) as p:
        assert [went_to(p, bridges) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
        bridges[1].shut()
        assert [went_to(p, bridges) for _ in range(4)] == [2, 0, 2, 0]


def test_web_120_track(tmp_path, bridges):
    """Who succeeded last; else the untried; else who failed the longest ago."""
    with running(tmp_path, options_of(bridges, "track")) as p:
        assert [went_to(p, bridges) for _ in range(3)] == [0, 0, 0]
        bridges[0].shut()
        assert [went_to(p, bridges) for _ in range(2)] == [1, 1]
        bridges[1].shut()
        assert went_to(p, bridges) == 2
        bridges[0].reopen()
        bridges[1].reopen()
        assert went_to(p, bridges) == 2
        bridges[2].shut()
        # 0 failed before 1 did.
        assert went_to(p, bridges) == 0


def test_web_120_minimize_dial_duration(tmp_path, bridges):
    """Each is tried once, then the quickest: a failure counts a minute."""
    bridges[0].shut()
    with running(tmp_path, options_of(bridges, "minimizedialduration")) as p:
        went = [went_to(p, bridges) for _ in range(6)]
        assert went[:2] == [1, 2]
        assert 0 not in went
        bridges[0].reopen()
        assert 0 not in [went_to(p, bridges) for _ in range(3)]


def test_web_121_random(tmp_path, bridges):
    """4,500 dials: each of three gets 1,310 to 1,690 (6 sigma are 190; less than that once in 10^8)."""
    with running(tmp_path, options_of(bridges, "random")) as p:
        counts = collections.Counter(went_to(p, bridges) for _ in range(4500))
    assert sum(counts.values()) == 4500
    assert all(1310 <= counts[n] <= 1690 for n in range(3)), counts


@pytest.mark.parametrize("strategy", ["track", "minimizeDialDuration"])
def test_web_122_all_dead(tmp_path, bridges, strategy):
    """The error is the last one's, and comes at once."""
    for b in bridges:
        b.shut()
    with running(tmp_path, options_of(bridges, strategy)) as p:
        dial(p, rep=5).sock.close()     # within 10 s


def test_web_122_all_dead_within_a_minute(tmp_path, bridges):
    """With rounds it is the time for all tries that ends it: the one long wait here."""
    for b in bridges:
        b.shut()
    with running(tmp_path, options_of(bridges, "rotate")) as p:
        began = time.monotonic()
        client = dial(p, rep=None)
        client.sock.settimeout(90 * harness.SLOW)
        client.expect(reply(5))
        assert 50 < time.monotonic() - began < 70 * harness.SLOW


def test_one_that_hangs_is_left_for_the_next(tmp_path, bridges):
    """obfs4 waits for a hello that nobody says: after 20 s it is the next one's turn."""
    hung = member(bridges[0], "obfs4", **{"cert": "A" * 70, "iat-mode": "0"})
    options = {"strategy": "track", "transports": [hung, member(bridges[1])]}
    with running(tmp_path, options) as p:
        began = time.monotonic()
        client = dial(p, rep=None)
        client.sock.settimeout(60 * harness.SLOW)
        client.expect(reply(0))
        assert 15 < time.monotonic() - began < 35 * harness.SLOW
        client.sock.close()


def nested(depth, bridge):
    options = {"transports": [member(bridge)]}
    for _ in range(depth - 1):
        options = {"transports": [{"name": "Optimizer", "config": options}]}
    return options


@pytest.mark.parametrize("options, why", [
    ({}, r"transports.*empty"),
    ({"transports": []}, r"transports.*empty"),
    ({"transports": [{"config": {}}]}, r'"name"'),
    ({"transports": [{"name": "dummy", "config": 5}]}, r'"config"'),
    ({"transports": [{"name": "whale", "config": {}}]}, r"whale"),
    ({"transports": [{"name": "dummy"}], "strategy": "best"}, r"first, random"),
    ({"json": "bm8gSlNPTg=="}, r"JSON"),
], ids=lambda x: "" if isinstance(x, str) else json.dumps(x)[:40])
def test_web_123_what_is_no_list(tmp_path, options, why):
    refused(tmp_path, options, why)


def refused(tmp_path, options, why):
    start = F3C(1, transport="optimizer", state=tmp_path,
        options=json.dumps(options))
    with Ptah(start) as p:
        p.wait_done()
        line = p.wait_line(r"^CMETHOD-ERROR optimizer ", stream="err")
        assert __import__("re").search(why, line), line


def test_web_123_depth(tmp_path, bridges):
    with running(tmp_path, nested(4, bridges[0])) as p:
        assert went_to(p, bridges) == 0
    refused(tmp_path, nested(5, bridges[0]), r"four deep")


def test_options_as_one_word(tmp_path, bridges):
    """What a bridge line's k=v can say: json=BASE64."""
    text = json.dumps({"strategy": "rotate",
        "transports": [member(b, "DUMMY") for b in bridges]})
    word = base64.b64encode(text.encode()).decode()
    with running(tmp_path, {"json": word}) as p:
        assert [went_to(p, bridges) for _ in range(4)] == [0, 1, 2, 0]


def state_of(tmp_path):
    found = []
    for folder, _, names in os.walk(tmp_path):
        found += [os.path.join(folder, n) for n in names if "optimizer" in n]
    return found


def test_web_124_scores_survive_a_restart(tmp_path, bridges):
    bridges[0].shut()
    with running(tmp_path, options_of(bridges, "track")) as p:
        assert went_to(p, bridges) == 1
    files = state_of(tmp_path)
    assert len(files) == 1
    text = open(files[0]).read()
    assert len(json.loads(text)["scores"]) == 2
    for b in bridges:
        assert str(b.port) not in text
    bridges[0].reopen()
    with running(tmp_path, options_of(bridges, "track")) as p:
        assert went_to(p, bridges) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version":1,"dials":-1}',
    '{"version":2,"dials":0,"scores":{}}', "\0" * 100, "[" * 5000])
def test_web_124_a_damaged_file_is_ignored(tmp_path, bridges, text):
    with running(tmp_path, options_of(bridges, "track")) as p:
        assert went_to(p, bridges) == 0
    with open(state_of(tmp_path)[0], "w") as f:
        f.write(text)
    bridges[0].shut()
    with running(tmp_path, options_of(bridges, "track")) as p:
        assert went_to(p, bridges) == 1
    poll(lambda: json.load(open(state_of(tmp_path)[0]))["dials"] == 2,
        what="a good state file again")


def test_one_below_another_leaves_its_state_alone(tmp_path, bridges):
    """Two of one name cannot both keep it: the second says so, and works."""
    inner = {"name": "optimizer", "config": options_of(bridges[:1], "track")}
    options = {"strategy": "first", "transports": [inner]}
    for _ in range(2):
        with running(tmp_path, options) as p:
            assert went_to(p, bridges) == 0
            p.wait_line(r"optimizer\.json is in use elsewhere")
            assert not [line for line in p.err_lines if "damaged" in line]
            state = tmp_path / "optimizer_optimizer.json"
            poll(lambda: state.exists() and state.stat().st_size > 0,
                what="what was learned")
