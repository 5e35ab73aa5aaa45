/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/patience.h"

#include "base/clock.h"

#define LOOK_NS (PTAH_PATIENCE_LOOK_S * PTAH_NS_PER_S)
#define LEAST_NS (PTAH_PATIENCE_LEAST_MS * PTAH_NS_PER_MS)

void
ptah_patience_begin(struct ptah_patience *patience, uint64_t now_ns, uint64_t limit_ns)
{
	*patience = (struct ptah_patience){ .until_ns = now_ns + limit_ns };
}

static void
look(struct ptah_patience *patience, uint64_t now_ns, uint64_t used_ns)
{
	patience->looks = true;
	patience->used_ns = used_ns;
	if (patience->until_ns < now_ns + LOOK_NS)
		patience->until_ns = now_ns + LOOK_NS;
}

bool
ptah_patience_lasts(struct ptah_patience *patience, uint64_t now_ns, uint64_t used_ns)
{
	if (!patience->looks && now_ns + LOOK_NS >= patience->until_ns)
		look(patience, now_ns, used_ns);
	if (now_ns < patience->until_ns)
		return true;
	if (used_ns - patience->used_ns < LEAST_NS)
		return false;
	look(patience, now_ns, used_ns);
	return true;
}
