/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "transport/folder.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/replay.h"
#include "transport/shelf.h"
#include "transport/state.h"

#ifndef PTAH_MODULE_DIR
#define PTAH_MODULE_DIR "/usr/local/lib/ptah/modules"
#endif

/** A definition may name another one, this deep. */
#define DEFINITIONS_DEEP 8

struct ptah_registry {
	char **folders; /* absolute, NULL at the end */
	size_t n_folders;
	struct ptah_shelf shelf;
	struct ptah_loaded *linked;
	pthread_mutex_t lock; /* of the two below */
	struct ptah_replay *replay;
	struct ptah_writer *writer;
	struct ptah_states *states;
	bool guarded; /* its state */
	atomic_uint turn;
};

static int
add_folder(struct ptah_registry *registry, const char *path, size_t len)
{
	char *text = strndup(path, len);
	char *whole = text != NULL ? ptah_file_absolute(text) : NULL;
	char **more = reallocarray(registry->folders, registry->n_folders + 2, sizeof(*more));

	free(text);
	if (more != NULL)
		registry->folders = more;
	if (whole == NULL || more == NULL) {
		free(whole);
		return -ENOMEM;
	}
	more[registry->n_folders++] = whole;
	more[registry->n_folders] = NULL;
	return 0;
}

struct ptah_registry *
ptah_registry_new(const char *path, const char *dir)
{
	struct ptah_registry *registry = calloc(1, sizeof(*registry));
	const char *cursor = path, *item;
	size_t len;
	int rc = 0;

	if (registry == NULL)
		return NULL;
	pthread_mutex_init(&registry->lock, NULL);
	ptah_shelf_init(&registry->shelf);
	registry->states = ptah_states_new();
	if (registry->states == NULL)
		rc = -ENOMEM;
	while (rc == 0 && cursor != NULL && ptah_text_next(&cursor, ':', &item, &len))
		if (len > 0)
			rc = add_folder(registry, item, len);
	if (rc == 0 && dir != NULL && dir[0] != '\0')
		rc = add_folder(registry, dir, strlen(dir));
	if (rc == 0)
		rc = add_folder(registry, PTAH_MODULE_DIR, strlen(PTAH_MODULE_DIR));
	if (rc < 0) {
		ptah_registry_free(registry);
		errno = -rc;
		return NULL;
	}
	return registry;
}

void
ptah_registry_flush(struct ptah_registry *registry)
{
	ptah_writer_free(registry->writer);
	registry->writer = NULL;
}

void
ptah_registry_free(struct ptah_registry *registry)
{
	if (registry == NULL)
		return;
	ptah_registry_flush(registry);
	ptah_replay_free(registry->replay);
	ptah_states_free(registry->states);
	ptah_shelf_clear(&registry->shelf);
	while (registry->linked != NULL) {
		struct ptah_loaded *linked = registry->linked;

		registry->linked = linked->next;
		ptah_loaded_free(linked);
	}
	for (size_t i = 0; i < registry->n_folders; i++)
		free(registry->folders[i]);
	free(registry->folders);
	pthread_mutex_destroy(&registry->lock);
	free(registry);
}

int
ptah_registry_link(struct ptah_registry *registry, const struct ptah_module *module, char *why, size_t why_room)
{
	struct ptah_loaded *loaded;
	int rc = ptah_loaded_link(module, &loaded, why, why_room);

	if (rc < 0)
		return rc;
	loaded->shelf = &registry->shelf;
	loaded->next = registry->linked;
	registry->linked = loaded;
	return 0;
}

void
ptah_registry_make_hot(struct ptah_registry *registry)
{
	registry->shelf.hot = true;
}

void
ptah_registry_refresh(struct ptah_registry *registry)
{
	ptah_shelf_look(&registry->shelf);
}

size_t
ptah_registry_count_old(const struct ptah_registry *registry)
{
	return ptah_shelf_count_old(&registry->shelf);
}

const char *const *
ptah_registry_folders(const struct ptah_registry *registry)
{
	return (const char *const *)registry->folders;
}

