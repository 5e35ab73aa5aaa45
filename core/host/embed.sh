#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# embed.sh FOLDER FILE...: print C that holds the files below FOLDER as a table
# of host/kit.h, so that the program needs none of them where it runs.

folder=$1
shift
printf '/* Made by embed.sh. */\n#include "host/kit.h"\n\n'
n=0
for file; do
	printf 'static const uint8_t file_%d[] = {\n' $n
	od -An -v -tx1 "$folder/$file" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1, /g' || exit 1
	printf '};\n'
	n=$((n + 1))
done
printf '\nconst struct ptah_kit_file ptah_kit_files[] = {\n'
n=0
for file; do
	printf '\t{ "%s", file_%d, sizeof(file_%d) },\n' "$file" $n $n
	n=$((n + 1))
done
printf '\t{ NULL, NULL, 0 },\n};\n'
