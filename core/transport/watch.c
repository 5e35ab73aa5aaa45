/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <sodium.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stamp.h"
#include "loop/worker.h"
#include "transport/folder.h"

/* Nothing may happen for so long before it is looked at what did: a package is more than one file. */
#define QUIET_MS 1000
/* But if it never stops, not longer. */
#define NOISE_MS 10000
/* How often one looks who is told nothing. */
#define LOOK_MS 3000

/* One leads to the next; the kernel follows no more. */
#define LINKS_MOST 40

#define PRINT_LEN 32

/* Of a folder of files; of one in which such a folder may appear. */
#define FOLDER_EVENTS (IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF)
#define PARENT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MASK_ADD)

struct ptah_watch {
	struct ptah_worker *loop;
	const char *const *folders;
	ptah_watch_fn *fn;
	void *arg;
	int fd;               /* inotify, or -1 */
	bool deaf;            /* a folder is there that cannot be heard of */
	struct event *on_news;
	struct ptah_deadline look;
	uint64_t since_ns;    /* when the noise began; 0: it is quiet */
	struct ptah_json *files; /* that options name, an array; NULL: none */
	struct prints {
		uint8_t modules[PRINT_LEN], files[PRINT_LEN];
	} prints;                /* of all files, as whoever listens knows them */
};

/* ---- what there is --------------------------------------------------------------- */

/* Has it changed just now? */
static bool
add_file(crypto_generichash_state *print, const char *path)
{
	struct ptah_stamp stamp;
	const int64_t rc = ptah_stamp_take(&stamp, path);

	crypto_generichash_update(print, (const unsigned char *)path, strlen(path) + 1);
	crypto_generichash_update(print, (const unsigned char *)&rc, sizeof(rc));
	if (rc < 0)
		return false;

	const int64_t facts[] = {
		(int64_t)stamp.dev, (int64_t)stamp.ino, stamp.mode, stamp.uid, stamp.gid, stamp.size,
		stamp.modified.tv_sec, stamp.modified.tv_nsec, stamp.changed.tv_sec, stamp.changed.tv_nsec,
	};

	crypto_generichash_update(print, (const unsigned char *)facts, sizeof(facts));
	return stamp.young;
}

static void
add_name(crypto_generichash_state *print, const char *folder, const char *name)
{
	static const struct {
		unsigned bit;
		const char *ending;
	} kinds[] = { { PTAH_FOLDER_SO, "so" }, { PTAH_FOLDER_JSON, "json" } };
	unsigned has = ptah_folder_has(folder, name);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *path = (has & kinds[i].bit) != 0 ? ptah_folder_path(folder, name, kinds[i].ending) : NULL;

		if (path)
			(void)add_file(print, path);
		free(path);
	}
}

/* Without memory it looks as if something was missing; the next look finds it again. */
static void
print_modules(const struct ptah_watch *watch, uint8_t out[static PRINT_LEN])
{
	crypto_generichash_state print;

	crypto_generichash_init(&print, NULL, 0, PRINT_LEN);
	for (size_t i = 0; watch->folders[i]; i++) {
		char **names = ptah_folder_names(watch->folders[i]);

		for (size_t j = 0; names && names[j]; j++)
			add_name(&print, watch->folders[i], names[j]);
		ptah_folder_names_free(names);
	}
	crypto_generichash_final(&print, out, PRINT_LEN);
}

/* Has one of them changed just now? */
static bool
print_files(const struct ptah_watch *watch, uint8_t out[static PRINT_LEN])
{
	crypto_generichash_state print;
	bool young = false;

	crypto_generichash_init(&print, NULL, 0, PRINT_LEN);
	for (size_t i = 0; watch->files && i < watch->files->n; i++)
		young = add_file(&print, watch->files->items[i]->text) || young;
	crypto_generichash_final(&print, out, PRINT_LEN);
	return young;
}

/* ---- who tells --------------------------------------------------------------------- */

