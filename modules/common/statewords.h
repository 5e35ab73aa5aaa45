/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * statewords.h: why a state file cannot be had, for those who run the bridge.
 */
#ifndef PTAH_COMMON_STATEWORDS_H
#define PTAH_COMMON_STATEWORDS_H

#include <errno.h>
#include <string.h>

/** Of what host->state_get() or state_put() answered. */
static inline const char *
ptah_state_words(int rc)
{
	if (rc == -EBUSY)
		return "it is busy, with another process or another transport of this one: give this one a name of its own "
		       "by a NAME.json, or another state folder";
	return strerror(-rc);
}

#endif
