/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/bindlist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int
add(struct ptah_bindlist *list, const char *name, size_t name_len, const struct ptah_addr *addr)
{
	struct ptah_bind *more = realloc(list->at, (list->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	list->at = more;
	more[list->n].addr = *addr;
	more[list->n].name = strndup(name, name_len);
	if (!more[list->n].name)
		return -ENOMEM;
	list->n++;
	return 0;
}

/* One "name-IP:PORT"; only the first dash divides. */
static int
parse_entry(struct ptah_bindlist *list, const char *item, size_t len, char *why, size_t why_room)
{
	const char *dash = memchr(item, '-', len);
	size_t name_len = dash ? (size_t)(dash - item) : 0;
	char text[PTAH_DEST_TEXT];
	struct ptah_addr addr;

	if (!dash || !ptah_text_is_stack(item, name_len)) {
		snprintf(why, why_room, "'%.*s' does not begin with the name of a transport: "
		    "write NAME-IP:PORT", len < 100 ? (int)len : 100, item);
		return -EINVAL;
	}

	size_t text_len = len - name_len - 1;
	if (text_len < sizeof(text)) {
		memcpy(text, dash + 1, text_len);
		text[text_len] = '\0';
	}
	if (text_len >= sizeof(text) || ptah_addr_parse(&addr, text) != 0) {
		snprintf(why, why_room, "'%.*s' is no IP address with a port: write %.*s-IP:PORT, "
		    "an IPv6 address in brackets", text_len < 100 ? (int)text_len : 100, dash + 1,
		    name_len < 64 ? (int)name_len : 64, item);
		return -EINVAL;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (strlen(list->at[i].name) == name_len &&
		    memcmp(list->at[i].name, item, name_len) == 0) {
			snprintf(why, why_room, "%.*s is there twice: give each transport one address",
			    name_len < 100 ? (int)name_len : 100, item);
			return -EINVAL;
		}
	}
	return add(list, item, name_len, &addr);
}

int
ptah_bindlist_parse(struct ptah_bindlist *list, const char *text, char *why, size_t why_room)
{
	const char *item;
	size_t len;
	int rc = 0;

	memset(list, 0, sizeof(*list));
	if (text[0] == '\0')
		return 0;
	while (rc == 0 && ptah_text_next(&text, ',', &item, &len))
		rc = parse_entry(list, item, len, why, why_room);
	if (rc != 0)
		ptah_bindlist_clear(list);
	return rc;
}

const struct ptah_addr *
ptah_bindlist_get(const struct ptah_bindlist *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->at[i].name, name) == 0)
			return &list->at[i].addr;
	return NULL;
}

void
ptah_bindlist_clear(struct ptah_bindlist *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->at[i].name);
	free(list->at);
	memset(list, 0, sizeof(*list));
}
