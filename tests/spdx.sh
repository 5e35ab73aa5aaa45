#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Every file that can hold a comment names its licence within the first lines.

cd "$(dirname "$0")/.." || exit 1

# A checkout knows its files; an unpacked archive may have been built in.
if [ -e .git ] && files=$(git ls-files 2>/dev/null) && [ -n "$files" ]; then
	:
else
	files=$(find configure.ac Makefile.am README.md core modules include \
	    conf tests -type f \( -name '*.[ch1]' -o -name '*.am' -o -name '*.ac' \
	    -o -name '*.in' -o -name '*.sh' -o -name '*.py' -o -name '*.md' \
	    -o -name '*.map' -o -name '*.svg' \))
fi

n=0
bad=0
for file in $files; do
	case $file in
	README | COPYING | core/LAYERS) continue ;;
	conf/debian/changelog | conf/debian/copyright | conf/debian/source/format) continue ;; # their form is Debian's
	*.json | *.txt | *.sum | *.png | *.bin | *.pcap) continue ;;
	tests/fuzz/corpus/* | modules/template/*/corpus/*) continue ;;
	esac
	[ -f "$file" ] || continue
	n=$((n + 1))
	if ! head -n 5 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause'; then
		echo "$file: no SPDX-License-Identifier: BSD-3-Clause in its first lines"
		bad=1
	fi
done

if [ $n -eq 0 ]; then
	echo 'no file found: this test looked at nothing'
	bad=1
fi
exit $bad
