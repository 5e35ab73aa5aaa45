#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Hold the #include lines against the layers, and say which line climbed:
#
#   core/ROOM       includes its own headers and those of the rooms that stand
#                   before it in core/LAYERS
#   modules/NAME    includes its own, modules/common/ and include/; what
#                   new-module writes lies in one folder with template/common
#   include/ptah    includes ptah/*.h and headers of the C language

cd "$(dirname "$0")/.." || exit 1

{
	find core modules include -name '*.[ch]' -o -name '*.cc' | LC_ALL=C sort
} | xargs grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' /dev/null |
awk '
BEGIN {
	while ((getline room < "core/LAYERS") > 0)
		if (room !~ /^#/ && room != "")
			rank[room] = ++n_rooms
	if (n_rooms == 0) {
		print "core/LAYERS: no rooms"
		bad = 1
	}
	n = split("assert ctype errno float inttypes limits stdalign stdarg " \
	    "stdbool stddef stdint stdlib stdnoreturn string time", c, " ")
	for (i = 1; i <= n; i++)
		language[c[i] ".h"] = 1
}

# Where of a template the files lie that each kind gets.
function beside(folder)
{
	sub("^modules/template/[^/]*", "modules/template/common", folder)
	return folder
}

function climbed(why)
{
	print file ":" line ": " text ": " why
	bad = 1
}

function exists(path,    ignored, rc)
{
	rc = (getline ignored < path) >= 0
	close(path)
	return rc
}

{
	n_lines++
	file = $0; sub(/:.*/, "", file)
	line = $0; sub(/^[^:]*:/, "", line); sub(/:.*/, "", line)
	text = $0; sub(/^[^:]*:[^:]*:[ \t]*/, "", text); sub(/[ \t]+$/, "", text)
	angle = text ~ /^#[ \t]*include[ \t]*</
	name = text; sub(/^[^"<]*["<]/, "", name); sub(/[">].*/, "", name)
	first = name; sub(/\/.*/, "", first)
	split(file, part, "/")
	here = file; sub(/\/[^\/]*$/, "", here)
	own = index(name, "/") == 0 && !angle

	if (name ~ /(^|\/)\.\.?\//)
		climbed("paths start at a room, not at a dot")
	else if (part[1] == "include") {
		if (first != "ptah" && !(name in language))
			climbed("a public header includes ptah/*.h and the C language only")
	} else if (first == "ptah" && index(name, "/") > 0)
		next
	else if (part[1] == "modules") {
		if (first in rank || first == "core" || exists("core/" name))
			climbed("a module sees include/ and modules/common/ only")
		else if (!angle && !exists(here "/" name) && !exists(beside(here) "/" name) &&
		    !exists("modules/common/" name) && !exists("include/" name))
			climbed("not in " here "/, modules/common/ or include/")
	} else if (part[1] == "core") {
		room = part[2]
		if (!(room in rank))
			climbed("core/" room " is not in core/LAYERS")
		else if (first == "modules" || first == "tests" || first == "core")
			climbed("a room includes rooms only")
		else if (own) {
			if (!exists(here "/" name))
				climbed("no such file beside it; say ROOM/" name)
		} else if (first in rank && rank[first] > rank[room])
			climbed(room " stands below " first)
		else if (!angle && !(first in rank))
			climbed(first " is no room of core/LAYERS")
	}
}

END {
	if (n_lines == 0) {
		print "no #include line found: this test looked at nothing"
		bad = 1
	}
	exit bad
}' || exit 1
