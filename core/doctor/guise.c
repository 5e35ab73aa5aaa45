/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/guise.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

int
ptah_guise_find(struct ptah_guise *guise, const char *user)
{
	const struct passwd *entry = getpwnam(user);

	*guise = (struct ptah_guise){ 0 };
	if (!entry)
		return -ENOENT;
	snprintf(guise->name, sizeof(guise->name), "%s", user);
	guise->uid = entry->pw_uid;
	guise->gid = entry->pw_gid;
	if (guise->uid == geteuid())
		return 0;
	if (geteuid() != 0) {
		guise->uid = geteuid();
		return -EPERM;
	}
	guise->n_groups = PTAH_GUISE_GROUPS;
	if (getgrouplist(user, guise->gid, guise->groups, &guise->n_groups) == -1)
		guise->n_groups = PTAH_GUISE_GROUPS; /* as many as there is room for */
	guise->own_gid = getegid();
	guise->n_own_groups = getgroups(PTAH_GUISE_GROUPS, guise->own_groups);
	guise->can = guise->n_own_groups >= 0;
	return guise->can ? 0 : -EPERM;
}

/* Who could put it on and not take it off would go on with less than it believes, so that is the end. */

void
ptah_guise_wear(const struct ptah_guise *guise)
{
	if (guise->can)
		ptah_assert(setgroups((size_t)guise->n_groups, guise->groups) == 0 && setegid(guise->gid) == 0 &&
		    seteuid(guise->uid) == 0);
}

void
ptah_guise_drop(const struct ptah_guise *guise)
{
	if (guise->can)
		ptah_assert(seteuid(0) == 0 && setegid(guise->own_gid) == 0 &&
		    setgroups((size_t)guise->n_own_groups, guise->own_groups) == 0);
}

const char *
ptah_guise_name(const struct ptah_guise *guise)
{
	static char own[64];
	const struct passwd *entry;

	if (guise->name[0])
		return guise->name;
	entry = getpwuid(geteuid());
	if (entry)
		snprintf(own, sizeof(own), "%s", entry->pw_name);
	else
		snprintf(own, sizeof(own), "user %u", (unsigned)geteuid());
	return own;
}

uid_t
ptah_guise_uid(const struct ptah_guise *guise)
{
	return guise->can ? guise->uid : geteuid();
}