/* A folder that is not there is heard of by the nearest one above it that is. */
static bool
hear_of(const struct ptah_watch *watch, const char *folder)
{
	char *path = strdup(folder);
	uint32_t mask = FOLDER_EVENTS;
	bool heard = false;

	while (path && !heard) {
		char *slash = strrchr(path, '/');

		heard = inotify_add_watch(watch->fd, path[0] ? path : "/", mask | IN_ONLYDIR) != -1;
		if (heard || !slash || (errno != ENOENT && errno != ENOTDIR))
			break;
		*slash = '\0';
		mask = PARENT_EVENTS;
	}
	free(path);
	return heard;
}

static bool
hear_of_folder_of(const struct ptah_watch *watch, const char *path)
{
	char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
	bool heard = false;

	if (slash) {
		*slash = '\0';
		heard = hear_of(watch, folder);
	}
	free(folder);
	return heard;
}

/* A link leads to a file in a folder of its own. */
static bool
hear_of_targets(const struct ptah_watch *watch, const char *folder)
{
	static const char *const endings[] = { "so", "json" };
	char **names = ptah_folder_names(folder);
	bool heard = names != NULL;

	for (size_t i = 0; names && names[i]; i++) {
		for (size_t j = 0; j < sizeof(endings) / sizeof(endings[0]); j++) {
			char *path = ptah_folder_path(folder, names[i], endings[j]), *real = NULL;
			struct stat st;

			if (path && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
				real = realpath(path, NULL);
			if (real)
				heard = hear_of_folder_of(watch, real) && heard;
			free(real);
			free(path);
		}
	}
	ptah_folder_names_free(names);
	return heard;
}

/* Where a link leads to, as a path of its own.  Gives: for free(), or NULL. */
static char *
read_link(const char *path)
{
	char to[PATH_MAX], *out = NULL;
	const char *slash = strrchr(path, '/');
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	if (n <= 0)
		return NULL;
	to[n] = '\0';
	if (to[0] == '/' || !slash)
		return strdup(to);
	return asprintf(&out, "%.*s/%s", (int)(slash - path), path, to) == -1 ? NULL : out;
}

/* On the way to it there may be links, to where there may be more, and any of them may come to lead elsewhere. */
static bool
hear_of_file(const struct ptah_watch *watch, const char *path, unsigned links_left)
{
	char *part = strdup(path);
	bool heard = part && hear_of_folder_of(watch, path);
	size_t len = strlen(path);

	for (size_t at = 1; heard && at <= len; at++) {
		struct stat st;

		if (path[at] != '/' && path[at] != '\0')
			continue;
		part[at] = '\0';
		if (lstat(part, &st) == 0 && S_ISLNK(st.st_mode)) {
			char *to = read_link(part), *there = NULL;

			heard = to && links_left > 0 && hear_of_folder_of(watch, part) &&
			    asprintf(&there, "%s%s", to, path + at) != -1 && hear_of_file(watch, there, links_left - 1);
			free(there);
			free(to);
			break; /* the rest of the way goes on from there */
		}
		part[at] = path[at];
	}
	free(part);
	return heard;
}

static void
hear_of_all(struct ptah_watch *watch)
{
	watch->deaf = watch->fd == -1;
	for (size_t i = 0; !watch->deaf && watch->folders[i]; i++)
		watch->deaf = !hear_of(watch, watch->folders[i]) || !hear_of_targets(watch, watch->folders[i]);
	for (size_t i = 0; !watch->deaf && watch->files && i < watch->files->n; i++)
		watch->deaf = !hear_of_file(watch, watch->files->items[i]->text, LINKS_MOST);
}

/* ---- looking ------------------------------------------------------------------------- */

static void on_look(struct ptah_deadline *deadline, void *arg);

static void
look_in(struct ptah_watch *watch, unsigned ms)
{
	(void)ptah_deadline_set(watch->loop, &watch->look, ms, on_look, watch); /* both are reserved */
}

static void
on_look(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_watch *watch = arg;
	const struct prints before = watch->prints;
	unsigned what = 0;

	(void)deadline;
	watch->since_ns = 0;
	hear_of_all(watch);
	if (watch->deaf)
		look_in(watch, LOOK_MS);
	ptah_watch_note(watch);
	if (memcmp(watch->prints.modules, before.modules, PRINT_LEN) != 0)
		what |= PTAH_WATCH_MODULES;
	if (memcmp(watch->prints.files, before.files, PRINT_LEN) != 0)
		what |= PTAH_WATCH_FILES;
	/* Who takes it may have stopped the watch. */
	if (what == 0 || watch->fn(what, watch->arg) == 0)
		return;
	watch->prints = before;
	look_in(watch, QUIET_MS);
}

static void
on_news(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_watch *watch = arg;
	alignas(struct inotify_event) char news[4096];
	uint64_t now = ptah_clock_now_ns();

	(void)what;
	while (read(fd, news, sizeof(news)) > 0)
		; /* what it is, a look tells */
	if (watch->since_ns == 0)
		watch->since_ns = now;
	if (now - watch->since_ns < NOISE_MS * PTAH_NS_PER_MS)
		look_in(watch, QUIET_MS);
}

static void
look_if_deaf(struct ptah_watch *watch)
{
	if (!watch->deaf)
		return;
	ptah_info(AREA_MODULE, "the kernel does not tell of changes in all folders of modules and files: looking each %d s", LOOK_MS / 1000);
	look_in(watch, LOOK_MS);
}

/* ---- birth and death -------------------------------------------------------------------- */

static int
begin(struct ptah_watch *watch)
{
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd != -1) {
		watch->on_news = event_new(watch->loop->base, watch->fd, EV_READ | EV_PERSIST, on_news, watch);
		if (!watch->on_news || event_add(watch->on_news, NULL) == -1)
			return -ENOMEM;
	}
	if (ptah_deadline_reserve(watch->loop, QUIET_MS) != 0 || ptah_deadline_reserve(watch->loop, LOOK_MS) != 0)
		return -ENOMEM;
	hear_of_all(watch);
	ptah_watch_note(watch);
	look_if_deaf(watch);
	return 0;
}

