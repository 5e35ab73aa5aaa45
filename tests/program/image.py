# SPDX-License-Identifier: BSD-3-Clause
"""What a core image of a process would hold, page by page, while it lives.

Unlike a real one it has the pages too that were kept out of dumps, so that a
secret which is there once can be told from one that is nowhere.
"""
import os

CHUNK = 1 << 20
PAGE = os.sysconf("SC_PAGESIZE")
# Not memory of the process: reading these fails.
NO_MEMORY = ("[vvar]", "[vsyscall]", "[vvar_vclock]")


def regions(pid):
    with open("/proc/%d/maps" % pid) as maps:
        for line in maps:
            words = line.split(None, 5)
            first, last = (int(n, 16) for n in words[0].split("-"))
            name = words[5].strip() if len(words) > 5 else ""
            if name not in NO_MEMORY:
                yield first, last, name


def flags_at(pid, at):
    """The kernel's two-letter words for the region that holds 'at'."""
    inside = False
    with open("/proc/%d/smaps" % pid) as smaps:
        for line in smaps:
            words = line.split()
            if "-" in words[0]:
                first, last = (int(n, 16) for n in words[0].split("-"))
                inside = first <= at < last
            elif inside and words[0] == "VmFlags:":
                return words[1:]
    return []


def touched(pagemap, first, last):
    """Runs of pages that are in memory: what was never touched is skipped."""
    pagemap.seek(first // PAGE * 8)
    entries = pagemap.read((last - first) // PAGE * 8)
    start = None
    for i in range(len(entries) // 8):
        there = entries[8 * i + 7] & 0xc0  # present, or swapped
        at = first + i * PAGE
        if there and start is None:
            start = at
        elif not there and start is not None:
            yield start, at
            start = None
    if start is not None:
        yield start, last


class Image:
    """Where each of 'needles' (name -> bytes) stands in the memory of a process."""

    def __init__(self, pid, needles):
        self.found = {name: [] for name in needles}
        longest = max(len(needle) for needle in needles.values())
        self.n_bytes = 0
        with open("/proc/%d/mem" % pid, "rb", 0) as mem, \
                open("/proc/%d/pagemap" % pid, "rb", 0) as pagemap:
            for first, last, name in regions(pid):
                for start, end in touched(pagemap, first, last):
                    self._read(mem, start, end, name, needles, longest)

    def _read(self, mem, start, end, name, needles, longest):
        at = start
        while at < end:
            n = min(CHUNK, end - at)
            try:
                mem.seek(at)
                text = mem.read(min(n + longest - 1, end - at))
            except OSError:
                return  # it was unmapped meanwhile
            self.n_bytes += n
            for what, needle in needles.items():
                where = text.find(needle)
                while 0 <= where < n:
                    self.found[what].append((at + where, name))
                    where = text.find(needle, where + 1)
            at += n

    def count(self, what):
        return len(self.found[what])

    def there(self, leave=()):
        """What is anywhere, and where."""
        return {what: ["%x %s" % place for place in places]
                for what, places in self.found.items()
                if places and what not in leave}
