/* SPDX-License-Identifier: BSD-3-Clause */
/* must.h: what the host in memory (host.h) stands on: the module and its options, and MUST(), which ends the test. */
#ifndef SKETCH_TESTS_MUST_H
#define SKETCH_TESTS_MUST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/host.h>

extern const struct ptah_module sketch_LTX_ptah_module;
#define MODULE (&sketch_LTX_ptah_module)

#define MUST(truth) \
	do { \
		if (!(truth)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth); \
			abort(); \
		} \
	} while (0)

static inline void *
must_memory(size_t size)
{
	void *at = calloc(1, size > 0 ? size : 1);

	MUST(at != NULL);
	return at;
}

/* Where an option's value lies; its type is one of ptah/option.h's. */
static inline void *
must_option(void *conf, void *args, const char *name, uint32_t type)
{
	for (const struct ptah_option *option = MODULE->options; option != NULL && option->name != NULL; option++)
		if (strcmp(option->name, name) == 0 && option->type == type)
			return (uint8_t *)((option->flags & PTAH_LINK) != 0 ? args : conf) + option->offset;
	MUST(!"an option of that name and type");
	return NULL;
}

#endif
