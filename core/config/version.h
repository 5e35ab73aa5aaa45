/* SPDX-License-Identifier: BSD-3-Clause */
/** config/version.h: which PT version do both sides speak? (ipc.md 1.2) */
#ifndef PTAH_CONFIG_VERSION_H
#define PTAH_CONFIG_VERSION_H

#include <stdbool.h>

#define PTAH_LIST_NONE 0
#define PTAH_LIST_FLAG 1
#define PTAH_LIST_ENV 2

struct ptah_version {
	int dialect;       /* PTAH_D1 ...; 0: no version in common */
	const char *token; /* as offered; a constant */
	int list;          /* where the list came from */
	bool use_env;      /* do the TOR_PT_ variables count? */
};

/** Best supported token of a comma list, exactly as offered, or NULL; its dialect in *dialect. */
const char *ptah_version_pick(const char *list, int *dialect);

/**
 * Choose.  'flag' is the value of -ptversion (NULL: not given), 'env' that of
 * the variable (NULL: unset or empty); 'has_transports': one of the two
 * variables that name transports is set.
 */
void ptah_version_choose(struct ptah_version *out, const char *flag, const char *env,
    bool has_transports);

#endif
