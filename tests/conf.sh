#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Tor takes our examples as they are.

cd "${PTAH_BUILD:-.}" || exit 1
command -v tor >/dev/null 2>&1 || { echo 'tor is not installed'; exit 77; }

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
bad=0
n=0
for torrc in conf/torrc.client conf/torrc.bridge; do
	[ -f "$torrc" ] || continue
	n=$((n + 1))
	if grep -n '@' "$torrc"; then
		echo "$torrc: a path was not filled in"
		bad=1
	fi
	tor --verify-config -f "$torrc" --defaults-torrc /dev/null \
	    --DataDirectory "$folder" --hush >"$folder/said" 2>&1 || {
		cat "$folder/said"
		echo "$torrc: tor does not take it"
		bad=1
	}
done
[ $n -gt 0 ] || { echo 'no example found: this test looked at nothing'; exit 1; }
exit $bad
