/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/codeprint.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transport/folder.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/options.h"
#include "transport/registry.h"

/* Definitions and layers that name each other end here; the registry says what is wrong with them. */
#define DEEPEST 32

struct print {
	const char *const *folders;
	crypto_generichash_state state;
	unsigned depth;
};

static void
add(struct print *print, const void *bytes, size_t len)
{
	crypto_generichash_update(&print->state, bytes, len);
}

static int print_name(struct print *print, const char *name, const char *defining);

/* What stands below, if anything. */
static int
print_over(struct print *print, const struct ptah_json *options)
{
	const struct ptah_json *over = options != NULL ? ptah_json_get(options, PTAH_KEY_OVER) : NULL;
	struct ptah_json *own = NULL;
	const char *name;
	int rc = over != NULL && over->type != PTAH_JSON_NULL ? ptah_merge_split(over, &name, &own) : -EINVAL;

	if (rc == 0)
		rc = print_name(print, name, NULL);
	if (rc == 0)
		rc = print_over(print, own);
	ptah_json_free(own);
	return rc == -ENOMEM ? rc : 0;
}

static int
print_code(struct print *print, const char *real)
{
	char why[PTAH_WHY_TEXT];
	struct ptah_code code;
	int rc = ptah_code_read(&code, real, why, sizeof(why));

	if (rc == 0) {
		add(print, code.hash, sizeof(code.hash));
		ptah_code_clear(&code);
	} else {
		add(print, why, strlen(why) + 1);
	}
	return rc == -ENOMEM ? rc : 0;
}

static int
print_definition(struct print *print, const char *real, const char *name)
{
	char why[PTAH_WHY_TEXT], *module, *text;
	struct ptah_json *options;
	int rc = ptah_folder_definition(real, &module, &options, NULL, why, sizeof(why));

	if (rc < 0) {
		add(print, why, strlen(why) + 1);
		return rc == -ENOMEM ? rc : 0;
	}
	text = ptah_json_text(options);
	if (text != NULL) {
		add(print, text, strlen(text) + 1);
		explicit_bzero(text, strlen(text));
		rc = print_name(print, module, name);
	} else {
		rc = -ENOMEM;
	}
	if (rc == 0)
		rc = print_over(print, options);
	free(text);
	free(module);
	ptah_json_free(options);
	return rc;
}

/* As the registry looks: the first folder that has it; within a definition its own name is a module's. */
static int
print_name(struct print *print, const char *name, const char *defining)
{
	bool only_so = defining != NULL && strcmp(name, defining) == 0;

	add(print, name, strlen(name) + 1);
	if (++print->depth > DEEPEST)
		return 0;
	for (size_t i = 0; print->folders[i] != NULL; i++) {
		unsigned has = ptah_folder_has(print->folders[i], name) & (only_so ? PTAH_FOLDER_SO : ~0u);
		bool code = (has & PTAH_FOLDER_SO) != 0;
		char why[PTAH_WHY_TEXT], *path, *real;
		int rc;

		if (has == 0)
			continue;
		path = ptah_folder_path(print->folders[i], name, code ? "so" : "json");
		rc = path != NULL ? ptah_folder_real(print->folders[i], path, &real, NULL, why, sizeof(why)) : -ENOMEM;
		free(path);
		if (rc < 0)
			return rc == -ENOMEM ? rc : 0;
		rc = code ? print_code(print, real) : print_definition(print, real, name);
		free(real);
		return rc;
	}
	return 0;
}

int
ptah_codeprint_make(struct ptah_registry *registry, const char *names, const struct ptah_json *options,
    uint8_t out[static PTAH_CODE_HASH])
{
	struct print print = { .folders = ptah_registry_folders(registry) };
	const char *cursor = names, *item;
	size_t len;
	int rc = 0;

	crypto_generichash_init(&print.state, NULL, 0, PTAH_CODE_HASH);
	while (rc == 0 && ptah_text_next(&cursor, '+', &item, &len)) {
		char *name = strndup(item, len);

		rc = name != NULL ? print_name(&print, name, NULL) : -ENOMEM;
		free(name);
	}
	if (rc == 0)
		rc = print_over(&print, options);
	crypto_generichash_final(&print.state, out, PTAH_CODE_HASH);
	return rc;
}
