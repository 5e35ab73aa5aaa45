/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/shelf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "transport/child.h"

/* Calls to the main thread are answered late at times, when there is no shelf any more. */
struct ptah_shelf_call {
	struct ptah_shelf *shelf; /* the main thread's */
	atomic_uint refs;
};

static void
drop_call(struct ptah_shelf_call *call)
{
	if (call != NULL && atomic_fetch_sub(&call->refs, 1) == 1)
		free(call);
}

void
ptah_shelf_init(struct ptah_shelf *shelf)
{
	memset(shelf, 0, sizeof(*shelf));
	shelf->call = calloc(1, sizeof(*shelf->call));
	if (shelf->call != NULL) {
		shelf->call->shelf = shelf;
		atomic_init(&shelf->call->refs, 1);
	}
	pthread_mutex_init(&shelf->lock, NULL);
}

void
ptah_shelf_clear(struct ptah_shelf *shelf)
{
	while (shelf->loaded != NULL) {
		struct ptah_loaded *loaded = shelf->loaded;

		shelf->loaded = loaded->next;
		ptah_loaded_free(loaded);
	}
	if (shelf->call != NULL)
		shelf->call->shelf = NULL;
	drop_call(shelf->call);
	pthread_mutex_destroy(&shelf->lock);
}

/* ---- what nobody uses any more ------------------------------------------------ */

static void
unload(struct ptah_shelf *shelf, struct ptah_loaded *gone)
{
	struct ptah_loaded **at = &shelf->loaded;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	ptah_info(AREA_MODULE, "%s: old code is unloaded", gone->module.name);
	ptah_loaded_free(gone);
}

static void
sweep(struct ptah_shelf *shelf)
{
	struct ptah_loaded *unused;

	pthread_mutex_lock(&shelf->lock);
	unused = shelf->unused;
	shelf->unused = NULL;
	pthread_mutex_unlock(&shelf->lock);
	while (unused != NULL) {
		struct ptah_loaded *next = unused->next_unused;

		unload(shelf, unused);
		unused = next;
	}
}

static void
on_call(void *arg)
{
	struct ptah_shelf_call *call = arg;

	if (call->shelf != NULL)
		sweep(call->shelf);
	drop_call(call);
}

struct ptah_loaded *
ptah_shelf_ref(struct ptah_loaded *loaded)
{
	atomic_fetch_add_explicit(&loaded->refs, 1, memory_order_relaxed);
	return loaded;
}

/* Unless it is being given up just now. */
static bool
ref_living(struct ptah_loaded *loaded)
{
	unsigned refs = atomic_load(&loaded->refs);

	while (refs > 0)
		if (atomic_compare_exchange_weak(&loaded->refs, &refs, refs + 1))
			return true;
	return false;
}

/* True: it was the last one. */
static bool
put_away(struct ptah_loaded *loaded)
{
	struct ptah_shelf *shelf = loaded->shelf;

	if (atomic_fetch_sub_explicit(&loaded->refs, 1, memory_order_acq_rel) != 1)
		return false;
	pthread_mutex_lock(&shelf->lock);
	loaded->next_unused = shelf->unused;
	shelf->unused = loaded;
	pthread_mutex_unlock(&shelf->lock);
	return true;
}

void
ptah_shelf_unref(struct ptah_loaded *loaded)
{
	struct ptah_shelf *shelf = loaded->shelf;

	/* The loader's tables are the main thread's.  If it cannot be told, its next look finds it. */
	if (!put_away(loaded) || shelf->hands == NULL || shelf->call == NULL)
		return;
	atomic_fetch_add(&shelf->call->refs, 1);
	if (shelf->hands->on_main(shelf->hands->arg, on_call, shelf->call) < 0)
		drop_call(shelf->call);
}

/* ---- what is current ------------------------------------------------------------- */

static bool
is_file(const struct ptah_loaded *loaded, const char *real, const char *name)
{
	return strcmp(loaded->path, real) == 0 && strcmp(loaded->module.name, name) == 0;
}

