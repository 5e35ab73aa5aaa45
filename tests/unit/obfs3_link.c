/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys.h"
#include "uniform.h"
#include "vectors.h"

#define MODULE obfs3_LTX_ptah_module
#include "oldobfs.h"

#define TIMER_HANDSHAKE 0u
#define TIMER_MAGIC 1u
#define PADS (OBFS3_PAD_MAX + 1)
#define SECOND UINT64_C(1000000000)


static void
makes_the_keys_of_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("obfs3.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");
	struct ptah_hmac *hmac = ptah_hmac_new();
	struct ptah_aes *aes = ptah_aes_new();

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *vector = vectors->items[i];
		static const char *const names[2][4] = {
			{ "init_key", "init_counter", "init_magic", "init_to_resp_ciphertext" },
			{ "resp_key", "resp_counter", "resp_magic", "resp_to_init_ciphertext" },
		};
		uint8_t secret[PTAH_UDH_LEN], want[256], plain[256];
		struct ptah_aesctr ctr = { NULL };
		struct obfs3_keys keys;
		size_t len = vectors_bytes(vectors_get(vector, "plaintext"), plain, sizeof(plain));

		vectors_exact(vector, "shared_secret", secret, sizeof(secret));
		assert_int_equal(obfs3_keys_make(&keys, hmac, secret), 0);
		for (int s = 0; s < 2; s++) {
			const struct obfs3_side *side = s == 0 ? &keys.initiator : &keys.responder;
			uint8_t got[256];

			vectors_exact(vector, names[s][0], want, 16);
			assert_memory_equal(side->key, want, 16);
			vectors_exact(vector, names[s][1], want, 16);
			assert_memory_equal(side->counter, want, 16);
			vectors_exact(vector, names[s][2], want, 32);
			assert_memory_equal(side->magic, want, 32);
			vectors_exact(vector, names[s][3], want, len);
			assert_int_equal(ptah_aesctr_open(&ctr, aes, side->key, 16, side->counter), 0);
			for (size_t j = 0; j < len; j++)
				assert_int_equal(ptah_aesctr_apply(&ctr, (struct ptah_span){ plain + j, 1 }, got + j), 0);
			assert_memory_equal(got, want, len);
		}
		ptah_aesctr_close(&ctr);
	}
	ptah_aes_free(aes);
	ptah_hmac_free(hmac);
	ptah_json_free(file);
}

/* What the search says of 'len' bytes that come in pieces; 'rest': what stands behind the magic. */
static int
search_in_pieces(const uint8_t *magic, const uint8_t *at, size_t len, size_t first, size_t piece, size_t *rest)
{
	struct obfs3_search search = { .gone = 0 };
	size_t from = 0, to = first;
	int rc = 0;

	memcpy(search.magic, magic, OBFS3_MAGIC_LEN);
	for (;;) {
		size_t eaten = 0;

		to = to < len ? to : len;
		rc = obfs3_search_step(&search, (struct ptah_span){ at + from, to - from }, &eaten);
		assert_true(eaten <= to - from);
		from += eaten;
		if (rc != 0 || to == len)
			break;
		assert_true(to - from < OBFS3_MAGIC_LEN);
		to += piece;
	}
	*rest = len - from;
	return rc;
}

static void
obfs_122_finds_the_magic_wherever_reads_end(void **state)
{
	static const struct {
		size_t at, len;
		int rc;
	} cases[] = {
		{ 0, 40, 1 }, { 1, 33, 1 }, { 4097, 4200, 1 },
		{ 8194, 8226, 1 }, { 8194, 9000, 1 }, { 8195, 8227, -EPROTO }, { 8195, 9000, -EPROTO },
		{ SIZE_MAX, 31, 0 }, { SIZE_MAX, 8225, 0 }, { SIZE_MAX, 8226, -EPROTO },
	};
	static const size_t pieces[] = { 1, 7, 31, 32, 33, 1448, 100000 };
	static uint8_t noise[9000];
	uint8_t magic[OBFS3_MAGIC_LEN];

	(void)state;
	/* The magic begins as it goes on, so that parts of it look like its beginning. */
	for (size_t i = 0; i < sizeof(magic); i++)
		magic[i] = i + 1 < sizeof(magic) ? 0xaa : 0xbb;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t rest;

		memset(noise, 0xaa, sizeof(noise));
		if (cases[i].at != SIZE_MAX)
			memcpy(noise + cases[i].at, magic, sizeof(magic));
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
			assert_int_equal(search_in_pieces(magic, noise, cases[i].len, pieces[p], pieces[p], &rest), cases[i].rc);
			if (cases[i].rc == 1)
				assert_int_equal(rest, cases[i].len - cases[i].at - sizeof(magic));
		}
		/* One cut, at each place around it. */
		for (size_t cut = 0; cases[i].rc == 1 && cut <= 40; cut++) {
			assert_int_equal(search_in_pieces(magic, noise, cases[i].len, cases[i].at + cut, 100000, &rest), 1);
			assert_int_equal(rest, cases[i].len - cases[i].at - sizeof(magic));
		}
	}
}

