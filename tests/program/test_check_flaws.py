# SPDX-License-Identifier: BSD-3-Clause
"""ptah check-module catches each planted defect by the row that is meant for it.

tests/modules/flawed.c, which has a stream, and flawedmail.c, which keeps
messages, are compiled here once for each flaw, as their author would compile
them.  All rows are run for each, to see that no other row blames the
module for it; so these tests take about a second each, and the one whose
module loops forty, and many more where others want the processor.
"""
import json
import os
import re
import subprocess

import pytest

import harness

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

# What is wrong: the row that is meant for it, words that it says, and rows that may say so, too.
FLAWS = {
    "NO_HELP": ("options", "no .help", ()),
    "NO_SUMMARY": ("texts", "no .summary", ()),
    "STRANGE_EXAMPLE": ("example", '"pasword" is not known', ()),
    "SHORT_COPY": ("extremes", "crashes", ()),
    "WHOLE_HELLO": ("cuts", "with one cut", ("bytewise", "pieces", "memory", "half-close", "abrupt", "truncated")),
    "WIDE_ROOM": ("narrow", "stands still", ("memory",)),
    "LOSES_PATIENCE": ("bytewise", "one byte at a time", ("pieces", "memory")),
    "PILES_UP": ("slow", "piles up", ()),
    "SHARES_KEY": ("crowd", "one of many links", ("idle",)),
    "CLOSES_BOTH": ("half-close", "after the other had ended", ()),
    "LEAKS_EARLY": ("abrupt", "blocks of memory", ("failures",)),
    "LEAKS": ("leaks", "pair of links that has ended", ("abrupt", "failures")),
    "LEAKS_HOME": ("leaks", "instance that has ended", ()),
    "OPENS_ANYWAY": ("refused", "plain end has failed", ()),
    "BYTE_TOO_FAR": ("memory", "behind the room towards the wire", ()),
    "SMALL_LIFE": ("memory", "memory of its link", ()),
    "WRITES_INPUT": ("memory", "what has come from the wire", ()),
    "KEEPS_ARGS": ("memory", "its args", ()),
    "TRUSTS_MALLOC": ("failures", "NULL pointer", ()),
    "TRUSTS_TIMER": ("failures", "abort()", ()),
    "TIMER_NOW": ("timers", "due at once", ("noise", "truncated", "replayed", "flipped", "messages")),
    "TIMER_OFTEN": ("timers", "with nothing to do", ()),
    "SAYS_FIRST": ("flipped", "lets", ("noise",)),
    "TRUSTS_NONCE": ("noise", "abort()", ("flipped",)),
    "TRUSTS_LENGTH": ("truncated", "abort()", ("noise",)),
    "HALF_A_TAG": ("flipped", "lets", ()),
    "IGNORES_REPLAY": ("replayed", "goes on with one that was", ()),
    "OPENS_TWICE": ("carry", "OPEN twice", None),
    "STANDS_STILL": ("carry", "takes and gives nothing", None),
    "EATS_TOO_MUCH": ("carry", "ate 2 bytes", None),
    "LOSES_BYTE": ("carry", "stands still", None),
    "LOOPS": ("carry", "loops", None),
    "MISMATCHED": ("generate", "that it made itself", ()),
}
# The same, of messages.
MAIL = {
    "LOSES_EMPTY": ("messages", "a message of 0 bytes", ()),
    "WANTS_NEXT": ("messages", "one datagram in four is lost only", ()),
    "TAKES_NEWER": ("messages", "out of order only", ()),
    "LONG_ENDS": ("messages", "link ends: Message too long", ()),
    "CUTS_LONG": ("messages", "not all of one", ()),
    "SMALL_MARGIN": ("messages", "before the room of a message", ("bad-messages",)),
    "CHANGES_GIVEN": ("messages", "given to message()", ("bad-messages",)),
    "KEEPS_MESSAGE": ("messages", "may not, or no longer", ()),
    "LEAKS_LINK": ("messages", "holds 2 blocks", ()),
    "TRUSTS_HEAP": ("messages", "NULL pointer", ()),
    "SAYS_TWICE": ("messages", "arrives twice", ()),
    "CHANGES_AT_KEY": ("messages", ".key changes", ("bad-messages",)),
    "SHARES_SESSION": ("messages", "one of many links", ("bad-messages",)),
    "FIXED_ROOM": ("messages", "does not arrive", ()),
    "TRUSTS_LENGTH": ("bad-messages", "room of its message", ()),
    "HALF_A_TAG": ("bad-messages", "lets", ()),
    "SHORT_MEMORY": ("bad-messages", "that come again lets", ()),
    "ENDS_AT_NOISE": ("bad-messages", "link ends: Bad message", ()),
    "MARKS_EARLY": ("bad-messages", "after random datagrams", ()),
}
SOURCES = {"flawed": FLAWS, "flawedmail": MAIL}


