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

#define MODULE obfs2_LTX_ptah_module
#include "oldobfs.h"

#define TIMER_HANDSHAKE 0u
#define TIMER_DERIVE 1u
#define PADS (OBFS2_PAD_MAX + 1)
#define HELLO_MIN (OBFS2_SEED_LEN + OBFS2_HEAD_LEN)

/* As the module's: what a test may say of the option. */
struct args {
	const char *shared_secret;
};

static const struct args no_secret = { NULL };

/* A whole link against one side of a vector, in pieces. */
static void
play_vector(const struct ptah_json *vector, uint32_t role, size_t piece)
{
	bool client = role == PTAH_CLIENT;
	uint8_t seed[OBFS2_SEED_LEN], own[256], peer[256], plain[256], to_peer[256], from_peer[256];
	size_t own_len = vectors_bytes(vectors_get(vector, client ? "init_message" : "resp_message"), own, sizeof(own));
	size_t peer_len = vectors_bytes(vectors_get(vector, client ? "resp_message" : "init_message"), peer, sizeof(peer));
	size_t len = vectors_bytes(vectors_get(vector, "plaintext"), plain, sizeof(plain));
	struct codec codec = { .seed = 7, .sixteen = seed };

	vectors_exact(vector, client ? "init_seed" : "resp_seed", seed, sizeof(seed));
	vectors_exact(vector, client ? "init_to_resp_ciphertext" : "resp_to_init_ciphertext", to_peer, len);
	vectors_exact(vector, client ? "resp_to_init_ciphertext" : "init_to_resp_ciphertext", from_peer, len);
	codec_draw(&codec, PADS, (uint32_t)(own_len - HELLO_MIN));
	codec_open(&codec, module, role, bench, &no_secret);
	assert_int_equal(codec.wire_out.len, own_len);
	assert_memory_equal(codec.wire_out.at, own, HELLO_MIN); /* the rest is chance */
	assert_int_equal(codec.n_writes, 1);
	codec_eat(&codec.wire_out, own_len);
	memcpy(peer + peer_len, from_peer, len);
	codec_hear(&codec, peer, peer_len + len, piece);
	assert_true(codec.open);
	assert_int_equal(codec.plain_out.len, len);
	assert_memory_equal(codec.plain_out.at, plain, len);
	for (size_t i = 0; i < len; i += 5)
		codec_say(&codec, plain + i, len - i < 5 ? len - i : 5);
	assert_int_equal(codec.wire_out.len, len);
	assert_memory_equal(codec.wire_out.at, to_peer, len);
	assert_int_equal(codec.timer_ns[TIMER_HANDSHAKE], 0);
	codec_close(&codec);
}

static void
plays_the_vectors_in_every_segmentation(void **state)
{
	struct ptah_json *file = vectors_load("obfs2.json");
	const struct ptah_json *vectors = vectors_list(file, "vectors");

	(void)state;
	for (size_t i = 0; i < vectors->n; i++)
		for (size_t piece = 0; piece < 110; piece++) {
			play_vector(vectors->items[i], PTAH_CLIENT, piece);
			play_vector(vectors->items[i], PTAH_SERVER, piece);
		}
	ptah_json_free(file);
}

static void
check_key(struct obfs2_hasher *hasher, const struct ptah_json *vector, const char *name, const char *words,
    struct ptah_span seeds, const uint8_t secret[32], uint32_t step)
{
	struct obfs2_key key;
	uint8_t want[32];

	vectors_exact(vector, name, want, sizeof(want));
	assert_int_equal(obfs2_key_begin(&key, hasher, words, seeds, secret), 0);
	while (key.left > 0)
		assert_int_equal(obfs2_key_go_on(&key, hasher, step), 0);
	assert_memory_equal(key.bytes, want, sizeof(want));
}

