/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "transport/merge.h"
#include "transport/options.h"

/* Room for each of the two texts, with a NUL. */
#define TEXT_ROOM ((size_t)64 * 1024)

struct texts {
	char server[TEXT_ROOM], client[TEXT_ROOM];
};

/* An object, or NULL and 'why'. */
static struct ptah_json *
read_object(const char *text, size_t len, const char *what, char *why, size_t room)
{
	char inner[200] = "";
	struct ptah_json *json = ptah_json_parse(text, len, 0, inner, sizeof(inner));

	if (json && json->type == PTAH_JSON_OBJECT)
		return json;
	snprintf(why, room, "%s: no JSON object%s%s", what, inner[0] ? ": " : "", inner);
	ptah_json_free(json);
	return NULL;
}

static int
ask(struct ptah_pair *pair, const struct ptah_module *module, const void *conf, const char *advertise,
    struct texts *texts, char *why, size_t room)
{
	int rc = module->generate(conf, advertise, (struct ptah_room){ (uint8_t *)texts->server, TEXT_ROOM - 1 },
	    (struct ptah_room){ (uint8_t *)texts->client, TEXT_ROOM - 1 });

	if (rc < 0) {
		snprintf(why, room, "it cannot make options: %s", strerror(-rc));
		return rc;
	}
	pair->server = read_object(texts->server, strlen(texts->server), "the server options that it made", why, room);
	if (pair->server)
		pair->client = read_object(texts->client, strlen(texts->client), "the client options that it made", why, room);
	return pair->client ? 0 : -EINVAL;
}

/* Would a server take what was made, together with what its operator said? */
static int
check(const struct ptah_pair *pair, const struct ptah_module *module, const struct ptah_json *options,
    char *why, size_t room)
{
	const struct ptah_option *missing = NULL;
	struct ptah_filled conf = { 0 };
	struct ptah_json *whole = ptah_merge(options, pair->server);
	int rc = whole ? ptah_options_fill(&conf, module, PTAH_SERVER, false, whole, &missing, why, room) : -ENOMEM;

	if (rc == 0 && missing) {
		ptah_options_say_missing(missing, why, room);
		rc = -EINVAL;
	}
	if (rc == 0 && module->conf_check) {
		snprintf(why, room, "refuses its options");
		rc = module->conf_check(conf.values, PTAH_SERVER, why, room);
	}
	ptah_filled_clear(&conf);
	ptah_json_free(whole);
	return rc < 0 ? rc : 0;
}

int
ptah_pair_generate(struct ptah_pair *pair, const struct ptah_module *module, const struct ptah_json *options,
    const char *advertise, char *why, size_t room)
{
	const struct ptah_option *missing = NULL;
	struct ptah_filled conf = { 0 };
	struct texts *texts = NULL;
	int rc;

	if (!module->generate) {
		snprintf(why, room, "it has no options to make");
		return -ENOTSUP;
	}
	rc = ptah_options_fill(&conf, module, PTAH_SERVER, false, options, &missing, why, room);
	if (rc == 0)
		texts = calloc(1, sizeof(*texts));
	if (rc == 0)
		rc = texts ? ask(pair, module, conf.values, advertise, texts, why, room) : -ENOMEM;
	if (texts)
		explicit_bzero(texts, sizeof(*texts));
	free(texts);
	ptah_filled_clear(&conf);
	return rc == 0 ? check(pair, module, options, why, room) : rc;
}

/* ---- files ------------------------------------------------------------------ */

static char *
path_of(const char *folder, const char *name, const char *which)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s_%s.json", folder, name, which) != -1 ? path : NULL;
}

/* 0, -ENOENT, or -errno and 'why'. */
static int
read_file(struct ptah_json **out, const char *path, struct ptah_json *files, char *why, size_t room)
{
	uint8_t *text = NULL;
	size_t len = 0;
	int rc = ptah_file_read(path, TEXT_ROOM, &text, &len);

	if (rc < 0) {
		if (rc != -ENOENT)
			snprintf(why, room, "cannot read %s: %s", path, strerror(-rc));
		return rc;
	}
	*out = read_object((const char *)text, len, path, why, room);
	explicit_bzero(text, len);
	free(text);
	if (!*out)
		return -EBADMSG;
	return ptah_json_add(files, ptah_json_new_text(PTAH_JSON_STRING, path));
}

int
ptah_pair_read(struct ptah_pair *pair, const char *folder, const char *name, struct ptah_json *files,
    char *why, size_t room)
{
	char *server = path_of(folder, name, "server"), *client = path_of(folder, name, "client");
	int rc = -ENOMEM, other = -ENOMEM;

	if (server && client) {
		rc = read_file(&pair->server, server, files, why, room);
		other = rc == 0 || rc == -ENOENT ? read_file(&pair->client, client, files, why, room) : rc;
	}
	if (rc == -ENOENT && other == -ENOENT) {
		rc = 0;
	} else if ((rc == -ENOENT) != (other == -ENOENT)) {
		snprintf(why, room, "of %s and %s one is not there: bring it back, or make others with --new", server, client);
		rc = -ENOENT;
	} else {
		rc = rc < 0 ? rc : other < 0 ? other : 1;
	}
	free(server);
	free(client);
	return rc;
}

static int
write_file(const struct ptah_json *json, const char *path, char *why, size_t room)
{
	char *text = path ? ptah_json_text(json) : NULL;
	int rc = text ? ptah_file_write_atomic(path, text, strlen(text)) : -ENOMEM;

	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	if (rc < 0)
		snprintf(why, room, "cannot write '%s': %s", path ? path : "it", strerror(-rc));
	return rc;
}

int
ptah_pair_write(const struct ptah_pair *pair, const char *folder, const char *name, char *why, size_t room)
{
	char *server = path_of(folder, name, "server"), *client = path_of(folder, name, "client");
	int rc = write_file(pair->server, server, why, room);

	if (rc == 0)
		rc = write_file(pair->client, client, why, room);
	free(server);
	free(client);
	return rc;
}

void
ptah_pair_clear(struct ptah_pair *pair)
{
	ptah_json_free(pair->server);
	ptah_json_free(pair->client);
}
