#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# What was built is hardened: the program is position-independent, all of it
# has its relocations read-only and resolved at once, no stack or page can be written and
# executed, and the compiler's and the library's checks are in it.
#
#	hardening.sh FILE...     these; without any, what lies in the build folder

build=${PTAH_BUILD:-$(pwd)}
command -v readelf >/dev/null 2>&1 || { echo 'readelf is not installed'; exit 77; }
if [ $# -eq 0 ]; then
	# Sanitizers bring their own checks.
	grep -q '^HARDEN_CFLAGS = .*_FORTIFY_SOURCE' "$build/Makefile" || { echo 'configured without all of it'; exit 77; }
	set -- "$build/ptah" "$build"/.libs/libptah.so
	for module in "$build"/modules/*.so; do
		[ ! -e "$module" ] || set -- "$@" "$module" # all of them may have been left out
	done
fi

failed=0
complain() {
	echo "$1: $2"
	failed=1
}

guarded=0 fortified=0
for file; do
	[ -e "$file" ] || { complain "$file" 'not there'; continue; }
	headers=$(readelf -W -h -l -d "$file")
	echo "$headers" | grep -q 'Type: *DYN' || complain "$file" 'not position-independent'
	echo "$headers" | grep -q GNU_RELRO || complain "$file" 'no RELRO'
	echo "$headers" | grep -qE 'BIND_NOW|FLAGS_1.*NOW' || complain "$file" 'not bound at once, so RELRO is not full'
	echo "$headers" | grep -q 'GNU_STACK.* RW ' || complain "$file" 'its stack is executable'
	echo "$headers" | grep -qE '(LOAD|GNU_RELRO).* RWE ' && complain "$file" 'a segment can be written and executed'
	symbols=$(readelf -W --dyn-syms "$file")
	# A file whose functions keep no array on the stack needs neither.
	echo "$symbols" | grep -q __stack_chk_fail && guarded=$((guarded + 1))
	echo "$symbols" | grep -qE 'UND .*_chk(@|$)' && fortified=$((fortified + 1))
	case $file in
	*/libptah.so*)
		echo "$symbols" | grep -q __stack_chk_fail || complain "$file" 'no stack protector'
		echo "$symbols" | grep -qE 'UND .*_chk(@|$)' || complain "$file" 'no _FORTIFY_SOURCE'
		;;
	esac
done
echo "$# files, $guarded with a stack protector, $fortified with checks of _FORTIFY_SOURCE"
exit $failed
