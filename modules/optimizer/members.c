/* SPDX-License-Identifier: BSD-3-Clause */
#include "members.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>
#include <yajl/yajl_gen.h>

#include "jsontree.h"
#include "refuse.h"

const char *const optimizer_strategies[] = {
	[OPTIMIZER_FIRST] = "first",
	[OPTIMIZER_RANDOM] = "random",
	[OPTIMIZER_ROTATE] = "rotate",
	[OPTIMIZER_TRACK] = "track",
	[OPTIMIZER_QUICKEST] = "minimizeDialDuration",
	NULL,
};

/* ---- JSON ------------------------------------------------------------------------------ */

/* The member of that name, or NULL: there is none, or no object. */
static yajl_val
get(yajl_val object, const char *key)
{
	const char *path[] = { key, NULL };

	return yajl_tree_get(object, path, yajl_t_any);
}

/* The text of a member, or NULL: there is none, or it is no text. */
static const char *
get_text(yajl_val object, const char *key)
{
	yajl_val val = get(object, key);

	return val != NULL && val->type == yajl_t_string ? val->u.string : NULL;
}

static yajl_gen_status
gen_text(yajl_gen gen, const char *text)
{
	return yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

static void
gen_val(yajl_gen gen, yajl_val val)
{
	switch (val->type) {
	case yajl_t_string:
		gen_text(gen, YAJL_GET_STRING(val));
		break;
	case yajl_t_number:
		yajl_gen_number(gen, YAJL_GET_NUMBER(val), strlen(YAJL_GET_NUMBER(val)));
		break;
	case yajl_t_object:
		yajl_gen_map_open(gen);
		for (size_t i = 0; i < YAJL_GET_OBJECT(val)->len; i++) {
			gen_text(gen, YAJL_GET_OBJECT(val)->keys[i]);
			gen_val(gen, YAJL_GET_OBJECT(val)->values[i]);
		}
		yajl_gen_map_close(gen);
		break;
	case yajl_t_array:
		yajl_gen_array_open(gen);
		for (size_t i = 0; i < YAJL_GET_ARRAY(val)->len; i++)
			gen_val(gen, YAJL_GET_ARRAY(val)->values[i]);
		yajl_gen_array_close(gen);
		break;
	default:
		if (YAJL_IS_NULL(val))
			yajl_gen_null(gen);
		else
			yajl_gen_bool(gen, YAJL_IS_TRUE(val));
		break;
	}
}

/* A value as compact text, for free(); NULL: no memory. */
static char *
text_of(yajl_val val)
{
	yajl_gen gen = yajl_gen_alloc(NULL);
	const unsigned char *text;
	char *copy = NULL;
	size_t len;

	if (gen == NULL)
		return NULL;
	gen_val(gen, val);
	if (yajl_gen_get_buf(gen, &text, &len) == yajl_gen_status_ok) {
		copy = strndup((const char *)text, len);
		sodium_memzero((void *)(uintptr_t)text, len);
	}
	yajl_gen_free(gen);
	return copy;
}

/* ---- one member --------------------------------------------------------------------------- */

/* How deep optimizers stand in this member. */
static int
depth_of(yajl_val member, int limit)
{
	const char *name = get_text(member, "name");
	yajl_val config = get(member, "config"), list;
	int deepest = 0;

	if (name == NULL || strcasecmp(name, "optimizer") != 0)
		return 0;
	list = config != NULL ? get(config, "transports") : NULL;
	if (limit == 0 || !YAJL_IS_ARRAY(list))
		return 1;
	for (size_t i = 0; i < YAJL_GET_ARRAY(list)->len; i++) {
		int depth = depth_of(YAJL_GET_ARRAY(list)->values[i], limit - 1);

		if (depth > deepest)
			deepest = depth;
	}
	return 1 + deepest;
}

static int
read_member(struct optimizer_member *member, yajl_val val, char *why, size_t room)
{
	const char *name = YAJL_IS_OBJECT(val) ? get_text(val, "name") : NULL;
	crypto_generichash_state hash;
	yajl_val config;

	if (name == NULL || *name == '\0')
		return ptah_refuse(why, room, "each of \"transports\" must be an object with \"name\" and \"config\"");
	config = get(val, "config");
	if (config != NULL && !YAJL_IS_OBJECT(config))
		return ptah_refuse(why, room, "the \"config\" of each of \"transports\" must be an object: the transport's own options");
	if (depth_of(val, OPTIMIZER_DEPTH) >= OPTIMIZER_DEPTH)
		return ptah_refuse(why, room, "optimizers stand in each other more than four deep");
	member->name = strdup(name);
	member->config = config != NULL ? text_of(config) : strdup("{}");
	if (member->name == NULL || member->config == NULL)
		return -ENOMEM;
	for (char *at = member->name; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	crypto_generichash_init(&hash, NULL, 0, sizeof(member->key));
	crypto_generichash_update(&hash, (const unsigned char *)member->name, strlen(member->name) + 1);
	crypto_generichash_update(&hash, (const unsigned char *)member->config, strlen(member->config));
	crypto_generichash_final(&hash, member->key, sizeof(member->key));
	return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int
make_room(struct optimizer_members *members, size_t n, char *why, size_t room)
{
	if (n == 0)
		return ptah_refuse(why, room, "\"transports\" is empty: it must name at least one, as {\"name\": \"obfs4\", \"config\": {...}}");
	if (n > OPTIMIZER_MAX)
		return ptah_refuse(why, room, "\"transports\" names more than 64");
	members->all = calloc(n, sizeof(*members->all));
	return members->all != NULL ? 0 : -ENOMEM;
}

static int
read_list(struct optimizer_members *members, const struct ptah_list *list, char *why, size_t room)
{
	int rc = make_room(members, list->n, why, room);

	while (rc == 0 && members->n < list->n) {
		char problem[64];
		yajl_val val = yajl_tree_parse(((const char *const *)list->items)[members->n], problem, sizeof(problem));

		rc = val != NULL ? read_member(&members->all[members->n], val, why, room) : -ENOMEM;
		members->n++;
		ptah_jsontree_free(val);
	}
	return rc;
}

static int
read_strategy(enum optimizer_strategy *strategy, const char *text, char *why, size_t room)
{
	for (unsigned i = 0; text != NULL && optimizer_strategies[i] != NULL; i++) {
		if (strcasecmp(optimizer_strategies[i], text) == 0) {
			*strategy = (enum optimizer_strategy)i;
			return 0;
		}
	}
	return ptah_refuse(why, room, "the strategy in \"json\" must be first, random, rotate, track or minimizeDialDuration");
}

static int
read_object(struct optimizer_members *members, yajl_val root, char *why, size_t room)
{
	yajl_val list = YAJL_IS_OBJECT(root) ? get(root, "transports") : NULL;
	int rc;

	if (!YAJL_IS_ARRAY(list))
		return ptah_refuse(why, room, "\"json\" must be an object with \"transports\", a list, in base64");
	rc = get(root, "strategy") != NULL ? read_strategy(&members->strategy, get_text(root, "strategy"), why, room) : 0;
	if (rc == 0)
		rc = make_room(members, YAJL_GET_ARRAY(list)->len, why, room);
	while (rc == 0 && members->n < YAJL_GET_ARRAY(list)->len) {
		rc = read_member(&members->all[members->n], YAJL_GET_ARRAY(list)->values[members->n], why, room);
		members->n++;
	}
	return rc;
}

static int
read_text(struct optimizer_members *members, struct ptah_span json, char *why, size_t room)
{
	char *text = strndup((const char *)json.at, json.len), problem[64];
	yajl_val root;
	int rc;

	if (text == NULL)
		return -ENOMEM;
	root = yajl_tree_parse(text, problem, sizeof(problem));
	rc = root != NULL ? read_object(members, root, why, room) : ptah_refuse(why, room, "\"json\" is no JSON in base64");
	ptah_jsontree_free(root);
	sodium_memzero(text, strlen(text));
	free(text);
	return rc;
}

int
optimizer_members_read(struct optimizer_members *members, const struct optimizer_conf *conf, char *why, size_t room)
{
	memset(members, 0, sizeof(*members));
	members->strategy = (enum optimizer_strategy)conf->strategy;
	if (conf->json.len == 0)
		return read_list(members, &conf->transports, why, room);
	if (conf->transports.n > 0)
		return ptah_refuse(why, room, "\"json\" stands for all of the options: give it alone");
	return read_text(members, conf->json, why, room);
}

void
optimizer_members_free(struct optimizer_members *members)
{
	for (uint32_t i = 0; i < members->n; i++) {
		if (members->all[i].config != NULL)
			sodium_memzero(members->all[i].config, strlen(members->all[i].config));
		free(members->all[i].config);
		free(members->all[i].name);
	}
	free(members->all);
	memset(members, 0, sizeof(*members));
}
