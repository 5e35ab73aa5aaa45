/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/figures.h"

#include <stdlib.h>

#include <ptah/module.h>

void
ptah_figures_clear(struct ptah_figures *figures)
{
	free(figures->services);
	*figures = (struct ptah_figures){ 0 };
}

uint64_t
ptah_figures_open(const struct ptah_stats *stats)
{
	uint64_t opened = ptah_stats_get(stats, PTAH_STAT_LINKS_OPENED), closed = ptah_stats_get(stats, PTAH_STAT_LINKS_CLOSED);

	/* They were read one after the other, while links came and went. */
	return opened > closed ? opened - closed : 0;
}

uint64_t
ptah_figures_failed(const struct ptah_stats *stats)
{
	uint64_t sum = 0;

	for (int i = PTAH_STAT_FAILED_FIRST; i < PTAH_STAT_FAILED_END; i++)
		sum += ptah_stats_get(stats, (enum ptah_stat)i);
	return sum;
}

const char *
ptah_figures_reason(enum ptah_stat why)
{
	static const char *const words[] = {
		[PTAH_STAT_FAILED_DIAL - PTAH_STAT_FAILED_FIRST] = "dial",
		[PTAH_STAT_FAILED_TARGET - PTAH_STAT_FAILED_FIRST] = "target",
		[PTAH_STAT_FAILED_TIMEOUT - PTAH_STAT_FAILED_FIRST] = "timeout",
		[PTAH_STAT_FAILED_REJECTED - PTAH_STAT_FAILED_FIRST] = "rejected",
		[PTAH_STAT_FAILED_CLOSED - PTAH_STAT_FAILED_FIRST] = "closed",
		[PTAH_STAT_FAILED_PROTOCOL - PTAH_STAT_FAILED_FIRST] = "protocol",
		[PTAH_STAT_FAILED_CANCELLED - PTAH_STAT_FAILED_FIRST] = "cancelled",
		[PTAH_STAT_FAILED_OTHER - PTAH_STAT_FAILED_FIRST] = "other",
	};

	return words[why - PTAH_STAT_FAILED_FIRST];
}

const char *
ptah_figures_role(uint32_t role)
{
	return role == PTAH_CLIENT ? "client" : "server";
}
