/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/version.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "config/flag.h"

static const struct {
	const char *token;
	int dialect;
} supported[] = { /* best first */
	{ "3.0", PTAH_D3 }, { "3", PTAH_D3 },
	{ "2.2.1", PTAH_D22 }, { "2.2", PTAH_D22 },
	{ "2.1", PTAH_D2 }, { "2.0", PTAH_D2 }, { "2", PTAH_D2 },
	{ "1.0", PTAH_D1 }, { "1", PTAH_D1 },
};
#define N_SUPPORTED (sizeof(supported) / sizeof(supported[0]))

const char *
ptah_version_pick(const char *list, int *dialect)
{
	size_t best = N_SUPPORTED;
	const char *item;
	size_t len;

	while (ptah_text_next(&list, ',', &item, &len)) {
		for (size_t i = 0; i < best; i++) {
			if (strlen(supported[i].token) == len &&
			    memcmp(supported[i].token, item, len) == 0)
				best = i;
		}
	}
	if (best == N_SUPPORTED)
		return NULL;
	*dialect = supported[best].dialect;
	return supported[best].token;
}

void
ptah_version_choose(struct ptah_version *out, const char *flag, const char *env,
    bool has_transports)
{
	memset(out, 0, sizeof(*out));
	if (flag) {
		out->list = PTAH_LIST_FLAG;
		out->token = ptah_version_pick(flag, &out->dialect);
	} else if (env) {
		out->list = PTAH_LIST_ENV;
		out->token = ptah_version_pick(env, &out->dialect);
	} else if (has_transports) {
		out->token = "2.2"; /* the one version whose parent may use variables, yet no list */
		out->dialect = PTAH_D22;
	} else {
		out->token = "3.0";
		out->dialect = PTAH_D3;
	}
	out->use_env = out->dialect != PTAH_D3 || out->list == PTAH_LIST_ENV;
}
