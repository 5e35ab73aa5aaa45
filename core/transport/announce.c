/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/announce.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
ptah_announce_read(const char *text, size_t len, struct ptah_json **out, char *why, size_t why_room)
{
	char reason[256];
	struct ptah_json *json = ptah_json_parse(text, len, 0, reason, sizeof(reason));

	*out = NULL;
	if (json == NULL) {
		int rc = -errno;

		snprintf(why, why_room, "its bridge arguments are no JSON: %s", rc == -ENOMEM ? "out of memory" : reason);
		return rc;
	}
	if (json->type != PTAH_JSON_OBJECT)
		goto bad;
	for (size_t i = 0; i < json->n; i++)
		if (json->items[i]->type != PTAH_JSON_STRING)
			goto bad;
	if (json->n > 0)
		*out = json;
	else
		ptah_json_free(json);
	return 0;

bad:
	ptah_json_free(json);
	snprintf(why, why_room, "its bridge arguments are not an object of strings");
	return -EINVAL;
}

int
ptah_announce_ask(const struct ptah_module *module, const void *conf, const char *bound,
    struct ptah_json **out, char *why, size_t why_room)
{
	struct ptah_room room = { malloc(PTAH_ANNOUNCE_MAX), PTAH_ANNOUNCE_MAX };
	int n, rc;

	*out = NULL;
	if (room.at == NULL) {
		snprintf(why, why_room, "out of memory");
		return -ENOMEM;
	}
	n = module->bridge_args(conf, bound, room);
	if (n < 0 || (size_t)n > room.len) {
		snprintf(why, why_room, "cannot say its bridge arguments: %s", n < 0 ? strerror(-n) : "too long");
		rc = n < 0 ? n : -ENOSPC;
	} else {
		rc = ptah_announce_read((const char *)room.at, (size_t)n, out, why, why_room);
	}
	explicit_bzero(room.at, room.len);
	free(room.at);
	return rc;
}