struct ptah_replay *
ptah_registry_replay(struct ptah_registry *registry)
{
	pthread_mutex_lock(&registry->lock);
	if (registry->replay == NULL)
		registry->replay = ptah_replay_new(PTAH_REPLAY_MAX);
	struct ptah_replay *replay = registry->replay;
	pthread_mutex_unlock(&registry->lock);
	return replay;
}

struct ptah_writer *
ptah_registry_writer(struct ptah_registry *registry)
{
	pthread_mutex_lock(&registry->lock);
	if (registry->writer == NULL)
		registry->writer = ptah_writer_new();
	struct ptah_writer *writer = registry->writer;
	pthread_mutex_unlock(&registry->lock);
	return writer;
}

void
ptah_registry_guard_state(struct ptah_registry *registry)
{
	registry->guarded = true;
}

bool
ptah_registry_guards_state(const struct ptah_registry *registry)
{
	return registry->guarded;
}

struct ptah_states *
ptah_registry_states(struct ptah_registry *registry)
{
	return registry->states;
}

void
ptah_registry_set_hands(struct ptah_registry *registry, const struct ptah_hands *hands)
{
	registry->shelf.hands = hands;
}

const struct ptah_hands *
ptah_registry_hands(const struct ptah_registry *registry)
{
	return registry->shelf.hands;
}

unsigned
ptah_registry_turn(struct ptah_registry *registry)
{
	return atomic_fetch_add_explicit(&registry->turn, 1, memory_order_relaxed);
}

static struct ptah_loaded *
find_linked(const struct ptah_registry *registry, const char *name)
{
	for (struct ptah_loaded *loaded = registry->linked; loaded != NULL; loaded = loaded->next)
		if (strcmp(loaded->module.name, name) == 0)
			return loaded;
	return NULL;
}

/* NAME.so of one folder, from memory or from disk. */
static int
load_from(struct ptah_registry *registry, const char *folder, const char *name, struct ptah_loaded **out,
    char *about, char *why, size_t why_room)
{
	char *path = ptah_folder_path(folder, name, "so"), *real = NULL;
	int rc = path != NULL ? ptah_folder_real(folder, path, &real, about, why, why_room) : -ENOMEM;

	free(path);
	*out = NULL;
	if (rc == 0)
		rc = ptah_shelf_get(&registry->shelf, real, name, out, about, why, why_room);
	free(real);
	return rc;
}

static bool
has_alias(const struct ptah_module *module, const char *name)
{
	for (size_t i = 0; module->aliases != NULL && module->aliases[i] != NULL; i++)
		if (strcmp(module->aliases[i], name) == 0)
			return true;
	return false;
}

/* Which folder, of the first 'n', has a file for this name?  'n' if none. */
static size_t
folder_of(const struct ptah_registry *registry, const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ptah_folder_has(registry->folders[i], name) != 0)
			return i;
	return n;
}

/* Has a module of this one folder the alias?  Nobody's: *out stays NULL. */
static int
find_alias_in(struct ptah_registry *registry, size_t at, const char *alias, struct ptah_loaded **out,
    char *why, size_t why_room)
{
	char **names = ptah_folder_names(registry->folders[at]);
	int rc = names != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && names[i] != NULL; i++) {
		struct ptah_loaded *loaded;
		char ignored[PTAH_WHY_TEXT];

		if (!ptah_text_is_ptname(names[i], strlen(names[i])) ||
		    ptah_folder_has(registry->folders[at], names[i]) != PTAH_FOLDER_SO ||
		    folder_of(registry, names[i], at) < at || find_linked(registry, names[i]) != NULL)
			continue;
		if (load_from(registry, registry->folders[at], names[i], &loaded, NULL, ignored, sizeof(ignored)) < 0 ||
		    !has_alias(&loaded->module, alias))
			continue;
		if (*out != NULL) {
			snprintf(why, why_room, "%s.so and %s.so in %s both claim this name: ask for one of them, or remove one",
			    (*out)->module.name, loaded->module.name, registry->folders[at]);
			rc = -EEXIST;
		} else {
			*out = loaded;
		}
	}
	ptah_folder_names_free(names);
	return rc;
}

