/* SPDX-License-Identifier: BSD-3-Clause */
#include "proc/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The kernel's words, which the headers of the oldest system that we build on
 * have in part only.  The numbers of the calls are the same on all processors.
 */
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define ASK_VERSION 1u
#define PATH_BENEATH 1

#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SOCK (UINT64_C(1) << 9)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)

/* What the first interface knows, and those after it. */
#define FS_FIRST ((UINT64_C(1) << 13) - 1)
#define FS_OF_A_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define NET_BOTH UINT64_C(3)      /* bind and connect of TCP */
#define SCOPE_ABSTRACT UINT64_C(1)
#define SCOPE_SIGNAL UINT64_C(2)

#define LEVEL_REFER 2
#define LEVEL_TRUNCATE 3
#define LEVEL_NET 4
#define LEVEL_IOCTL 5
#define LEVEL_SCOPE 6

struct ruleset {
	uint64_t fs, net, scoped;
};

struct __attribute__((packed)) beneath {
	uint64_t allowed;
	int32_t fd;
};

int
ptah_landlock_level(void)
{
	long level = syscall(CREATE_RULESET, NULL, (size_t)0, ASK_VERSION);

	return level > 0 ? (int)level : 0;
}

static uint64_t
fs_of(int level)
{
	uint64_t fs = FS_FIRST;

	if (level >= LEVEL_REFER)
		fs |= FS_REFER;
	if (level >= LEVEL_TRUNCATE)
		fs |= FS_TRUNCATE;
	if (level >= LEVEL_IOCTL)
		fs |= FS_IOCTL_DEV;
	return fs;
}

static uint64_t
allowed_of(unsigned may)
{
	uint64_t fs = 0;

	if ((may & (PTAH_JAIL_READ | PTAH_JAIL_WRITE)) != 0)
		fs |= FS_READ_FILE | FS_READ_DIR;
	if ((may & PTAH_JAIL_WRITE) != 0)
		fs |= FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_MAKE_DIR | FS_REMOVE_FILE | FS_REMOVE_DIR;
	if ((may & PTAH_JAIL_SOCKETS) != 0)
		fs |= FS_MAKE_SOCK | FS_REMOVE_FILE;
	if ((may & PTAH_JAIL_EXEC) != 0)
		fs |= FS_EXECUTE | FS_READ_FILE;
	return fs;
}

static int
add(int rules, uint64_t handled, const struct ptah_jail_path *path)
{
	struct beneath beneath = { .allowed = allowed_of(path->may) & handled };
	struct stat st;
	int rc = 0, fd = open(path->path, O_PATH | O_CLOEXEC);

	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	beneath.fd = fd;
	if (fstat(fd, &st) == -1)
		rc = -errno;
	else if (!S_ISDIR(st.st_mode))
		beneath.allowed &= FS_OF_A_FILE;
	if (rc == 0 && beneath.allowed != 0 && syscall(ADD_RULE, rules, PATH_BENEATH, &beneath, 0u) == -1)
		rc = -errno;
	close(fd);
	return rc;
}

int
ptah_landlock_enter(const struct ptah_landlock_how *how)
{
	int level = ptah_landlock_level();
	struct ruleset set = { .fs = fs_of(level) };
	size_t known = level >= LEVEL_SCOPE ? sizeof(set) : level >= LEVEL_NET ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	int rules, rc = 0;

	if (level == 0)
		return -EOPNOTSUPP;
	if (level >= LEVEL_NET && how->no_tcp)
		set.net = NET_BOTH;
	if (level >= LEVEL_SCOPE)
		set.scoped = SCOPE_SIGNAL | (how->no_abstract ? SCOPE_ABSTRACT : 0);
	rules = (int)syscall(CREATE_RULESET, &set, known, 0u);
	if (rules == -1)
		return -errno;
	for (size_t i = 0; i < how->n_paths && rc == 0; i++)
		rc = add(rules, set.fs, &how->paths[i]);
	if (rc == 0 && syscall(RESTRICT_SELF, rules, 0u) == -1)
		rc = -errno;
	close(rules);
	return rc;
}