def numbers(name):
    """The flaws that the source has."""
    with open(os.path.join(TOP, "tests", "modules", name + ".c"), encoding="utf-8") as f:
        return {flaw: int(number) for flaw, number in
                re.findall(r"^#define ([A-Z_]+) (\d+)$", f.read(), re.M) if flaw != "FLAW"}


def compiled(name, number):
    """The module with this flaw, in a folder of its own: they all have one name."""
    folder = os.path.join(harness.BUILD, "tests", "flaws", str(number))
    path = os.path.join(folder, name + ".so")
    os.makedirs(folder, mode=0o755, exist_ok=True)
    subprocess.run([*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-O2", "-fvisibility=hidden",
                    "-I", os.path.join(TOP, "include"), "-DFLAW=%d" % number, "-Wl,-z,defs",
                    "-o", path, os.path.join(TOP, "tests", "modules", name + ".c")], check=True, timeout=60 * harness.SLOW)
    return path


def run(name, number, *words):
    """All rows by name."""
    got = subprocess.run([harness.program()[0], "check-module", compiled(name, number), "--json", "--seconds", "0", *words],
                         capture_output=True, text=True, env=harness.environment(),
                         timeout=900 * harness.SLOW, check=False)
    told = json.loads(got.stdout)
    assert got.returncode == (1 if told["failed"] else 0)
    return {row["name"]: row for row in told["rows"]}


@pytest.mark.parametrize("name", SOURCES)
def test_every_flaw_of_the_source_is_looked_for(name):
    """No flaw is planted and forgotten."""
    assert set(numbers(name)) == set(SOURCES[name])


def test_many_rows_have_a_flaw_of_their_own():
    """What we ask for is not the same again and again."""
    assert len({row for flaws in SOURCES.values() for row, _, _ in flaws.values()}) >= 17


def verdicts(rows, verdict):
    return {name for name, row in rows.items() if row["verdict"] == verdict}


def test_the_modules_without_a_flaw_pass():
    """What the others have wrong, these have right."""
    of_messages = {"messages", "bad-messages"}
    for name in SOURCES:
        rows = run(name, 0)
        assert {row: rows[row]["text"] for row in verdicts(rows, "fail") | verdicts(rows, "skipped")} == {}
        if name == "flawed":
            assert verdicts(rows, "n/a") == of_messages
        else:
            assert verdicts(rows, "pass") >= of_messages | {"load", "texts", "options", "example", "required", "extremes"}


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaw_is_caught_by_its_row(flaw):
    """By that row, in words, and by no row that has nothing to do with it."""
    meant, says, also = FLAWS[flaw]
    rows = run("flawed", numbers("flawed")[flaw])
    failed = verdicts(rows, "fail")
    assert meant in failed, "%s failed instead" % sorted(failed)
    assert says in rows[meant]["text"]
    if also is None:
        # Who cannot carry is asked no more; the rows before that are fine.
        assert {row["verdict"] for name, row in rows.items() if name in ("cuts", "leaks", "flipped")} == {"skipped"}
        assert failed <= {meant, "extremes", "relay", "above", "below"}
    else:
        assert failed <= {meant, *also, "relay", "above", "below"}, {
            name: rows[name]["text"] for name in failed}
    for name in ("load", "required"):
        assert rows[name]["verdict"] == "pass"


@pytest.mark.parametrize("flaw", MAIL)
def test_flaw_of_messages_is_caught_by_its_row(flaw):
    """The same, where there is no stream to look at."""
    meant, says, also = MAIL[flaw]
    rows = run("flawedmail", numbers("flawedmail")[flaw])
    failed = verdicts(rows, "fail")
    assert meant in failed, "%s failed instead" % sorted(failed)
    assert says in rows[meant]["text"]
    assert failed <= {meant, *also}, {name: rows[name]["text"] for name in failed}
    for name in ("load", "example", "required"):
        assert rows[name]["verdict"] == "pass"
