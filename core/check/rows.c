/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/rows.h"

const struct ptah_row ptah_rows[] = {
	{ "load", "it loads with all its symbols; magic, ABI, name, hooks, sizes and the table of options are sane", 0, ptah_row_load },
	{ "texts", "version, summary, aliases and names of counters are there, of one line, and each but once", 0, ptah_row_texts },
	{ "options", "each option has help of one line, a default that it takes itself, and a name of its own", 0, ptah_row_options },
	{ "example", "its example configuration is there, and opens both roles", 0, ptah_row_example },
	{ "required", "without an option that it needs, it is refused before it is opened", PTAH_ROW_OPTIONS, ptah_row_required },
	{ "extremes", "values at the edge of what its options allow are refused in words, or work", PTAH_ROW_OPTIONS, ptah_row_extremes },
	{ "carry", "both roles open, and carry bytes both ways, in every size from 1 byte to 1 MiB", PTAH_ROW_PAIR, ptah_row_carry },
	{ "cuts", "the handshake survives a cut at each byte, in both directions", PTAH_ROW_LINK, ptah_row_cuts },
	{ "bytewise", "all that the wire brings comes one byte at a time", PTAH_ROW_LINK, ptah_row_bytewise },
	{ "pieces", "both directions at once, in pieces of any size on all four sides", PTAH_ROW_LINK, ptah_row_pieces },
	{ "narrow", "each call has room for one unit only", PTAH_ROW_LINK, ptah_row_narrow },
	{ "slow", "a reader that takes nothing stops its sender, and nothing is lost or piled up", PTAH_ROW_LINK, ptah_row_slow },
	{ "crowd", "1,000 links at once, in turns, each with bytes of its own", PTAH_ROW_LINK, ptah_row_crowd },
	{ "generate", "the options that it makes for a new server and its clients fit together", PTAH_ROW_OPTIONS, ptah_row_generate },
};
const size_t ptah_rows_n = sizeof(ptah_rows) / sizeof(ptah_rows[0]);
