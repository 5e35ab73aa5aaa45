#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# mandoc finds nothing to warn about in our manual pages.

cd "$(dirname "$0")/.." || exit 1
command -v mandoc >/dev/null 2>&1 || { echo 'mandoc is not installed'; exit 77; }

pages=$(find core modules include -name '*.[1-8]')
[ -n "$pages" ] || { echo 'no page found: this test looked at nothing'; exit 1; }
mandoc -T lint -W warning $pages
