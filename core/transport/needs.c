/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/needs.h"

#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transport/loader.h"
#include "transport/namedfile.h"
#include "transport/registry.h"

#define PRINT_LEN 32

struct ptah_need {
	struct ptah_need *next;
	char *name; /* of a transport, or the path of a file: that has a slash */
	uint8_t print[PRINT_LEN];
};

/* Code, and what a definition says; it may be a secret, so that nothing of it is kept. */
static int
take_print(const struct ptah_found *found, uint8_t out[static PRINT_LEN])
{
	char *text = found->options != NULL ? ptah_json_text(found->options) : NULL;
	crypto_generichash_state print;

	if (found->options != NULL && text == NULL)
		return -ENOMEM;
	crypto_generichash_init(&print, NULL, 0, PRINT_LEN);
	crypto_generichash_update(&print, (const unsigned char *)&found->loaded->serial, sizeof(found->loaded->serial));
	if (text != NULL) {
		crypto_generichash_update(&print, (const unsigned char *)text, strlen(text));
		explicit_bzero(text, strlen(text));
	}
	free(text);
	crypto_generichash_final(&print, out, PRINT_LEN);
	return 0;
}

static int
add(struct ptah_needs *needs, const char *name, const uint8_t print[static PRINT_LEN])
{
	struct ptah_need *need = calloc(1, sizeof(*need));

	if (need == NULL)
		return -ENOMEM;
	need->name = strdup(name);
	if (need->name == NULL) {
		free(need);
		return -ENOMEM;
	}
	memcpy(need->print, print, PRINT_LEN);
	need->next = needs->first;
	needs->first = need;
	return 0;
}

int
ptah_needs_add(struct ptah_needs *needs, const char *name, const struct ptah_found *found)
{
	uint8_t print[PRINT_LEN];
	int rc = take_print(found, print);

	return rc == 0 ? add(needs, name, print) : rc;
}

int
ptah_needs_add_file(struct ptah_needs *needs, const struct ptah_file *file)
{
	crypto_generichash_state print;
	uint8_t out[PRINT_LEN];

	crypto_generichash_init(&print, NULL, 0, PRINT_LEN);
	ptah_namedfile_print_read(file, &print);
	ptah_namedfile_print_end(&print, out, PRINT_LEN);
	return add(needs, file->path, out);
}

static bool
has_changed_file(const struct ptah_need *need)
{
	crypto_generichash_state print;
	uint8_t out[PRINT_LEN];

	crypto_generichash_init(&print, NULL, 0, PRINT_LEN);
	ptah_namedfile_print(need->name, &print);
	ptah_namedfile_print_end(&print, out, PRINT_LEN);
	return memcmp(out, need->print, PRINT_LEN) != 0;
}

static bool
has_changed(const struct ptah_need *need, struct ptah_registry *registry)
{
	char why[PTAH_WHY_TEXT];
	uint8_t print[PRINT_LEN];
	struct ptah_found found;
	bool same;

	if (need->name[0] == '/')
		return has_changed_file(need);
	if (ptah_registry_find(registry, need->name, &found, why, sizeof(why)) < 0)
		return true;
	same = take_print(&found, print) == 0 && memcmp(print, need->print, PRINT_LEN) == 0;
	ptah_json_free(found.options);
	return !same;
}

bool
ptah_needs_changed(const struct ptah_needs *needs, struct ptah_registry *registry)
{
	const struct ptah_need *need = needs->first;

	while (need != NULL && !has_changed(need, registry))
		need = need->next;
	return need != NULL;
}

void
ptah_needs_clear(struct ptah_needs *needs)
{
	while (needs->first != NULL) {
		struct ptah_need *need = needs->first;

		needs->first = need->next;
		free(need->name);
		free(need);
	}
}