static struct ptah_loaded *
find_current(const struct ptah_shelf *shelf, const char *real, const char *name)
{
	for (struct ptah_loaded *loaded = shelf->loaded; loaded != NULL; loaded = loaded->next)
		if (loaded->current && is_file(loaded, real, name))
			return loaded;
	return NULL;
}

/* A file that is again what it was is the code that it was. */
static struct ptah_loaded *
revive(struct ptah_shelf *shelf, const struct ptah_code *code, const char *real, const char *name)
{
	for (struct ptah_loaded *loaded = shelf->loaded; loaded != NULL; loaded = loaded->next) {
		if (loaded->current || !is_file(loaded, real, name) ||
		    memcmp(loaded->hash, code->hash, sizeof(code->hash)) != 0)
			continue;
		if (!loaded->pinned && !ref_living(loaded))
			continue;
		loaded->stamp = code->stamp;
		loaded->current = true;
		return loaded;
	}
	return NULL;
}

static bool
runs_old_code(const struct ptah_shelf *shelf, const char *real, const char *name)
{
	for (struct ptah_loaded *loaded = shelf->loaded; loaded != NULL; loaded = loaded->next)
		if (is_file(loaded, real, name))
			return true;
	return false;
}

static int
load(struct ptah_shelf *shelf, const struct ptah_code *code, const char *real, const char *name,
    struct ptah_loaded **out, char *about, char *why, size_t why_room)
{
	int rc = ptah_loaded_open_code(code, real, name, shelf->hot, out, about, why, why_room);

	if (rc < 0)
		return rc;
	if (runs_old_code(shelf, real, name))
		ptah_notice(AREA_MODULE, "%s: new code is loaded", name);
	(*out)->shelf = shelf;
	(*out)->serial = ++shelf->serial;
	(*out)->current = true;
	(*out)->pinned = !shelf->hot || ((*out)->module.abilities & PTAH_UNMAPS) == 0;
	(*out)->next = shelf->loaded;
	shelf->loaded = *out;
	return 0;
}

int
ptah_shelf_get(struct ptah_shelf *shelf, const char *real, const char *name, struct ptah_loaded **out,
    char *about, char *why, size_t why_room)
{
	struct ptah_code code;
	int rc;

	*out = find_current(shelf, real, name);
	if (*out != NULL)
		return 0;
	rc = ptah_file_is_trusted(real, about, why, why_room);
	if (rc == 0)
		rc = ptah_code_read(&code, real, why, why_room);
	if (rc < 0)
		return rc;
	*out = revive(shelf, &code, real, name);
	if (*out == NULL)
		rc = load(shelf, &code, real, name, out, about, why, why_room);
	ptah_code_clear(&code);
	return rc;
}

static void
retire(struct ptah_loaded *loaded)
{
	loaded->current = false;
	if (!loaded->pinned)
		(void)put_away(loaded);
}

/* Its file has changed, or may have: is what it says the same all the same? */
static bool
says_the_same(struct ptah_loaded *loaded)
{
	char why[PTAH_WHY_TEXT];
	struct ptah_code code;
	bool same;

	if (ptah_file_is_trusted(loaded->path, NULL, why, sizeof(why)) < 0 ||
	    ptah_code_read(&code, loaded->path, why, sizeof(why)) < 0)
		return false;
	same = memcmp(loaded->hash, code.hash, sizeof(code.hash)) == 0;
	if (same)
		loaded->stamp = code.stamp;
	ptah_code_clear(&code);
	return same;
}

void
ptah_shelf_look(struct ptah_shelf *shelf)
{
	struct ptah_stamp now;

	if (!shelf->hot)
		return;
	for (struct ptah_loaded *loaded = shelf->loaded; loaded != NULL; loaded = loaded->next) {
		if (!loaded->current)
			continue;
		if (ptah_stamp_take(&now, loaded->path) == 0 && ptah_stamp_equal(&loaded->stamp, &now, false))
			continue;
		if (!says_the_same(loaded))
			retire(loaded);
	}
	sweep(shelf);
}

size_t
ptah_shelf_count_old(const struct ptah_shelf *shelf)
{
	size_t n = 0;

	for (const struct ptah_loaded *loaded = shelf->loaded; loaded != NULL; loaded = loaded->next)
		n += !loaded->current;
	return n;
}
