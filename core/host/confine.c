/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/confine.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#define MIB ((size_t)1024 * 1024)
/* No state file of a module is longer, by far. */
#define CELL_FILE (64 * MIB)

/* A sanitizer takes more addresses for itself than any limit would leave. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

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
	struct ptah_jail_path *at; /* the paths are its own */
	size_t n, room;
	int rc;
};

static int
make_room(struct list *list)
{
	struct ptah_jail_path *at;

	if (list->n < list->room)
		return 0;
	at = reallocarray(list->at, list->room + 32, sizeof(*at));
	if (!at)
		return -ENOMEM;
	list->at = at;
	list->room += 32;
	return 0;
}

/* 'len' bytes of a path, which may be NULL. */
static void
add_part(struct list *list, const char *path, size_t len, unsigned may)
{
	char *copy;

	if (!path || list->rc != 0)
		return;
	copy = strndup(path, len);
	list->rc = copy ? make_room(list) : -ENOMEM;
	if (list->rc == 0)
		list->at[list->n++] = (struct ptah_jail_path){ copy, may };
	else
		free(copy);
}

static void
add(struct list *list, const char *path, unsigned may)
{
	add_part(list, path, path ? strlen(path) : 0, may);
}

static void
list_clear(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free((char *)list->at[i].path);
	free(list->at);
}

/* Where the libraries of this program are, which may be a folder of its own. */
static int
add_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (info->dlpi_name[0] == '/' && slash != info->dlpi_name)
		add_part(arg, info->dlpi_name, (size_t)(slash - info->dlpi_name), PTAH_JAIL_READ);
	return 0;
}

static void
add_all(struct list *list, const char *const *paths, size_t n, unsigned may)
{
	for (size_t i = 0; i < n; i++)
		add(list, paths[i], may);
}

#define ADD_ALL(list, paths, may) add_all((list), (paths), sizeof(paths) / sizeof((paths)[0]), (may))

/* Folders with colons between them. */
static void
add_split(struct list *list, const char *folders)
{
	while (folders && folders[0] != '\0') {
		size_t len = strcspn(folders, ":");

		if (len > 0)
			add_part(list, folders, len, PTAH_JAIL_READ);
		folders += len + (folders[len] == ':');
	}
}

/* What both need to load code. */
static void
add_libraries(struct list *list, const char *library_path)
{
	ADD_ALL(list, libraries, PTAH_JAIL_READ);
	add_split(list, library_path);
	dl_iterate_phdr(add_loaded, list);
	add(list, PTAH_MODULE_DIR, PTAH_JAIL_READ);
}

/* What the file gives to this service: files alone, and as they are now. */
static void
add_files(struct list *list, const struct ptah_json *files)
{
	struct stat st;

	for (size_t i = 0; files && i < files->n; i++)
		if (files->items[i]->text && stat(files->items[i]->text, &st) == 0 && S_ISREG(st.st_mode))
			add(list, files->items[i]->text, PTAH_JAIL_READ);
}

int
ptah_confine_cell(const struct ptah_plan *plan, const char *library_path, char *why, size_t room)
{
	struct list list = { 0 };
	int rc;

	add_libraries(&list, library_path);
	ADD_ALL(&list, for_openssl, PTAH_JAIL_READ);
	add_split(&list, plan->module_path);
	add(&list, plan->module_dir, PTAH_JAIL_READ);
	add(&list, plan->state_dir, PTAH_JAIL_WRITE);
	add_files(&list, plan->files);

	const struct ptah_jail_how how = {
		.paths = list.at, .n_paths = list.n,
		.memory = IS_SANITIZED ? 0 : plan->isolate_memory_mib * MIB, .file = CELL_FILE,
	};

	rc = list.rc == 0 ? ptah_jail_enter_cell(&how, why, room) : list.rc;
	list_clear(&list);
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
	char why[256] = "";
	int rc;

	if (how->programs) {
		ptah_warn(AREA_HOST, "not hardened: a service starts programs, and these may need anything");
		return 0;
	}
	add_libraries(&list, how->libraries);
	ADD_ALL(&list, for_host, PTAH_JAIL_READ);
	add(&list, "/dev/null", PTAH_JAIL_WRITE);
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
	list_clear(&list);
	return rc;
}