struct ptah_watch *
ptah_watch_start(struct ptah_worker *loop, const char *const *folders, ptah_watch_fn *fn, void *arg)
{
	struct ptah_watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		errno = ENOMEM;
		return NULL;
	}
	watch->loop = loop;
	watch->folders = folders;
	watch->fn = fn;
	watch->arg = arg;
	if (begin(watch) == 0)
		return watch;
	ptah_watch_stop(watch);
	errno = ENOMEM;
	return NULL;
}

static bool
is_same_list(const struct ptah_json *a, const struct ptah_json *b)
{
	size_t n = a ? a->n : 0;

	if (n != (b ? b->n : 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(a->items[i]->text, b->items[i]->text) != 0)
			return false;
	return true;
}

int
ptah_watch_files(struct ptah_watch *watch, const struct ptah_json *paths)
{
	struct ptah_json *files;

	if (is_same_list(watch->files, paths))
		return 0;
	files = paths ? ptah_json_copy(paths) : NULL;
	if (paths && !files)
		return -ENOMEM;
	ptah_json_free(watch->files);
	watch->files = files;
	hear_of_all(watch);
	look_if_deaf(watch);
	if (print_files(watch, watch->prints.files)) {
		memset(watch->prints.files, 0, PRINT_LEN);
		look_in(watch, QUIET_MS);
	}
	return 0;
}

void
ptah_watch_note(struct ptah_watch *watch)
{
	if (!watch)
		return;
	print_modules(watch, watch->prints.modules);
	(void)print_files(watch, watch->prints.files);
}

void
ptah_watch_stop(struct ptah_watch *watch)
{
	if (!watch)
		return;
	ptah_deadline_clear(&watch->look);
	if (watch->on_news)
		event_free(watch->on_news);
	if (watch->fd != -1)
		close(watch->fd);
	ptah_json_free(watch->files);
	free(watch);
}
