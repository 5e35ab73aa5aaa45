# SPDX-License-Identifier: BSD-3-Clause
"""The pages for people: their links lead somewhere, their figures are the bench's."""
import os
import re
import xml.etree.ElementTree as xml

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SVG = "{http://www.w3.org/2000/svg}"


def pages():
    found = ["README.md"]
    for room in ("conf", "core", "include", "modules", "tests"):
        for folder, _, files in os.walk(os.path.join(TOP, room)):
            found += [os.path.relpath(os.path.join(folder, name), TOP)
                      for name in files if name.endswith(".md")]
    return sorted(found)


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def anchors(text):
    """What GitHub calls the headings of a page."""
    return {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
            for line in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert os.path.exists(os.path.join(TOP, there)), link
        assert not anchor or anchor in anchors(read(there)), link


def measured():
    """Of the table of obfs4: what a row begins with, to the values of ptah and of obfs4proxy."""
    part = read("tests", "bench", "README.md").split("\n### obfs4\n")[1].split("\n### ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    number = re.compile(r"[\d.]+")
    return {row[0].strip(): (number.search(row[5]), number.search(row[6])) for row in rows}


def values(rows, begins):
    [row] = [row for name, row in rows.items() if name.startswith(begins)]
    return tuple(found.group() for found in row)


def test_the_picture_of_obfs4_shows_what_was_measured():
    """Each pair of bars has the figures of tests/bench/README.md, and their lengths."""
    rows = measured()
    root = xml.fromstring(read("core", "pictures", "obfs4.svg"))
    said = [(text.get("class"), text.text) for text in root.iter(SVG + "text")]
    bars = {kind: [int(rect.get("width")) for rect in root.iter(SVG + "rect")
                   if rect.get("class") == kind and rect.get("height") == "16"]
            for kind in ("theirs", "ours")}
    labels = {"CPU seconds per GiB, sealing": "CPU per GiB, sealing, up x1",
              "CPU seconds per GiB, opening": "opening, up x1",
              "CPU ms per connection, client": "CPU per connection, client",
              "KiB per idle link, client": "KiB per idle link, client",
              "added round trip, us": "added round trip"}
    shown = [i for i, (kind, _) in enumerate(said) if kind == "end"]
    assert [said[i][1] for i in shown] == list(labels)
    for i, theirs, ours in zip(shown, bars["theirs"], bars["ours"], strict=True):
        ptah, proxy = values(rows, labels[said[i][1]])
        assert (said[i + 1][1], said[i + 2][1]) == (proxy, ptah), said[i]
        assert abs(ours - max(3, theirs * float(ptah) / float(proxy))) <= 1, said[i]
        assert "%s: %s and %s" % (said[i][1], proxy, ptah) in root.find(SVG + "desc").text


def test_the_readme_says_what_was_measured():
    ptah, proxy = values(measured(), "slowest of 64")
    assert "the slowest has %s of what the fastest has, %s with obfs4proxy" % (ptah, proxy) in \
        " ".join(read("README.md").split())
