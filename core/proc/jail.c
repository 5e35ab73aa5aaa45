/* SPDX-License-Identifier: BSD-3-Clause */
#include "proc/jail.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/filter.h"

static int
say(int rc, char *why, size_t room, const char *what)
{
	if (rc < 0)
		snprintf(why, room, "%s: %s", what, strerror(-rc));
	return rc;
}

/* Both limits, so that nobody raises it again. */
static int
limit(__rlimit_resource_t which, size_t most)
{
	struct rlimit now;

	if (getrlimit(which, &now) == -1)
		return -errno;
	if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
		most = now.rlim_max;
	now = (struct rlimit){ most, most };
	return setrlimit(which, &now) == -1 ? -errno : 0;
}

static int
set_limits(const struct ptah_jail_how *how)
{
	int rc = limit(RLIMIT_CORE, 0);

	if (rc == 0 && how->memory > 0)
		rc = limit(RLIMIT_DATA, how->memory);
	if (rc == 0 && how->file > 0)
		rc = limit(RLIMIT_FSIZE, how->file);
	if (rc == 0 && how->descriptors > 0)
		rc = limit(RLIMIT_NOFILE, how->descriptors);
	return rc;
}

/* Root without these is a user like others, who owns root's files. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	static const struct __user_cap_data_struct none[2];
	struct __user_cap_data_struct now[2];

	/* Who has none need not ask, and where a service manager filters calls may not. */
	if (syscall(SYS_capget, &head, now) == 0 && memcmp(now, none, sizeof(now)) == 0)
		return 0;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
	return syscall(SYS_capset, &head, none) == -1 ? -errno : 0;
}

static int
set_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == -1 ? -errno : 0;
}

static int
enter_landlock(const struct ptah_jail_how *how, bool cell)
{
	const struct ptah_landlock_how landlock = {
		.paths = how->paths, .n_paths = how->n_paths, .no_tcp = cell, .no_abstract = !how->abstract,
	};

	return ptah_landlock_enter(&landlock);
}

int
ptah_jail_enter_cell(const struct ptah_jail_how *how, char *why, size_t room)
{
	int rc;

	/* A jail with a wall missing would be worse than none: somebody counts on it. */
	if (ptah_landlock_level() == 0)
		return say(-EOPNOTSUPP, why, room, "this kernel has no Landlock (Linux 5.13, with \"landlock\" among its lsm=)");
	if (!ptah_filter_is_there())
		return say(-ENOSYS, why, room, "this kernel has no filters of system calls (seccomp)");
	if ((rc = say(set_limits(how), why, room, "setting limits")) < 0 ||
	    (rc = say(drop_capabilities(), why, room, "giving capabilities away")) < 0 ||
	    (rc = say(set_no_new_privs(), why, room, "no new privileges")) < 0)
		return rc;
	/* Neither a debugger of the same user nor a core file sees what is in here. */
	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == -1)
		return say(-errno, why, room, "being undumpable");
	rc = say(enter_landlock(how, true), why, room, "Landlock");
	if (rc == 0)
		rc = say(ptah_filter_install(PTAH_FILTER_CELL), why, room, "the filter of system calls");
	return rc;
}

int
ptah_jail_close_cell(void)
{
	/* A second filter needs a call that the first one does not allow. */
	return ptah_filter_install(PTAH_FILTER_THREADS);
}

int
ptah_jail_enter_host(const struct ptah_jail_how *how, struct ptah_jail_got *got, char *why, size_t room)
{
	int rc = say(set_no_new_privs(), why, room, "no new privileges");

	*got = (struct ptah_jail_got){ .landlock = ptah_landlock_level(), .filter = ptah_filter_is_there() };
	if (rc == 0)
		rc = say(set_limits(how), why, room, "setting limits");
	if (rc == 0 && got->landlock > 0)
		rc = say(enter_landlock(how, false), why, room, "Landlock");
	if (rc == 0 && got->filter && !how->programs)
		rc = say(ptah_filter_install(PTAH_FILTER_PROGRAMS), why, room, "the filter of system calls");
	if (rc == 0 && got->filter)
		rc = say(ptah_filter_install(PTAH_FILTER_HOST), why, room, "the filter of system calls");
	return rc;
}
