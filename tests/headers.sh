#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Each public header compiles alone, as strict C11 and as C++17.  CC and CXX
# name the compilers; without a C++ compiler that half is skipped.

cd "$(dirname "$0")/.." || exit 1

flags='-Iinclude -Wall -Wextra -pedantic -Werror -fsyntax-only'
n=0
bad=0
for header in include/ptah/*.h; do
	[ -f "$header" ] || continue
	n=$((n + 1))
	unit="#include <${header#include/}>"
	# Twice, so that its guard is held against it too.
	printf '%s\n%s\ntypedef int not_empty;\n' "$unit" "$unit" |
	    ${CC:-cc} -std=c11 $flags -x c - || { echo "$header: not C11"; bad=1; }
	[ -n "$CXX" ] || continue
	printf '%s\n%s\n' "$unit" "$unit" |
	    $CXX -std=c++17 $flags -x c++ - || { echo "$header: not C++17"; bad=1; }
done

if [ $n -eq 0 ]; then
	echo 'no header found: this test looked at nothing'
	bad=1
fi
[ $bad -eq 0 ] || exit 1
[ -n "$CXX" ] || { echo 'a C++ compiler is not installed'; exit 77; }
