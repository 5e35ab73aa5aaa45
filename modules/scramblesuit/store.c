/* SPDX-License-Identifier: BSD-3-Clause */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <yajl/yajl_gen.h>

#include "base32.h"
#include "jsontree.h"
#include "ticket.h"

#define BODY_TEXT_LEN SCRAMBLE_BASE32_LEN(SCRAMBLE_TICKET_PAYLOAD_LEN)

static void
forget(struct scramble_kept *kept)
{
	free(kept->server);
	sodium_memzero(kept, sizeof(*kept));
}

void
scramble_store_clear(struct scramble_store *store)
{
	for (size_t i = 0; i < store->n; i++)
		forget(&store->kept[i]);
	free(store->kept);
	memset(store, 0, sizeof(*store));
}

static void
leave_out(struct scramble_store *store, struct scramble_kept *kept)
{
	struct scramble_kept *last = &store->kept[store->n - 1];

	forget(kept);
	if (kept != last)
		*kept = *last;
	sodium_memzero(last, sizeof(*last));
	store->n--;
}

static struct scramble_kept *
find(const struct scramble_store *store, struct ptah_span server)
{
	for (size_t i = 0; i < store->n; i++)
		if (strlen(store->kept[i].server) == server.len && memcmp(store->kept[i].server, server.at, server.len) == 0)
			return &store->kept[i];
	return NULL;
}

static struct scramble_kept *
eldest(const struct scramble_store *store)
{
	struct scramble_kept *found = &store->kept[0];

	for (size_t i = 1; i < store->n; i++)
		if (store->kept[i].issued < found->issued)
			found = &store->kept[i];
	return found;
}

int
scramble_store_put(struct scramble_store *store, struct ptah_span server,
    const uint8_t body[static SCRAMBLE_TICKET_PAYLOAD_LEN], int64_t unix_s)
{
	struct scramble_kept *kept = find(store, server);
	char *name;

	if (kept == NULL) {
		if (store->kept == NULL)
			store->kept = calloc(SCRAMBLE_STORE_MAX, sizeof(*store->kept));
		name = store->kept != NULL ? strndup((const char *)server.at, server.len) : NULL;
		if (name == NULL)
			return -ENOMEM;
		if (store->n == SCRAMBLE_STORE_MAX)
			leave_out(store, eldest(store));
		kept = &store->kept[store->n++];
		kept->server = name;
	}
	memcpy(kept->body, body, sizeof(kept->body));
	kept->issued = unix_s;
	return 0;
}

/* Of a clock that was put back, too: a ticket of tomorrow is no better than one of last week. */
static int
is_old(int64_t issued, int64_t unix_s)
{
	return issued > unix_s || unix_s - issued >= SCRAMBLE_WEEK_S;
}

int
scramble_store_take(struct scramble_store *store, struct ptah_span server, int64_t unix_s,
    uint8_t body[static SCRAMBLE_TICKET_PAYLOAD_LEN])
{
	struct scramble_kept *kept = find(store, server);
	int rc;

	if (kept == NULL)
		return 0;
	rc = is_old(kept->issued, unix_s) ? 2 : 1;
	memcpy(body, kept->body, sizeof(kept->body));
	leave_out(store, kept);
	return rc;
}

/* ---- its text ---------------------------------------------------------------------- */

/* One member; what is wrong with it is its own fault. */
static int
read_one(struct scramble_store *store, const char *server, yajl_val value, int64_t unix_s)
{
	static const char *const body_path[] = { "key-ticket", NULL }, *const issued_path[] = { "issuedAt", NULL };
	const char *text = YAJL_GET_STRING(yajl_tree_get(value, (const char **)body_path, yajl_t_string));
	yajl_val issued = yajl_tree_get(value, (const char **)issued_path, yajl_t_number);
	uint8_t body[SCRAMBLE_TICKET_PAYLOAD_LEN];
	int rc = 0;

	if (text == NULL || issued == NULL || !YAJL_IS_INTEGER(issued) || is_old(YAJL_GET_INTEGER(issued), unix_s) ||
	    server[0] == '\0')
		return 0;
	if (scramble_base32_read(text, strlen(text), (struct ptah_room){ body, sizeof(body) }) == 0)
		rc = scramble_store_put(store, (struct ptah_span){ (const uint8_t *)server, strlen(server) }, body,
		    YAJL_GET_INTEGER(issued));
	sodium_memzero(body, sizeof(body));
	return rc;
}

int
scramble_store_read(struct scramble_store *store, const char *text, size_t len, int64_t unix_s)
{
	char *copy = malloc(len + 1), problem[128];
	yajl_val tree = NULL;
	int rc = -EBADMSG;

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strlen(copy) == len)
		tree = yajl_tree_parse(copy, problem, sizeof(problem));
	if (YAJL_IS_OBJECT(tree)) {
		rc = 0;
		for (size_t i = 0; rc == 0 && i < tree->u.object.len; i++)
			rc = read_one(store, tree->u.object.keys[i], tree->u.object.values[i], unix_s);
	}
	ptah_jsontree_free(tree);
	sodium_memzero(copy, len);
	free(copy);
	return rc;
}

static int
say(yajl_gen gen, const char *text)
{
	return yajl_gen_string(gen, (const unsigned char *)text, strlen(text)) == yajl_gen_status_ok;
}

static int
write_all(yajl_gen gen, const struct scramble_store *store)
{
	char body[BODY_TEXT_LEN + 1];
	int good = yajl_gen_map_open(gen) == yajl_gen_status_ok;

	for (size_t i = 0; good && i < store->n; i++) {
		const struct scramble_kept *kept = &store->kept[i];

		scramble_base32_write((struct ptah_span){ kept->body, sizeof(kept->body) }, body);
		good = say(gen, kept->server) && yajl_gen_map_open(gen) == yajl_gen_status_ok && say(gen, "key-ticket") &&
		    say(gen, body) && say(gen, "issuedAt") && yajl_gen_integer(gen, kept->issued) == yajl_gen_status_ok &&
		    yajl_gen_map_close(gen) == yajl_gen_status_ok;
	}
	sodium_memzero(body, sizeof(body));
	return good && yajl_gen_map_close(gen) == yajl_gen_status_ok;
}

char *
scramble_store_text(const struct scramble_store *store, size_t *len)
{
	yajl_gen gen = yajl_gen_alloc(NULL);
	const unsigned char *text;
	char *copy = NULL;

	if (gen == NULL)
		return NULL;
	if (write_all(gen, store) && yajl_gen_get_buf(gen, &text, len) == yajl_gen_status_ok) {
		copy = malloc(*len + 1);
		if (copy != NULL)
			memcpy(copy, text, *len + 1);
		sodium_memzero((void *)(uintptr_t)text, *len);
	}
	yajl_gen_free(gen);
	return copy;
}
