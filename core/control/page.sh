#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# page.sh FILE: print C that holds the status page, so that the program needs no
# file for it where it runs.

printf '/* Made by page.sh. */\n#include "control/page.h"\n\nconst uint8_t ptah_page[] = {\n'
od -An -v -tx1 "$1" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1, /g' || exit 1
printf '};\nconst size_t ptah_page_len = sizeof(ptah_page);\n'