static void
obfs_121_derives_keys_from_a_shared_secret(void **state)
{
	struct ptah_json *file = vectors_load("obfs2.json");
	const struct ptah_json *vectors = vectors_list(file, "shared_secret_vectors");
	struct obfs2_hasher *hasher = obfs2_hasher_new();

	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		const struct ptah_json *vector = vectors->items[i];
		const char *password = vectors_text(vector, "shared_secret_utf8");
		uint8_t secret[32], want[32], seeds[2 * OBFS2_SEED_LEN];
		const struct ptah_span first = { seeds, OBFS2_SEED_LEN }, second = { seeds + OBFS2_SEED_LEN, OBFS2_SEED_LEN };
		const struct ptah_span both = { seeds, sizeof(seeds) };

		vectors_exact(vector, "init_seed", seeds, OBFS2_SEED_LEN);
		vectors_exact(vector, "resp_seed", seeds + OBFS2_SEED_LEN, OBFS2_SEED_LEN);
		vectors_exact(vector, "sha256_secret", want, sizeof(want));
		assert_int_equal(obfs2_secret_hash(hasher,
		    (struct ptah_span){ (const uint8_t *)password, strlen(password) }, secret), 0);
		assert_memory_equal(secret, want, sizeof(want));
		check_key(hasher, vector, "init_pad_key_iv", "Initiator obfuscation padding", first, secret, 1000000);
		check_key(hasher, vector, "resp_pad_key_iv", "Responder obfuscation padding", second, secret, 2000);
		check_key(hasher, vector, "init_key_iv", "Initiator obfuscated data", both, secret, 99999);
		check_key(hasher, vector, "resp_key_iv", "Responder obfuscated data", both, secret, 7);
	}
	obfs2_hasher_free(hasher);
	ptah_json_free(file);
}

static void
open_both(struct codec *client, struct codec *server, const struct args *client_args, const struct args *server_args,
    uint32_t pad)
{
	*client = (struct codec){ .seed = 21 };
	*server = (struct codec){ .seed = 22 };
	codec_draw(client, PADS, pad);
	codec_draw(server, PADS, pad);
	codec_open(client, module, PTAH_CLIENT, bench, client_args);
	codec_open(server, module, PTAH_SERVER, bench, server_args);
}

static void
exchange(struct codec *client, struct codec *server, size_t piece)
{
	codec_say(client, text, sizeof(text));
	codec_say(server, text, sizeof(text));
	codec_talk(client, server, piece);
	assert_has_text(server);
	assert_has_text(client);
}

static void
obfs_019_carries_bytes_with_the_least_and_the_longest_padding(void **state)
{
	static const size_t pieces[] = { 0, 1, 15, 16, 17, 1448 };

	(void)state;
	for (size_t p = 0; p < 2 * sizeof(pieces) / sizeof(pieces[0]); p++) {
		uint32_t pad = p % 2 ? OBFS2_PAD_MAX : 0;
		struct codec client, server;

		open_both(&client, &server, &no_secret, &no_secret, pad);
		assert_int_equal(client.wire_out.len, HELLO_MIN + pad);
		codec_talk(&client, &server, pieces[p / 2]);
		assert_true(client.open && server.open);
		exchange(&client, &server, pieces[p / 2]);
		codec_close(&client);
		codec_close(&server);
	}
}

/* Ring each timer of a derivation; how often at most between two others' turns is up to the module. */
static void
derive(struct codec *codec)
{
	unsigned turns = 0;

	while (codec->rc == 0 && codec->timer_ns[TIMER_DERIVE] > 0) {
		codec_ring(codec, TIMER_DERIVE);
		turns++;
	}
	assert_true(turns == 0 || turns >= 20);
}

static void
obfs_121_a_shared_secret_must_be_shared(void **state)
{
	static const struct args right = { "hunter2" }, wrong = { "hunter3" };

	(void)state;
	for (int i = 0; i < 3; i++) {
		const struct args *mine = i == 0 ? &right : i == 1 ? &wrong : &no_secret;
		struct codec client, server;

		open_both(&client, &server, mine, &right, 100);
		assert_int_equal(server.wire_out.len, 0);
		for (int round = 0; round < 4; round++) {
			derive(&client);
			derive(&server);
			codec_talk(&client, &server, 0);
		}
		assert_int_equal(client.open, i == 0);
		assert_int_equal(server.open, i == 0);
		if (i == 0) {
			exchange(&client, &server, 0);
		} else {
			assert_int_equal(client.rc, -EPROTO);
			assert_int_equal(server.rc, PTAH_REJECT);
			assert_int_equal(server.manner, PTAH_SILENT);
		}
		codec_close(&client);
		codec_close(&server);
	}
}