static void
open_both(struct codec *client, struct codec *server, uint32_t pad1, uint32_t pad2)
{
	*client = (struct codec){ .seed = 11 };
	*server = (struct codec){ .seed = 12 };
	codec_draw(client, PADS, pad1);
	codec_draw(client, PADS, pad2);
	codec_draw(server, PADS, pad1);
	codec_draw(server, 60001, 30000); /* how long it waits for the magic */
	codec_draw(server, PADS, pad2);
	codec_open(client, module, PTAH_CLIENT, bench, NULL);
	codec_open(server, module, PTAH_SERVER, bench, NULL);
}

static void
obfs_018_carries_bytes_with_the_least_and_the_longest_paddings(void **state)
{
	static const size_t pieces[] = { 0, 1, 7, 191, 192, 193, 1448, 4289 };

	(void)state;
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++)
		for (unsigned mix = 0; mix < 4; mix++) {
			uint32_t pad1 = mix & 1 ? OBFS3_PAD_MAX : 0, pad2 = mix & 2 ? OBFS3_PAD_MAX : 0;
			struct codec client, server;

			open_both(&client, &server, pad1, pad2);
			assert_int_equal(client.n_writes, 1);
			assert_int_equal(client.wire_out.len, PTAH_UDH_LEN + pad1);
			assert_int_equal(server.wire_out.len, PTAH_UDH_LEN + pad1);
			client.room = p % 2 ? 8192 : 0;
			codec_talk(&client, &server, pieces[p]);
			assert_true(client.open && server.open);
			/* Open, and silent until there is something to say. */
			assert_int_equal(client.n_writes, 1);
			assert_int_equal(server.n_writes, 1);
			codec_say(&client, text, sizeof(text));
			assert_true(client.n_writes >= 2);
			codec_talk(&client, &server, pieces[p]);
			codec_say(&server, text, sizeof(text) - 1);
			codec_say(&server, text, 1);
			codec_talk(&client, &server, pieces[p]);
			assert_has_text(&server);
			assert_int_equal(client.plain_out.len, sizeof(text));
			assert_memory_equal(client.plain_out.at, text, sizeof(text) - 1);
			assert_int_equal(client.timer_ns[TIMER_HANDSHAKE] + server.timer_ns[TIMER_HANDSHAKE], 0);
			assert_int_equal(client.timer_ns[TIMER_MAGIC] + server.timer_ns[TIMER_MAGIC], 0);
			codec_hear_eof(&server);
			assert_int_equal(server.rc, 0);
			codec_close(&client);
			codec_close(&server);
		}
}

static void
speaks_before_it_hears(void **state)
{
	struct codec client, server;

	(void)state;
	open_both(&client, &server, 5, 6);
	codec_say(&client, text, 100); /* too early: not before the handshake */
	assert_int_equal(client.n_writes, 1);
	codec_talk(&client, &server, 0);
	assert_int_equal(client.n_writes, 2);
	assert_int_equal(server.plain_out.len, 100);
	codec_close(&client);
	codec_close(&server);
}

/* A server, past its handshake with a public value that is worth something. */
static void
open_server(struct codec *server)
{
	struct codec client;

	open_both(&client, server, 0, 0);
	codec_hear(server, client.wire_out.at, PTAH_UDH_LEN, 0);
	assert_true(server->open);
	codec_close(&client);
}

static void
assert_silent_reject(const struct codec *server)
{
	assert_int_equal(server->rc, PTAH_REJECT);
	assert_int_equal(server->manner, PTAH_SILENT);
	assert_int_equal(server->n_writes, 1);
	assert_non_null(server->reason);
}

static void
obfs_122_a_server_gives_up_in_silence(void **state)
{
	static uint8_t noise[8226];
	struct codec server;

	(void)state;
	open_server(&server);
	codec_hear(&server, noise, sizeof(noise) - 1, 100);
	assert_int_equal(server.rc, 0);
	codec_hear(&server, noise, 1, 0);
	assert_silent_reject(&server);
	codec_close(&server);
}

static void
a_client_gives_up_at_once(void **state)
{
	static uint8_t noise[8226];
	struct codec client, server;

	(void)state;
	open_both(&client, &server, 0, 0);
	codec_hear(&client, server.wire_out.at, PTAH_UDH_LEN, 0);
	codec_hear(&client, noise, sizeof(noise), 0);
	assert_int_equal(client.rc, -EPROTO);
	codec_close(&client);
	codec_close(&server);
}

