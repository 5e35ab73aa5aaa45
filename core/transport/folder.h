/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/folder.h: the names that a folder of modules claims.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_FOLDER_H
#define PTAH_TRANSPORT_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/** What a folder holds for one name: bits. */
#define PTAH_FOLDER_SO 1u
#define PTAH_FOLDER_JSON 2u

/** Does 'folder' have NAME.so, NAME.json?  Bits; 0 too when the folder is not there. */
unsigned ptah_folder_has(const char *folder, const char *name);

/** Gives: "folder/name.ending" for free(), or NULL (ENOMEM). */
char *ptah_folder_path(const char *folder, const char *name, const char *ending);

/**
 * All NAME of NAME.so and NAME.json, sorted, each once; also what is not a transport's name.
 * Gives: NULL-ended array of texts for ptah_folder_names_free().
 * Fails: NULL and errno; a missing folder is an empty list.
 */
char **ptah_folder_names(const char *folder);
void ptah_folder_names_free(char **names);

/**
 * Is the file, and the way to it through 'folder', in the hands of root and us only?  Gives its real path.
 * Fails: -errno and 'why'; -EPERM as ptah_file_is_trusted() has it.
 */
int ptah_folder_real(const char *folder, const char *path, char **real, char *at, char *why, size_t why_room);

/**
 * Read NAME.json: {"module": "exec", ...options} or {"stack": ["obfs4", "webtunnel"], ...}.
 * Gives: *module, the top's name (free()), and *options, an object with "over" for what is below (ptah_json_free()).
 * Fails: -errno and 'why'; -EPERM likewise.
 */
int ptah_folder_definition(const char *real, char **module, struct ptah_json **options, char *at, char *why,
    size_t why_room);

#endif
