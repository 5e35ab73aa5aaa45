/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ltdl.h>

#include "base/file.h"
#include "loop/worker.h"
#include "transport/check.h"

/*
 * libltdl opens lazily and has one error for everything ("file not found").
 * So dlopen() goes first: it binds every symbol now, names the one that is
 * missing, and what libltdl then finds is already mapped.
 */
static int
map_code(const char *path, void **handle, char *why, size_t why_room)
{
	lt_dladvise advise;
	void *first = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int rc = 0;

	*handle = NULL;
	if (first == NULL) {
		const char *reason = dlerror();

		snprintf(why, why_room, "cannot load: %s", reason != NULL ? reason : "no reason given");
		return -ELIBBAD;
	}
	if (lt_dladvise_init(&advise) != 0) {
		rc = -ENOMEM;
	} else {
		if (lt_dladvise_local(&advise) == 0)
			*handle = lt_dlopenadvise(path, advise);
		lt_dladvise_destroy(&advise);
	}
	if (rc == 0 && *handle == NULL) {
		const char *reason = lt_dlerror();

		snprintf(why, why_room, "cannot load: %s", reason != NULL ? reason : "no reason given");
		rc = -ELIBBAD;
	}
	dlclose(first);
	return rc;
}

/*
 * The symbol is asked for by its whole name.  libltdl first tries it with
 * "<file's name>_LTX_" before it (no such thing), then as it is; asked for
 * the short name it would go by the file's name, which a link can change.
 */
static const struct ptah_module *
find_descriptor(void *handle, const char *name, char *why, size_t why_room)
{
	char symbol[256 + sizeof("_LTX_ptah_module")];
	const struct ptah_module *module = NULL;
	int n = snprintf(symbol, sizeof(symbol), "%s_LTX_ptah_module", name);

	if (n > 0 && (size_t)n < sizeof(symbol))
		module = lt_dlsym(handle, symbol);
	if (module == NULL)
		snprintf(why, why_room,
		    "exports no %s_LTX_ptah_module: it is no ptah module, or not the one that its file is named after", name);
	return module;
}

/* Our stride for the options of a module built with another one. */
static int
copy_options(struct ptah_loaded *loaded, const struct ptah_module *module)
{
	const char *at = (const char *)module->options;
	size_t stride = module->head.option_size;
	size_t known = stride < sizeof(struct ptah_option) ? stride : sizeof(struct ptah_option);
	size_t n = 0;

	if (at == NULL || stride == sizeof(struct ptah_option))
		return 0;
	for (;;) {
		struct ptah_option *more = reallocarray(loaded->options, n + 1, sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		loaded->options = more;
		memset(&more[n], 0, sizeof(more[n]));
		memcpy(&more[n], at + n * stride, known);
		if (more[n].name == NULL || n == PTAH_OPTIONS_LIMIT)
			break;
		n++;
	}
	loaded->options[n].name = NULL;
	loaded->module.options = loaded->options;
	return 0;
}

static int
take_descriptor(struct ptah_loaded *loaded, const struct ptah_module *module, const char *name,
    char *why, size_t why_room)
{
	size_t known;
	int rc = ptah_check_head(&module->head, why, why_room);

	if (rc < 0)
		return rc;
	known = module->head.size < sizeof(*module) ? module->head.size : sizeof(*module);
	memcpy(&loaded->module, module, known);
	rc = copy_options(loaded, module);
	if (rc < 0) {
		snprintf(why, why_room, "out of memory");
		return rc;
	}
	return ptah_check_module(&loaded->module, name, why, why_room);
}

int
ptah_loaded_open(const char *path, const char *name, struct ptah_loaded **out, char *why, size_t why_room)
{
	struct ptah_loaded *loaded;
	const struct ptah_module *module;
	int rc;

	*out = NULL;
	rc = ptah_file_is_trusted(path, why, why_room);
	if (rc < 0)
		return rc;
	loaded = calloc(1, sizeof(*loaded));
	if (loaded == NULL || lt_dlinit() != 0) {
		snprintf(why, why_room, "out of memory");
		free(loaded);
		return -ENOMEM;
	}
	rc = map_code(path, &loaded->handle, why, why_room);
	if (rc < 0) {
		lt_dlexit();
		free(loaded);
		return rc;
	}
	module = find_descriptor(loaded->handle, name, why, why_room);
	rc = module != NULL ? take_descriptor(loaded, module, name, why, why_room) : -ELIBBAD;
	if (rc == 0) {
		loaded->path = strdup(path);
		if (loaded->path == NULL) {
			snprintf(why, why_room, "out of memory");
			rc = -ENOMEM;
		}
	}
	if (rc < 0) {
		ptah_loaded_free(loaded);
		return rc;
	}
	*out = loaded;
	return 0;
}

int
ptah_loaded_link(const struct ptah_module *module, struct ptah_loaded **out, char *why, size_t why_room)
{
	struct ptah_loaded *loaded = calloc(1, sizeof(*loaded));
	int rc;

	*out = NULL;
	if (loaded == NULL) {
		snprintf(why, why_room, "out of memory");
		return -ENOMEM;
	}
	rc = take_descriptor(loaded, module, module->name, why, why_room);
	if (rc < 0)
		ptah_loaded_free(loaded);
	else
		*out = loaded;
	return rc;
}

void
ptah_loaded_free(struct ptah_loaded *loaded)
{
	if (loaded == NULL)
		return;
	if (loaded->handle != NULL) {
		lt_dlclose(loaded->handle);
		lt_dlexit();
	}
	free(loaded->options);
	free(loaded->path);
	free(loaded);
}
