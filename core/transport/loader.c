/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <ltdl.h>

#include "base/file.h"
#include "base/log.h"
#include "loop/worker.h"
#include "transport/check.h"

/* The C library has no other word for a library that it did not find, and begins with its name. */
#define NOT_FOUND ": cannot open shared object file: "

/* Is it for want of a library that 'path' cannot be loaded?  Then its name is put into 'library', unless that is NULL. */
static bool
lacks_library(const char *reason, const char *path, char *library)
{
	const char *end = strstr(reason, NOT_FOUND);
	size_t len = end != NULL ? (size_t)(end - reason) : 0;

	if (len == 0 || len >= PATH_MAX || (strlen(path) == len && strncmp(reason, path, len) == 0))
		return false;
	if (library != NULL)
		snprintf(library, PATH_MAX, "%.*s", (int)len, reason);
	return true;
}

/*
 * libltdl opens lazily and has one error for everything ("file not found").
 * So dlopen() goes first: it binds every symbol now, names the one that is
 * missing, and what libltdl then finds is already mapped.
 */
static int
map_code(struct ptah_loaded *loaded, const char *path, char *library, char *why, size_t why_room)
{
	lt_dladvise advise;
	void *first = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int rc = 0;

	if (first == NULL) {
		const char *reason = dlerror();
		size_t len = strlen(path);

		/* The path of a copy means nothing to anybody. */
		if (reason != NULL && loaded->copy != -1 && strncmp(reason, path, len) == 0 && strncmp(reason + len, ": ", 2) == 0)
			reason += len + 2;
		snprintf(why, why_room, "cannot load: %s", reason != NULL ? reason : "no reason given");
		return reason != NULL && lacks_library(reason, path, library) ? -ELIBACC : -ELIBBAD;
	}
	if (lt_dladvise_init(&advise) != 0) {
		rc = -ENOMEM;
	} else {
		if (lt_dladvise_local(&advise) == 0)
			loaded->handle = lt_dlopenadvise(path, advise);
		lt_dladvise_destroy(&advise);
	}
	if (rc == 0 && loaded->handle == NULL) {
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

/* Without a copy the loader would take a file for what already runs under its path. */
static int
see_that_it_is_new(const char *path, char *why, size_t why_room)
{
	void *there = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);

	if (there == NULL)
		return 0;
	dlclose(there);
	snprintf(why, why_room, "its old code still runs, and this system has no memory to run a copy in "
	    "(vm.memfd_noexec?): start ptah anew");
	return -EBUSY;
}

/* From the file itself, or from a copy of it. */
static int
map_file(struct ptah_loaded *loaded, const struct ptah_code *code, const char *name, bool copy, char *library,
    char *why, size_t why_room)
{
	char path[PTAH_CODE_PATH];
	int rc;

	if (copy) {
		rc = ptah_code_copy(code, name, path);
		if (rc >= 0) {
			loaded->copy = rc;
			return map_code(loaded, path, library, why, why_room);
		}
		ptah_warn_rc(AREA_MODULE, rc, "%s runs from its file, not from a copy: do not write into %s while it runs",
		    name, loaded->path);
		rc = see_that_it_is_new(loaded->path, why, why_room);
		if (rc < 0)
			return rc;
	}
	return map_code(loaded, loaded->path, library, why, why_room);
}

static struct ptah_loaded *
loaded_new(const char *path)
{
	struct ptah_loaded *loaded = calloc(1, sizeof(*loaded));

	if (loaded == NULL)
		return NULL;
	loaded->copy = -1;
	atomic_init(&loaded->refs, 1);
	loaded->path = path != NULL ? strdup(path) : NULL;
	if (path != NULL && loaded->path == NULL) {
		free(loaded);
		return NULL;
	}
	return loaded;
}

int
ptah_loaded_open_code(const struct ptah_code *code, const char *path, const char *name, bool copy,
    struct ptah_loaded **out, char *library, char *why, size_t why_room)
{
	struct ptah_loaded *loaded = loaded_new(path);
	const struct ptah_module *module = NULL;
	int rc;

	*out = NULL;
	if (loaded == NULL || lt_dlinit() != 0) {
		snprintf(why, why_room, "out of memory");
		ptah_loaded_free(loaded);
		return -ENOMEM;
	}
	rc = map_file(loaded, code, name, copy, library, why, why_room);
	if (rc < 0) {
		lt_dlexit();
		ptah_loaded_free(loaded);
		return rc;
	}
	module = find_descriptor(loaded->handle, name, why, why_room);
	rc = module != NULL ? take_descriptor(loaded, module, name, why, why_room) : -ELIBBAD;
	if (rc < 0) {
		ptah_loaded_free(loaded);
		return rc;
	}
	loaded->stamp = code->stamp;
	memcpy(loaded->hash, code->hash, sizeof(loaded->hash));
	*out = loaded;
	return 0;
}

int
ptah_loaded_open(const char *path, const char *name, struct ptah_loaded **out, char *why, size_t why_room)
{
	struct ptah_code code;
	int rc = ptah_file_is_trusted(path, NULL, why, why_room);

	*out = NULL;
	if (rc < 0)
		return rc;
	rc = ptah_code_read(&code, path, why, why_room);
	if (rc < 0)
		return rc;
	rc = ptah_loaded_open_code(&code, path, name, false, out, NULL, why, why_room);
	ptah_code_clear(&code);
	return rc;
}

int
ptah_loaded_link(const struct ptah_module *module, struct ptah_loaded **out, char *why, size_t why_room)
{
	struct ptah_loaded *loaded = loaded_new(NULL);
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

/* A library can ask to stay for good, whatever the module says (a C++ one, perhaps): then its path must not come again. */
static void
close_copy(int fd)
{
	char path[PTAH_CODE_PATH];
	void *there = NULL;

	if (fd == -1)
		return;
	if (ptah_code_path(fd, path) == 0)
		there = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	if (there == NULL)
		close(fd);
	else
		dlclose(there);
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
	close_copy(loaded->copy);
	free(loaded->options);
	free(loaded->path);
	free(loaded);
}
