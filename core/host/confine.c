/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/confine.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define MIB ((size_t)1024 * 1024)
/* No state file of a module is longer, by far. */
#define CELL_FILE (64 * MIB)

/* What every program reads: libraries, and the list of them. */
static const char *const libraries[] = {
	"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
};

/* What OpenSSL looks at, and no more of /etc/ssl: keys lie there, too. */
static const char *const for_openssl[] = {
	"/etc/ssl/openssl.cnf", "/etc/ssl/certs", "/etc/pki/tls/openssl.cnf", "/etc/pki/tls/certs",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
};

/* Names and time of the machine, and its figures; the files behind names in /etc lie in /run at times. */
static const char *const for_host[] = {
	"/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/usr/share/zoneinfo",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/proc", "/sys/devices/system/cpu",
	"/dev/urandom", "/dev/random",
};

struct list {
	struct ptah_jail_path *at;
	size_t n, room;
	char *texts; /* of paths that stood in one with colons */
	int rc;
};

static void
add(struct list *list, const char *path, unsigned may)
{
	if (!path || list->rc != 0)
		return;
	if (list->n == list->room) {
		size_t room = list->room + 32;
		struct ptah_jail_path *at = reallocarray(list->at, room, sizeof(*at));

		if (!at) {
			list->rc = -ENOMEM;
			return;
		}
		list->at = at;
		list->room = room;
	}
	list->at[list->n++] = (struct ptah_jail_path){ path, may };
}

static void
add_all(struct list *list, const char *const *paths, size_t n, unsigned may)
{
	for (size_t i = 0; i < n; i++)
		add(list, paths[i], may);
}

#define ADD_ALL(list, paths, may) add_all((list), (paths), sizeof(paths) / sizeof((paths)[0]), (may))

/* Folders with colons between them.  Gives: the copy that they are cut from, for free(). */
static char *
add_split(struct list *list, const char *folders)
{
	char *copy = folders ? strdup(folders) : NULL, *rest = copy, *folder;

	if (folders && !copy)
		list->rc = -ENOMEM;
	while ((folder = strsep(&rest, ":")) != NULL)
		if (folder[0] != '\0')
			add(list, folder, PTAH_JAIL_READ);
	return copy;
}

int
ptah_confine_cell(const struct ptah_plan *plan, const char *library_path, char *why, size_t room)
{
	struct list list = { 0 };
	char *copies[2];
	int rc;

	ADD_ALL(&list, libraries, PTAH_JAIL_READ);
	ADD_ALL(&list, for_openssl, PTAH_JAIL_READ);
	copies[0] = add_split(&list, library_path);
	copies[1] = add_split(&list, plan->module_path);
	add(&list, plan->module_dir, PTAH_JAIL_READ);
	add(&list, PTAH_MODULE_DIR, PTAH_JAIL_READ);
	add(&list, plan->state_dir, PTAH_JAIL_WRITE);

	const struct ptah_jail_how how = {
		.paths = list.at, .n_paths = list.n,
		.memory = plan->isolate_memory_mib * MIB, .file = CELL_FILE,
	};

	rc = list.rc == 0 ? ptah_jail_enter_cell(&how, why, room) : list.rc;
	free(list.at);
	for (size_t i = 0; i < 2; i++)
		free(copies[i]);
	return rc;
}

/* ---- the program itself ------------------------------------------------------------ */

/* The loader that the kernel starts this program by; NULL: none. */
static int
find_loader(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			*(const char **)arg = (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
	return 1; /* the first one is the program */
}

static void
say(const struct ptah_confine_host *how, const struct ptah_jail_got *got)
{
	if (got->landlock == 0)
		ptah_warn(AREA_HOST, "this kernel has no Landlock: files are protected by their modes only");
	if (!got->filter)
		ptah_warn(AREA_HOST, "this kernel has no filters of system calls");
	ptah_info(AREA_HOST, "hardened: no new privileges%s%s%s", got->landlock > 0 ? ", no files but those that are needed" : "",
	    got->filter ? ", no calls into the rest of the machine" : "",
	    how->cells ? "; it starts no program but itself" : "; it starts no program");
}

int
ptah_confine_host(const struct ptah_confine_host *how)
{
	struct list list = { 0 };
	struct ptah_jail_got got;
	const char *loader = NULL;
	char why[256] = "", *copy;
	int rc;

	if (how->programs) {
		ptah_warn(AREA_HOST, "not hardened: a service starts programs, and these may need anything");
		return 0;
	}
	ADD_ALL(&list, libraries, PTAH_JAIL_READ);
	ADD_ALL(&list, for_host, PTAH_JAIL_READ);
	add(&list, "/dev/null", PTAH_JAIL_WRITE);
	copy = add_split(&list, how->libraries);
	add(&list, PTAH_MODULE_DIR, PTAH_JAIL_READ);
	for (size_t i = 0; i < how->n_paths; i++)
		add(&list, how->paths[i].path, how->paths[i].may);
	if (how->cells) {
		dl_iterate_phdr(find_loader, &loader);
		add(&list, loader, PTAH_JAIL_EXEC);
		add(&list, "/proc/self/exe", PTAH_JAIL_EXEC);
	}

	const struct ptah_jail_how jail = {
		.paths = list.at, .n_paths = list.n, .programs = how->cells, .abstract = how->abstract,
	};

	rc = list.rc == 0 ? ptah_jail_enter_host(&jail, &got, why, sizeof(why)) : list.rc;
	if (rc == 0)
		say(how, &got);
	else
		ptah_error(AREA_HOST, "cannot harden: %s", why[0] ? why : strerror(-rc));
	free(list.at);
	free(copy);
	return rc;
}