/* A client's hello with a head of the test's. */
static size_t
make_hello(uint8_t *out, const uint8_t head[OBFS2_HEAD_LEN])
{
	struct obfs2_hasher *hasher = obfs2_hasher_new();
	struct ptah_aes *aes = ptah_aes_new();
	struct ptah_aesctr ctr = { NULL };
	struct obfs2_key key;

	memset(out, 0x77, OBFS2_SEED_LEN);
	assert_int_equal(obfs2_key_begin(&key, hasher, "Initiator obfuscation padding",
	    (struct ptah_span){ out, OBFS2_SEED_LEN }, NULL), 0);
	assert_int_equal(obfs2_key_open(&key, aes, &ctr), 0);
	assert_int_equal(ptah_aesctr_apply(&ctr, (struct ptah_span){ head, OBFS2_HEAD_LEN }, out + OBFS2_SEED_LEN), 0);
	ptah_aesctr_close(&ctr);
	ptah_aes_free(aes);
	obfs2_hasher_free(hasher);
	return HELLO_MIN;
}

static void
obfs_120_refuses_wrong_heads(void **state)
{
	static const struct {
		uint8_t head[OBFS2_HEAD_LEN];
		bool fine;
	} cases[] = {
		{ { 0x2b, 0xf5, 0xca, 0x7e, 0, 0, 0x20, 0x00 }, true },
		{ { 0x2b, 0xf5, 0xca, 0x7e, 0, 0, 0, 0 }, true },
		{ { 0x2b, 0xf5, 0xca, 0x7e, 0, 0, 0x20, 0x01 }, false },
		{ { 0x2b, 0xf5, 0xca, 0x7e, 0xff, 0xff, 0xff, 0xff }, false },
		{ { 0x2b, 0xf5, 0xca, 0x7f, 0, 0, 0, 0 }, false },
		{ { 0xab, 0xf5, 0xca, 0x7e, 0, 0, 0, 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct codec server = { .seed = 3 };
		uint8_t hello[HELLO_MIN];

		codec_open(&server, module, PTAH_SERVER, bench, &no_secret);
		codec_hear(&server, hello, make_hello(hello, cases[i].head), i % 3);
		assert_int_equal(server.rc, cases[i].fine ? 0 : PTAH_REJECT);
		assert_int_equal(server.manner, PTAH_SILENT);
		assert_int_equal(server.n_writes, 1);
		assert_int_equal(server.open, cases[i].fine && cases[i].head[6] == 0);
		codec_close(&server);
	}
}

static void
waits_30_s_for_a_hello(void **state)
{
	struct codec client, server;

	(void)state;
	open_both(&client, &server, &no_secret, &no_secret, 0);
	assert_int_equal(client.timer_ns[TIMER_HANDSHAKE], UINT64_C(30000000000));
	codec_hear(&server, text, OBFS2_SEED_LEN - 1, 1);
	codec_ring(&client, TIMER_HANDSHAKE);
	codec_ring(&server, TIMER_HANDSHAKE);
	assert_int_equal(client.rc, -ETIMEDOUT);
	assert_int_equal(server.rc, PTAH_REJECT);
	codec_close(&client);
	codec_close(&server);
	open_both(&client, &server, &no_secret, &no_secret, 0);
	codec_hear(&server, client.wire_out.at, HELLO_MIN - 1, 0);
	codec_hear_eof(&server);
	assert_int_equal(server.rc, -ECONNRESET);
	codec_close(&client);
	codec_close(&server);
}

static void
the_padding_of_both_roles_has_the_lengths_of_the_reference(void **state)
{
	enum { N = 8000 };
	static uint32_t lengths[2][N];

	(void)state;
	for (unsigned i = 0; i < N; i++)
		for (unsigned r = 0; r < 2; r++) {
			struct codec codec = { .seed = uniform_seed(2 * i + r) };

			codec_open(&codec, module, r == 0 ? PTAH_CLIENT : PTAH_SERVER, bench, &no_secret);
			lengths[r][i] = (uint32_t)(codec.wire_out.len - HELLO_MIN);
			codec_close(&codec);
		}
	assert_uniform(lengths[0], N, PADS);
	assert_uniform(lengths[1], N, PADS);
	assert_independent(lengths[0], lengths[1], N, PADS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(plays_the_vectors_in_every_segmentation),
		cmocka_unit_test(obfs_121_derives_keys_from_a_shared_secret),
		cmocka_unit_test(obfs_019_carries_bytes_with_the_least_and_the_longest_padding),
		cmocka_unit_test(obfs_121_a_shared_secret_must_be_shared),
		cmocka_unit_test(obfs_120_refuses_wrong_heads),
		cmocka_unit_test(waits_30_s_for_a_hello),
		cmocka_unit_test(the_padding_of_both_roles_has_the_lengths_of_the_reference),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
