/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "config/source.h"
#include "host/confine.h"

/* At its end it looks for leaks by tracing itself, which is what it gives up here. */
#if defined(__SANITIZE_ADDRESS__)
#define TRACES_ITSELF true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRACES_ITSELF true
#endif
#endif
#ifndef TRACES_ITSELF
#define TRACES_ITSELF false
#endif

struct list {
	struct ptah_jail_path *at;
	size_t n;
	int rc;
};

/* Takes: path. */
static void
add(struct list *list, char *path, unsigned may)
{
	struct ptah_jail_path *at = path ? reallocarray(list->at, list->n + 1, sizeof(*at)) : NULL;

	if (!at) {
		free(path);
		list->rc = -ENOMEM;
		return;
	}
	list->at = at;
	list->at[list->n++] = (struct ptah_jail_path){ path, may };
}

static void
add_folder(struct list *list, const char *path, unsigned may)
{
	if (path)
		add(list, strdup(path), may);
}

/* The folder that a file lies in. */
static void
add_folder_of(struct list *list, const char *path, unsigned may)
{
	char *copy = path ? strdup(path) : NULL, *slash = copy ? strrchr(copy, '/') : NULL;

	if (!path)
		return;
	if (slash)
		slash[slash == copy ? 1 : 0] = '\0';
	add(list, copy, may);
}

/* By its name, and by where that leads: the one may be replaced, and the other. */
static void
add_conf(struct list *list, const char *path)
{
	char *absolute = ptah_file_absolute(path), *real = realpath(path, NULL);

	add_folder_of(list, absolute, PTAH_JAIL_READ);
	add_folder_of(list, real, PTAH_JAIL_READ);
	free(absolute);
	free(real);
}

static void
add_split(struct list *list, const char *folders)
{
	char *copy = folders ? strdup(folders) : NULL, *rest = copy, *folder;

	while ((folder = strsep(&rest, ":")) != NULL)
		if (folder[0] != '\0')
			add_folder(list, folder, PTAH_JAIL_READ);
	free(copy);
}

/* A rule stands on a folder that is there. */
static void
add_state(struct list *list, const char *folder)
{
	if (folder && ptah_file_mkdirs(folder) == 0)
		add_folder(list, folder, PTAH_JAIL_WRITE);
}

/* A file of the top folder is given alone. */
static void
add_named(struct list *list, const char *path)
{
	struct stat st;
	bool at_top = strrchr(path, '/') == path;

	if (!at_top)
		add_folder_of(list, path, PTAH_JAIL_READ);
	else if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		add_folder(list, path, PTAH_JAIL_READ);
}

/* Those of services: by their names, and by where these lead. */
static void
add_files(struct list *list, const struct ptah_json *files)
{
	for (size_t i = 0; files && i < files->n; i++) {
		char *real = realpath(files->items[i]->text, NULL);

		add_named(list, files->items[i]->text);
		if (real)
			add_named(list, real);
		free(real);
	}
}

static void
add_services(struct list *list, const struct ptah_runfile *file)
{
	for (size_t i = 0; i < file->n_plans; i++) {
		const struct ptah_plan *plan = file->plans[i];

		add_folder_of(list, plan->cookie_path, PTAH_JAIL_READ);
		add_folder_of(list, plan->options_file, PTAH_JAIL_READ);
		add_files(list, plan->files);
	}
}

static bool
has_cells(const struct ptah_runfile *file)
{
	for (size_t i = 0; i < file->n_plans; i++)
		if (file->plans[i]->isolate)
			return true;
	return false;
}

static bool
is_abstract(const char *notify)
{
	return notify && notify[0] == '@';
}

int
ptah_harden(struct ptah_hardened *hardened, const struct ptah_runfile *file, const char *path, char *const envp[],
    bool spawns)
{
	struct list list = { 0 };

	if (!file->harden)
		return 0;
	if (TRACES_ITSELF) {
		ptah_notice(AREA_HOST, "not hardened: this build looks for leaks at its end");
		return 0;
	}
	add_conf(&list, path);
	add_split(&list, file->module_path);
	add_folder(&list, file->module_dir, PTAH_JAIL_READ);
	add_state(&list, file->state_dir);
	add_folder_of(&list, file->log_file, PTAH_JAIL_WRITE);
	add_folder_of(&list, file->control, PTAH_JAIL_READ | PTAH_JAIL_SOCKETS);
	add_folder_of(&list, file->metrics_path, PTAH_JAIL_READ | PTAH_JAIL_SOCKETS);
	add_services(&list, file);

	const struct ptah_confine_host how = {
		.paths = list.at, .n_paths = list.n, .libraries = ptah_env_get(envp, "LD_LIBRARY_PATH"),
		.cells = has_cells(file), .programs = spawns, .abstract = is_abstract(ptah_env_get(envp, "NOTIFY_SOCKET")),
	};
	int rc = list.rc == 0 ? ptah_confine_host(&how) : list.rc;

	*hardened = (struct ptah_hardened){ .done = rc == 0 && !spawns, .programs = spawns, .cells = how.cells };
	for (size_t i = 0; i < list.n; i++)
		free((char *)list.at[i].path);
	free(list.at);
	return rc;
}

/* ---- what came later --------------------------------------------------------------- */

/* The folder of a path, or the path: can it be looked into? */
static bool
is_shut(const char *path, bool is_file)
{
	char *copy = path ? strdup(path) : NULL, *slash = copy && is_file ? strrchr(copy, '/') : NULL;
	int fd;

	if (!copy)
		return false;
	if (slash)
		slash[slash == copy ? 1 : 0] = '\0';
	fd = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd != -1)
		close(fd);
	return fd == -1 && errno == EACCES;
}

static void
judge_path(const char *label, const char *path, bool is_file)
{
	if (is_shut(path, is_file))
		ptah_warn(AREA_HOST, "%s: %s is where ptah cannot look any more since it was hardened: start it anew, or say "
		    "\"harden\": false", label, path);
}

/* A folder that nobody may list may have files that we may read. */
static void
judge_file(const char *label, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd != -1)
		close(fd);
	else if (errno == EACCES)
		judge_path(label, path, true);
}

void
ptah_harden_judge(const struct ptah_hardened *hardened, const struct ptah_runfile *file, bool spawns)
{
	if (!hardened->done)
		return;
	if (spawns)
		ptah_warn(AREA_HOST, "a service starts programs, which ptah cannot any more since it was hardened: start it "
		    "anew");
	if (has_cells(file) && !hardened->cells)
		ptah_warn(AREA_HOST, "a service is isolated, and at its start none was, so ptah cannot start processes any "
		    "more: start it anew");
	for (size_t i = 0; i < file->n_plans; i++) {
		const struct ptah_plan *plan = file->plans[i];

		judge_path(plan->label, plan->cookie_path, true);
		judge_path(plan->label, plan->options_file, true);
		for (size_t k = 0; plan->files && k < plan->files->n; k++)
			judge_file(plan->label, plan->files->items[k]->text);
	}
}
