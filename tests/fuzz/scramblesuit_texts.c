/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts of ScrambleSuit: the first byte says which: 0 a client's tickets,
 * 1 a server's state, 2 a password.  What was read is written and read again,
 * and is the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "state.h"
#include "store.h"
#include "target.h"

#define NOW INT64_C(1795215293)

static void
tickets(const char *text, size_t len)
{
	struct scramble_store store = { .n = 0 }, again = { .n = 0 };
	size_t n;
	char *written;

	if (scramble_store_read(&store, text, len, NOW) == 0) {
		written = scramble_store_text(&store, &n);
		expect(written != NULL && scramble_store_read(&again, written, n, NOW) == 0 && again.n == store.n);
		for (size_t i = 0; i < store.n; i++)
			expect(strcmp(store.kept[i].server, again.kept[i].server) == 0 &&
			    memcmp(store.kept[i].body, again.kept[i].body, sizeof(store.kept[i].body)) == 0 &&
			    store.kept[i].issued == again.kept[i].issued);
		free(written);
	}
	scramble_store_clear(&store);
	scramble_store_clear(&again);
}

static void
state(const char *text, size_t len)
{
	struct scramble_identity identity, again;
	struct scramble_ring ring, ring_again;
	char written[SCRAMBLE_STATE_ROOM];
	const char *why = NULL;
	size_t n;

	if (scramble_state_read(text, len, &identity, &ring, &why) != 0) {
		expect(why != NULL);
		return;
	}
	n = scramble_state_write(&identity, &ring, written);
	expect(n < sizeof(written) && scramble_state_read(written, n, &again, &ring_again, &why) == 0);
	expect(memcmp(&identity, &again, sizeof(identity)) == 0 && memcmp(&ring.now, &ring_again.now, sizeof(ring.now)) == 0 &&
	    ring.has_old == ring_again.has_old && ring.created == ring_again.created);
}

static void
password(const char *text)
{
	uint8_t secret[SCRAMBLE_SECRET_LEN], again[SCRAMBLE_SECRET_LEN];
	char written[SCRAMBLE_PASSWORD_LEN + 1];
	const char *why = NULL;

	if (scramble_password_read(text, secret, &why) != 0) {
		expect(why != NULL);
		return;
	}
	scramble_base32_write((struct ptah_span){ secret, sizeof(secret) }, written);
	expect(scramble_password_read(written, again, &why) == 0 && memcmp(secret, again, sizeof(secret)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len == 0 || len > 65536)
		return 0;
	text = malloc(len);
	expect(text != NULL);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (data[0] == 0)
		tickets(text, len - 1);
	else if (data[0] == 1)
		state(text, len - 1);
	else
		password(text);
	free(text);
	return 0;
}
