#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# What each shared object shows: a module its descriptor alone, the library
# nothing but ptah_*, and none of these names is the program's, too: the linker
# says nothing, and who calls it from the program gets the program's.

cd "${PTAH_BUILD:-.}" || exit 1
command -v nm >/dev/null 2>&1 || { echo 'nm is not installed'; exit 77; }

# AddressSanitizer and gcov add names of their own.
shown() {
	nm -D --defined-only "$1" |
	    awk '$2 != "A" { sub(/@.*/, "", $3); if ($3 !~ /^(__odr_asan|__asan|__gcov)/) print $3 }'
}

bad=0
for so in modules/*.so; do
	[ -f "$so" ] || continue
	name=$(basename "$so" .so)
	others=$(shown "$so" | grep -vx "${name}_LTX_ptah_module")
	if [ -n "$others" ]; then
		echo "$so: shows more than its descriptor:" $others
		bad=1
	fi
done

lib=.libs/libptah.so
[ -f $lib ] || { echo "$lib: not there"; exit 1; }
others=$(shown $lib | grep -v '^ptah_')
if [ -n "$others" ]; then
	echo "$lib: shows more than ptah_*:" $others
	bad=1
fi
program=.libs/libhost.a
[ -f $program ] || { echo "$program: not there"; exit 1; }
twice=$({ shown $lib | sort -u; nm --defined-only -g $program 2>/dev/null |
    awk 'NF == 3 && $3 ~ /^ptah_/ { print $3 }'; } | sort | uniq -d)
if [ -n "$twice" ]; then
	echo "both $lib and the program define:" $twice
	bad=1
fi
exit $bad