static void
obfs_123_degenerate_keys_change_nothing_that_shows(void **state)
{
	struct ptah_json *file = vectors_load("uniformdh.json");
	const struct ptah_json *vectors = vectors_list(file, "degenerate_peers");

	(void)state;
	for (size_t i = 0; i < 2 * vectors->n; i++) {
		const struct ptah_json *vector = vectors->items[i / 2];
		bool ones = strstr(vectors_text(vector, "peer"), "ones") != NULL;
		struct codec client, server, *link = i % 2 ? &client : &server;
		uint8_t peer[PTAH_UDH_LEN + 9000] = { 0 };

		vectors_bytes(vectors_get(vector, "peer_bytes"), peer, PTAH_UDH_LEN);
		open_both(&client, &server, 0, 0);
		codec_hear(link, peer, PTAH_UDH_LEN, 0);
		assert_int_equal(link->open, ones);
		assert_int_equal(link->rc, 0);
		assert_int_equal(link->n_writes, 1);
		if (!ones) {
			codec_hear(link, peer, sizeof(peer), 1448);
			assert_int_equal(link->rc, 0);
			assert_int_equal(link->timer_ns[TIMER_HANDSHAKE], 30 * SECOND);
			codec_ring(link, TIMER_HANDSHAKE);
			if (link == &server)
				assert_silent_reject(link);
			else
				assert_int_equal(link->rc, -ETIMEDOUT);
		}
		codec_close(&client);
		codec_close(&server);
	}
	ptah_json_free(file);
}

static void
waits_30_s_for_a_key(void **state)
{
	struct codec client, server;

	(void)state;
	open_both(&client, &server, 0, 0);
	codec_hear(&client, text, PTAH_UDH_LEN - 1, 1);
	codec_hear(&server, text, PTAH_UDH_LEN - 1, 1);
	assert_int_equal(client.timer_ns[TIMER_HANDSHAKE], 30 * SECOND);
	assert_int_equal(server.timer_ns[TIMER_HANDSHAKE], 30 * SECOND);
	codec_ring(&client, TIMER_HANDSHAKE);
	codec_ring(&server, TIMER_HANDSHAKE);
	assert_int_equal(client.rc, -ETIMEDOUT);
	assert_silent_reject(&server);
	codec_close(&client);
	codec_close(&server);
	open_both(&client, &server, 0, 0);
	codec_hear(&server, text, PTAH_UDH_LEN - 1, 0);
	codec_hear_eof(&server);
	assert_int_equal(server.rc, -ECONNRESET);
	codec_close(&client);
	codec_close(&server);
}

static void
a_server_waits_some_time_for_the_magic(void **state)
{
	struct codec server;

	(void)state;
	open_server(&server);
	assert_int_equal(server.timer_ns[TIMER_MAGIC], 90 * SECOND);
	codec_ring(&server, TIMER_MAGIC);
	assert_silent_reject(&server);
	codec_close(&server);
	open_server(&server);
	codec_say(&server, text, 1); /* then the client may be one that only listens */
	assert_int_equal(server.timer_ns[TIMER_MAGIC], 0);
	codec_close(&server);
}

static void
a_client_that_had_nothing_to_say_may_close(void **state)
{
	struct codec server;

	(void)state;
	open_server(&server);
	codec_hear(&server, text, 1000, 0);
	codec_hear_eof(&server);
	assert_int_equal(server.rc, 0);
	assert_int_equal(server.wire_in.len, 0);
	assert_int_equal(server.plain_out.len, 0);
	codec_close(&server);
}

/* What comes first of each role, what comes before its first byte, and nothing of the one in the other. */
static void
both_paddings_of_both_roles_have_the_lengths_of_the_reference(void **state)
{
	enum { N = 1600 };
	static uint32_t first[2][N], second[2][N];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		struct codec roles[2] = { { .seed = uniform_seed(2 * i) }, { .seed = uniform_seed(2 * i + 1) } };

		codec_open(&roles[0], module, PTAH_CLIENT, bench, NULL);
		codec_open(&roles[1], module, PTAH_SERVER, bench, NULL);
		for (int r = 0; r < 2; r++)
			first[r][i] = (uint32_t)(roles[r].wire_out.len - PTAH_UDH_LEN);
		codec_talk(&roles[0], &roles[1], 0);
		for (int r = 0; r < 2; r++) {
			codec_say(&roles[r], text, 1);
			second[r][i] = (uint32_t)(roles[r].wire_out.len - OBFS3_MAGIC_LEN - 1);
			codec_close(&roles[r]);
		}
	}
	for (int r = 0; r < 2; r++) {
		assert_uniform(first[r], N, PADS);
		assert_uniform(second[r], N, PADS);
		assert_independent(first[r], second[r], N, PADS);
	}
	assert_independent(first[0], first[1], N, PADS);
	assert_independent(second[0], second[1], N, PADS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_the_keys_of_the_vectors),
		cmocka_unit_test(obfs_122_finds_the_magic_wherever_reads_end),
		cmocka_unit_test(obfs_018_carries_bytes_with_the_least_and_the_longest_paddings),
		cmocka_unit_test(speaks_before_it_hears),
		cmocka_unit_test(obfs_122_a_server_gives_up_in_silence),
		cmocka_unit_test(a_client_gives_up_at_once),
		cmocka_unit_test(obfs_123_degenerate_keys_change_nothing_that_shows),
		cmocka_unit_test(waits_30_s_for_a_key),
		cmocka_unit_test(a_server_waits_some_time_for_the_magic),
		cmocka_unit_test(a_client_that_had_nothing_to_say_may_close),
		cmocka_unit_test(both_paddings_of_both_roles_have_the_lengths_of_the_reference),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
