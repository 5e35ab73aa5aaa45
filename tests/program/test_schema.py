# SPDX-License-Identifier: BSD-3-Clause
"""The JSON Schema of configuration files, and "ptah check": one table, so one opinion."""
import json
import subprocess

import pytest

import harness
from conffile import check

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module", name="schema")
def fixture_schema():
    got = subprocess.run([harness.program()[0], "check", "--schema"], capture_output=True,
                         env=harness.environment(), text=True, timeout=120 * harness.SLOW, check=True)
    return json.loads(got.stdout)


def validator(schema):
    return jsonschema.Draft202012Validator(schema)


CLIENT = {"role": "client", "listen": "127.0.0.1:0", "transport": "dummy"}
SERVER = {"role": "server", "listen": "127.0.0.1:0", "transport": "dummy", "target": "127.0.0.1:1"}

# Texts that are right for some kind, and wrong for most.
TEXTS = ["", "x", "/x", "x/y", "127.0.0.1:9000", "[::1]:9000", "127.0.0.1", "::1", "host.example:80", "fd:web",
         "fd:", "dummy", "dummy+dummy", "dummy+", "socks5", "INFO", "client", "json", "ipv6", "le", "any",
         "x" * 200, "/" + "x" * 200]
VALUES = TEXTS + [None, True, False, 0, 1, -1, 1.5, 5, 10**12, [], {}, ["/x"], ["x"], ["::1/128"], [5],
                  ["127.0.0.1:0"], [{"transport": "dummy"}], [{}], [{"transport": "dummy", "more": 1}],
                  {"links": 5}, {"links": 0}, {"more": 5}]


def test_the_schema_is_one(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_each_key_is_told(schema):
    """... and has something to say to whoever points at it."""
    parts = [schema, *schema["$defs"].values()]
    keys = [(name, value) for part in parts for name, value in part.get("properties", {}).items()]
    assert len(keys) > 40
    for name, value in keys:
        assert value["description"], name


def numbers_of(value):
    """Around the bounds of an integer."""
    if value.get("type") != "integer":
        return []
    return [value["minimum"] - 1, value["minimum"], value["maximum"], value["maximum"] + 1]


def words_of(value):
    return value.get("enum", []) + [word.upper() for word in value.get("enum", [])]


def verdicts(schema, tmp_path, variants):
    """Of each service: itself, whether the schema takes it, and what ptah says of it.  All else is fine."""
    for begin in range(0, len(variants), 200):
        conf = {"services": {"v%d" % i: v for i, v in enumerate(variants[begin:begin + 200])}}
        bad = {error.path[1] for error in validator(schema).iter_errors(conf)}
        said = check(tmp_path, conf)
        for label, service in conf["services"].items():
            yield service, label not in bad, said.of("services." + label)


# What a shape cannot tell: whether there is such a transport, file or interface, which keys go together, and the like.
MEANING = {"optionsFile", "options", "transport", "stack", "proxy", "interface", "mode", "extorport", "authcookie"}


def compare(schema, tmp_path, variants, keys):
    """Counts of those that the schema refuses, and of those that ptah takes."""
    n_refused = n_taken = 0
    for (service, by_schema, by_ptah), key in zip(verdicts(schema, tmp_path, variants), keys):
        n_refused += not by_schema
        n_taken += not by_ptah
        if not by_schema:
            assert by_ptah, (key, service)
        elif key not in MEANING:
            assert not by_ptah, (key, service, by_ptah)
    return n_refused, n_taken


@pytest.mark.parametrize("base", [CLIENT, SERVER], ids=["client", "server"])
def test_a_service_is_right_for_both_or_for_neither(schema, tmp_path, base):
    """... for every key, values of every kind, and around its bounds."""
    variants, keys = [], []
    for key, value in schema["$defs"]["service"]["properties"].items():
        for one in VALUES + numbers_of(value) + words_of(value):
            keys.append(key)
            variants.append({**base, key: one})
    for key in ("role", "listen", "transport", "target"):
        keys.append(key)
        variants.append({k: v for k, v in base.items() if k != key})
    n_refused, n_taken = compare(schema, tmp_path, variants, keys)
    assert n_refused > 500 and n_taken > 40, (n_refused, n_taken)


def test_limits_are_right_for_both_or_for_neither(schema, tmp_path):
    variants, keys = [], []
    for key, value in schema["$defs"]["limits"]["properties"].items():
        for one in VALUES + numbers_of(value):
            keys.append(key)
            variants.append({**CLIENT, "limits": {key: one}})
    n_refused, n_taken = compare(schema, tmp_path, variants, keys)
    assert n_refused > 100 and n_taken > 5, (n_refused, n_taken)


def test_the_top_is_right_for_both_or_for_neither(schema, tmp_path):
    """Each value for all keys at once."""
    properties = {k: v for k, v in schema["properties"].items() if k != "services"}
    rounds = [{key: one for key in properties} for one in VALUES]
    for pick in range(4):
        rounds.append({key: numbers_of(value)[pick] for key, value in properties.items() if numbers_of(value)})
    for pick in range(8):
        rounds.append({key: words_of(value)[pick] for key, value in properties.items()
                       if len(words_of(value)) > pick})
    n_refused = n_taken = 0
    for one in rounds:
        conf = {**one, "services": {"a": CLIENT}}
        bad = {error.path[0] for error in validator(schema).iter_errors(conf)}
        said = check(tmp_path, conf)
        # With other folders of modules there is no dummy.
        assert all("no transport" in text for text in said.of("services"))
        for key in one:
            by_ptah = [text for text in said.of(key) if "the control socket" not in text]
            assert (key not in bad) == (not by_ptah), (key, one[key], by_ptah)
            n_refused += key in bad
            n_taken += key not in bad
    assert n_refused > 300 and n_taken > 40, (n_refused, n_taken)


def test_labels_are_right_for_both_or_for_neither(schema, tmp_path):
    labels = ["a", "A9", "0", "a.b-c_d", "x" * 64, "x" * 65, "", ".a", "-a", "a b", "a/b", "\u00e9"]
    for label in labels:
        conf = {"services": {label: CLIENT}}
        by_schema = not list(validator(schema).iter_errors(conf))
        assert by_schema == (check(tmp_path, conf).rc == 0), label


@pytest.mark.parametrize("conf, good", [
    ({}, False),
    ({"services": {}}, False),
    ({"services": {"a": CLIENT}, "more": 1}, False),
    ({"services": {"a": CLIENT}, "workers": 4}, True),
    ({"services": {"a": {**CLIENT, "stack": [{"transport": "dummy"}]}}}, False),
    ({"services": {"a": {"role": "client", "listen": "127.0.0.1:0", "stack": [{"transport": "dummy"}]}}}, True),
    ({"services": {"a": {**CLIENT, "target": "127.0.0.1:1"}}}, False),
    ({"services": {"a": {**SERVER, "extorport": "127.0.0.1:1", "authcookie": "/c"}}}, False),
    ({"services": {"a": {k: v for k, v in SERVER.items() if k != "target"}}}, False),
    ([], False),
    (5, False),
])
def test_what_goes_together(schema, tmp_path, conf, good):
    assert (not list(validator(schema).iter_errors(conf))) == good
    assert (check(tmp_path, conf).rc == 0) == good
