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
	{ "half-close", "who has said all ends first, last or at once, and all that was said arrives", PTAH_ROW_LINK, ptah_row_half_close },
	{ "abrupt", "a link is closed at each state that it can be in, and leaves nothing behind", PTAH_ROW_LINK, ptah_row_abrupt },
	{ "refused", "a plain end that cannot be opened ends a server's link, or is answered", PTAH_ROW_LINK, ptah_row_refused },
	{ "memory", "it touches no byte outside of its lives, its input and its room, nor what it may only read", PTAH_ROW_LINK, ptah_row_memory },
	{ "leaks", "links and instances that have ended hold no memory", PTAH_ROW_LINK, ptah_row_leaks },
	{ "failures", "each allocation and each service of the host fails in turn", PTAH_ROW_LINK, ptah_row_failures },
	{ "timers", "a link that is idle for an hour does not wake the host for nothing", PTAH_ROW_LINK, ptah_row_timers },
	{ "noise", "random bytes do not crash it, and do not come out as plain bytes of a peer that it then rejects", PTAH_ROW_LINK, ptah_row_noise },
	{ "truncated", "a peer that stops in the middle, and one that ends there", PTAH_ROW_LINK, ptah_row_truncated },
	{ "replayed", "a handshake that is sent again is refused, by a module that looks for that", PTAH_ROW_LINK, ptah_row_replayed },
	{ "flipped", "a byte that was changed on its way is noticed, by a module that looks for that", PTAH_ROW_LINK, ptah_row_flipped },
	{ "generate", "the options that it makes for a new server and its clients fit together", PTAH_ROW_OPTIONS | PTAH_ROW_CARRY, ptah_row_generate },
	{ "idle", "what a link that is idle costs (a figure)", PTAH_ROW_LINK, ptah_row_idle },
	{ "speed", "what a second of a processor carries (a figure)", PTAH_ROW_LINK, ptah_row_speed },
};
const size_t ptah_rows_n = sizeof(ptah_rows) / sizeof(ptah_rows[0]);
