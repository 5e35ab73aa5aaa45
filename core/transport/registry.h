/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/registry.h: which transports there are, and why some are not.
 *
 * A name is looked for as NAME.so and NAME.json in each folder in turn, the
 * first hit wins; only a name that no folder has is looked for among the
 * aliases of all modules.  Two that claim one name in one folder are both
 * refused: nobody could say which is meant.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_REGISTRY_H
#define PTAH_TRANSPORT_REGISTRY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/module.h>

#include "base/json.h"

struct ptah_registry;
struct ptah_loaded;
struct ptah_replay;
struct ptah_states;
struct ptah_writer;
struct ptah_hands;

/** Folders in the order in which they are searched: 'path' (colon list, or NULL), 'dir' (or NULL), the installed one. */
struct ptah_registry *ptah_registry_new(const char *path, const char *dir);
/** Wait until all state files are written; after the workers have stopped, before they are freed. */
void ptah_registry_flush(struct ptah_registry *registry);
/** Every instance must be gone. */
void ptah_registry_free(struct ptah_registry *registry);

/** Add a module that is part of this program; it hides files of its name.  -errno and 'why'. */
int ptah_registry_link(struct ptah_registry *registry, const struct ptah_module *module, char *why, size_t why_room);

/** Modules may be replaced while they are used; before the first is loaded.  See transport/shelf.h. */
void ptah_registry_make_hot(struct ptah_registry *registry);
/** Look at all files again: a name that is found from here on stands for what lies there now.  Cheap where nothing changed. */
void ptah_registry_refresh(struct ptah_registry *registry);
/** How many files' old code is still in memory. */
size_t ptah_registry_count_old(const struct ptah_registry *registry);

/** What a name stands for. */
struct ptah_found {
	struct ptah_loaded *loaded; /* the registry's */
	struct ptah_json *options;  /* what NAME.json sets, an object; or NULL */
	char about[PATH_MAX];       /* of a failure: what is at fault, as below; else "" */
};

/**
 * Find and load what 'name' stands for.
 * Gives: found->options, for ptah_json_free().
 * Fails: -ENOENT: no folder has it; -EPERM: somebody else can change the file or folder found->about; -ELIBACC: the
 * library found->about is not there; or another -errno.  'why' says each in words.
 */
int ptah_registry_find(struct ptah_registry *registry, const char *name, struct ptah_found *found,
    char *why, size_t why_room);

/** One row of `ptah modules`. */
struct ptah_registry_row {
	char *name, *path;
	const struct ptah_module *module; /* NULL: refused */
	char *problem;                    /* why it is refused or hidden (by which file); NULL: fine */
	bool definition;                  /* a NAME.json */
	bool hidden;                      /* an earlier one has the name */
};

/** Look at every file; rows sorted by name.  Gives: rows for ptah_registry_rows_free().  -ENOMEM. */
int ptah_registry_list(struct ptah_registry *registry, struct ptah_registry_row **rows, size_t *n);
void ptah_registry_rows_free(struct ptah_registry_row *rows, size_t n);

/**
 * Names for "*": all that have the role and are not named only, and those
 * that are refused (their method error says so).
 * Gives: NULL-ended array; free() the one block.
 */
char **ptah_registry_names(struct ptah_registry *registry, uint32_t role);

/** The folders, NULL at the end. */
const char *const *ptah_registry_folders(const struct ptah_registry *registry);

/** Services that all instances share, made when first asked for; NULL: memory is out.  Any thread. */
struct ptah_replay *ptah_registry_replay(struct ptah_registry *registry);
struct ptah_writer *ptah_registry_writer(struct ptah_registry *registry);
/** The states of its instances. */
struct ptah_states *ptah_registry_states(struct ptah_registry *registry);
/** The parent process guards the state of all instances: see ptah_state_guard().  Before there are any. */
void ptah_registry_guard_state(struct ptah_registry *registry);
bool ptah_registry_guards_state(const struct ptah_registry *registry);
/** What homes need to make instances of other transports (transport/child.h); lent.  NULL: they cannot. */
void ptah_registry_set_hands(struct ptah_registry *registry, const struct ptah_hands *hands);
const struct ptah_hands *ptah_registry_hands(const struct ptah_registry *registry);
/** A number that goes up by one with each call: spreads homes over workers. */
unsigned ptah_registry_turn(struct ptah_registry *registry);

#endif