static int
find_alias(struct ptah_registry *registry, const char *alias, struct ptah_loaded **out, char *why, size_t why_room)
{
	*out = NULL;
	for (struct ptah_loaded *loaded = registry->linked; loaded != NULL; loaded = loaded->next)
		if (has_alias(&loaded->module, alias))
			*out = loaded;
	for (size_t i = 0; *out == NULL && i < registry->n_folders; i++) {
		int rc = find_alias_in(registry, i, alias, out, why, why_room);

		if (rc < 0)
			return rc;
	}
	return *out != NULL ? 0 : -ENOENT;
}

static int find_deep(struct ptah_registry *registry, const char *name, const char *defining, unsigned depth,
    struct ptah_found *found, char *why, size_t why_room);

/* NAME.json of one folder: what it names, with its options laid over that one's. */
static int
follow_definition(struct ptah_registry *registry, const char *folder, const char *name, unsigned depth,
    struct ptah_found *found, char *why, size_t why_room)
{
	char *path = ptah_folder_path(folder, name, "json"), *real = NULL, *module = NULL;
	struct ptah_json *options = NULL;
	char reason[PTAH_WHY_TEXT] = "out of memory";
	int rc = path != NULL ? ptah_folder_real(folder, path, &real, found->about, reason, sizeof(reason)) : -ENOMEM;

	if (rc == 0)
		rc = ptah_folder_definition(real, &module, &options, found->about, reason, sizeof(reason));
	if (rc == 0 && depth == DEFINITIONS_DEEP) {
		snprintf(reason, sizeof(reason), "definitions that name definitions go too deep, or in a circle");
		rc = -ELOOP;
	}
	if (rc == 0) {
		rc = find_deep(registry, module, name, depth + 1, found, reason, sizeof(reason));
		if (rc == -ENOENT) {
			snprintf(reason, sizeof(reason), "there is no transport \"%s\"", module);
			rc = -EINVAL;
		}
	}
	if (rc == 0) {
		struct ptah_json *both = ptah_merge_definition(found->options, options);

		ptah_json_free(found->options);
		found->options = both;
		rc = both != NULL ? 0 : -ENOMEM;
	}
	if (rc < 0)
		snprintf(why, why_room, "%s/%s.json: %s", folder, name, rc == -ENOMEM ? "out of memory" : reason);
	ptah_json_free(options);
	free(module);
	free(real);
	free(path);
	return rc;
}

/* 'defining': inside a definition its own name means a module, never itself. */
static int
find_deep(struct ptah_registry *registry, const char *name, const char *defining, unsigned depth,
    struct ptah_found *found, char *why, size_t why_room)
{
	bool only_so = defining != NULL && strcmp(name, defining) == 0;

	found->loaded = find_linked(registry, name);
	if (found->loaded != NULL)
		return 0;
	for (size_t i = 0; i < registry->n_folders; i++) {
		const char *folder = registry->folders[i];
		unsigned has = ptah_folder_has(folder, name);

		if (has == (PTAH_FOLDER_SO | PTAH_FOLDER_JSON)) {
			snprintf(why, why_room, "%s.so and %s.json in %s both claim this name: remove one", name, name, folder);
			return -EEXIST;
		}
		if (has == PTAH_FOLDER_SO)
			return load_from(registry, folder, name, &found->loaded, found->about, why, why_room);
		if (has == PTAH_FOLDER_JSON && !only_so)
			return follow_definition(registry, folder, name, depth, found, why, why_room);
	}
	return find_alias(registry, name, &found->loaded, why, why_room);
}

int
ptah_registry_find(struct ptah_registry *registry, const char *name, struct ptah_found *found,
    char *why, size_t why_room)
{
	int rc;

	memset(found, 0, sizeof(*found));
	snprintf(why, why_room, "no such transport");
	if (!ptah_text_is_ptname(name, strlen(name)))
		return -ENOENT;
	rc = find_deep(registry, name, NULL, 0, found, why, why_room);
	if (rc < 0) {
		ptah_json_free(found->options);
		found->options = NULL;
		found->loaded = NULL;
	}
	return rc;
}
