/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "vectors.h"

#include "base/text.h"
#include "identity.h"
#include "options.h"
#include "seed.h"

static struct ptah_json *all;
static const char *cert, *state_text;

static int
load(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	all = vectors_load("obfs4_config.json");
	cert = vectors_text(all, "cert");
	state_text = vectors_text(all, "state_file_text");
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	ptah_json_free(all);
	return 0;
}

static void
from_sodium(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	randombytes_buf(out, len);
}

static const struct ptah_chance any = { from_sodium, NULL };

static int
read_state(const char *text, struct obfs4_identity *out)
{
	const char *why = NULL;
	int rc = obfs4_state_read(text, strlen(text), out, &why);

	assert_true((rc == 0) == (why == NULL));
	return rc;
}

/* OBFS-015 */
static void
the_files_are_obfs4proxys(void **state)
{
	struct obfs4_identity identity;
	char text[OBFS4_BRIDGELINE_ROOM], made[OBFS4_CERT_LEN + 1];
	const char *line = vectors_text(all, "bridgeline_last_line");
	size_t n;

	(void)state;
	assert_int_equal(read_state(state_text, &identity), 0);
	assert_int_equal(identity.iat_mode, 1);
	n = obfs4_state_write(&identity, text);
	assert_int_equal(n, strlen(state_text));
	assert_memory_equal(text, state_text, n);
	obfs4_cert_write(&identity.bridge, made);
	assert_string_equal(made, cert);
	n = obfs4_bridgeline_write(&identity, text);
	assert_memory_equal(text + n - 1, "\n", 1);
	assert_memory_equal(text + n - 1 - strlen(line), line, strlen(line));
	assert_memory_equal(text + n - 3 - strlen(line), "\n\n", 2);
	for (const char *at = text; at < text + n - 2 - strlen(line); at = strchr(at, '\n') + 1)
		assert_true(*at == '#');
	assert_int_equal(obfs4_seed_close_s(identity.seed), vectors_number(all, "close_delay_seconds"));
}

/* OBFS-118 */
static void
a_damaged_state_is_an_error(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[]", "null", "{}", "{\"node-id\":\"00\"}" };
	struct obfs4_identity identity;
	char text[OBFS4_STATE_ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_state(bad[i], &identity), -EBADMSG);
	/* cut anywhere */
	for (size_t n = 0; n < strlen(state_text); n++) {
		memcpy(text, state_text, n);
		text[n] = '\0';
		assert_int_equal(read_state(text, &identity), -EBADMSG);
	}
	strcpy(text, state_text);
	strcpy(strstr(text, "\"iat-mode\":") + 11, "9}");
	assert_int_equal(read_state(text, &identity), -EBADMSG);
	strcpy(strstr(text, "\"iat-mode\":") + 11, "\"1\"}");
	assert_int_equal(read_state(text, &identity), -EBADMSG);
	strcpy(strstr(text, ",\"iat-mode\":"), "}");
	assert_int_equal(read_state(text, &identity), 0);
	assert_int_equal(identity.iat_mode, 0);
	strcpy(text, state_text);
	*strstr(text, "0f15a2") = 'x';
	assert_int_equal(read_state(text, &identity), -EBADMSG);
	assert_true(sodium_is_zero((const uint8_t *)&identity, sizeof(identity)));
}

/* Bytes of text as an option would have them. */
static struct ptah_span
unhex(const char *text, uint8_t *room)
{
	long n = ptah_text_unhex(text, room, 64);

	assert_true(n >= 0);
	return (struct ptah_span){ room, (size_t)n };
}

static void
a_cert_is_read_as_it_is_written(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "too short" },
		{ "AAAA", "too short" },
		{ "g0ZBgHELVJocEooTYIouXpC4UD1S9fmULpebPIe2rcWxbVz8F8UdmJNiYDxIGsqktWs1A", "too short" },
		{ "g0ZBgHELVJocEooTYIouXpC4UD1S9fmULpebPIe2rcWxbVz8F8UdmJNiYDxIGsqktWs1AQ==", "'='" },
		{ "g0ZBgHELVJocEooTYIouXpC4UD1S9fmULpebPIe2rcWxbVz8F8UdmJNiYDxIGsqktWs1AQA", "too long" },
		{ "g0ZBgHELVJocEooTYIouXpC4UD1S9fmULpebPIe2rcWxbVz8F8UdmJNiYDxIGsqktWs1-Q", "base64" },
		{ "g0ZBgHELVJocEooTYIouXpC4UD1S9fmULpebPIe2rcWxbVz8F8UdmJNiYDxIGsqktWs1 Q", "base64" },
	};
	struct obfs4_bridge bridge, same;
	const char *why = NULL;
	char loose[OBFS4_CERT_LEN + 1];
	uint8_t want[32];

	(void)state;
	assert_int_equal(obfs4_cert_read(cert, &bridge, &why), 0);
	vectors_bytes(vectors_get(all, "node_id"), want, sizeof(want));
	assert_memory_equal(bridge.node_id, want, OBFS4_NODE_ID_LEN);
	vectors_bytes(vectors_get(all, "public_key"), want, sizeof(want));
	assert_memory_equal(bridge.public_key, want, OBFS4_KEY_LEN);
	/* the four bits that mean nothing may be anything */
	strcpy(loose, cert);
	loose[OBFS4_CERT_LEN - 1] = 'f';
	assert_int_equal(obfs4_cert_read(loose, &same, &why), 0);
	assert_memory_equal(&same, &bridge, sizeof(same));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(obfs4_cert_read(bad[i].text, &same, &why), -EINVAL);
		assert_non_null(strstr(why, bad[i].says));
	}
}

static void
an_iat_mode_is_0_1_or_2(void **state)
{
	static const char *const bad[] = { "", "3", "x", "-1", "-0", "+", "++1", " 1", "1 ", "0x1", "10", "1.0", "00000000003" };
	static const struct {
		const char *text;
		uint8_t mode;
	} good[] = { { "0", 0 }, { "1", 1 }, { "2", 2 }, { "+1", 1 }, { "01", 1 }, { "+00", 0 } };
	uint8_t mode;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(obfs4_iat_read(bad[i], &mode), -EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(obfs4_iat_read(good[i].text, &mode), 0);
		assert_int_equal(mode, good[i].mode);
	}
}

/* OBFS-016, OBFS-117 */
static void
link_options_say_what_is_wrong(void **state)
{
	struct obfs4_bridge bridge, same;
	uint8_t node_id[64], public_key[64], mode;
	char why[512];
	const char *ignored;
	struct obfs4_args args = { .cert = cert, .iat_mode = "+1" };

	(void)state;
	assert_int_equal(obfs4_args_check(NULL, &args, PTAH_CLIENT, why, sizeof(why)), 0);
	assert_int_equal(obfs4_args_bridge(&args, &bridge, &mode), 0);
	assert_int_equal(mode, 1);
	assert_int_equal(obfs4_cert_read(cert, &same, &ignored), 0);
	assert_memory_equal(&bridge, &same, sizeof(same));

	args = (struct obfs4_args){ .iat_mode = "2", .node_id = unhex(vectors_text(all, "node_id"), node_id),
		.public_key = unhex(vectors_text(all, "public_key"), public_key) };
	assert_int_equal(obfs4_args_check(NULL, &args, PTAH_CLIENT, why, sizeof(why)), 0);
	assert_int_equal(obfs4_args_bridge(&args, &bridge, &mode), 0);
	assert_int_equal(mode, 2);
	assert_memory_equal(&bridge, &same, sizeof(same));

	args.public_key.len = 0;
	assert_int_equal(obfs4_args_check(NULL, &args, PTAH_CLIENT, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "\"public-key\""));
	assert_non_null(strstr(why, "64 hex"));
	args = (struct obfs4_args){ .cert = "AAAA", .iat_mode = "0" };
	assert_int_equal(obfs4_args_check(NULL, &args, PTAH_CLIENT, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "\"cert\""));
	assert_non_null(strstr(why, "70 characters"));
	args = (struct obfs4_args){ .cert = cert, .iat_mode = "3" };
	assert_int_equal(obfs4_args_check(NULL, &args, PTAH_CLIENT, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "\"iat-mode\""));
	assert_non_null(strstr(why, "0, 1 or 2"));
	args = (struct obfs4_args){ .iat_mode = "0" };
	assert_int_equal(obfs4_args_check(NULL, &args, PTAH_CLIENT, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "\"cert\""));
}

/* OBFS-017 */
static void
a_server_wants_all_of_its_keys_or_none(void **state)
{
	uint8_t node_id[64], private_key[64], seed[64];
	struct ptah_span none = { NULL, 0 };
	struct ptah_span parts[3] = { unhex(vectors_text(all, "private_key_unclamped"), private_key),
		unhex(vectors_text(all, "node_id"), node_id), unhex(vectors_text(all, "drbg_seed"), seed) };
	static const char *const names[] = { "private-key", "node-id", "drbg-seed" };
	struct obfs4_identity identity;

	(void)state;
	for (unsigned there = 0; there < 8; there++) {
		struct obfs4_conf conf = { .private_key = there & 1 ? parts[0] : none, .node_id = there & 2 ? parts[1] : none,
			.drbg_seed = there & 4 ? parts[2] : none };
		char why[512] = "";
		int rc = obfs4_conf_check(&conf, PTAH_SERVER, why, sizeof(why));
		unsigned first = there & 1 ? there & 2 ? 2 : 1 : 0;

		if (there == 0 || there == 7) {
			assert_int_equal(rc, 0);
			assert_int_equal(obfs4_conf_identity(&conf, &identity), there == 7);
			continue;
		}
		assert_int_equal(rc, -EINVAL);
		assert_non_null(strstr(why, "missing argument '"));
		assert_memory_equal(strchr(why, '\'') + 1, names[first], strlen(names[first]));
	}
	char text[OBFS4_STATE_ROOM];
	identity.iat_mode = 1;
	assert_int_equal(obfs4_state_write(&identity, text), strlen(state_text));
	assert_memory_equal(text, state_text, strlen(state_text));
}

/* OBFS-116; the last of 10,000 takes as long as the first. */
static void
a_new_seed_gives_no_length_of_0_and_some_to_choose_from(void **state)
{
	struct obfs4_identity identity;
	struct ptah_probdist lengths;
	unsigned with_zero = 0, with_few = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		uint8_t seed[OBFS4_SEED_LEN] = { (uint8_t)i, (uint8_t)(i >> 8) };

		ptah_tables_lengths(&lengths, &obfs4_shape, seed);
		with_zero += ptah_probdist_has(&lengths, 0);
		with_few += lengths.n < 3;
		assert_int_equal(obfs4_seed_is_fit(seed), lengths.n >= 3 && !ptah_probdist_has(&lengths, 0));
		if (i % 10 == 0) {
			obfs4_identity_new(&identity, &any);
			assert_true(obfs4_seed_is_fit(identity.seed));
		}
	}
	/* about 3.5 of 100 of any seeds do */
	assert_in_range(with_zero, 250, 450);
	assert_in_range(with_few, 100, 300);
}

static void
generated_options_are_a_pair(void **state)
{
	char server[4096], client[4096], why[200];
	struct obfs4_conf conf = { .iat_mode = "2" };
	struct ptah_json *ours, *theirs;
	struct obfs4_identity identity = { .iat_mode = 0 };
	struct obfs4_bridge bridge;
	const char *ignored;

	(void)state;
	assert_int_equal(obfs4_generate(&conf, "192.0.2.1:443", (struct ptah_room){ (uint8_t *)server, sizeof(server) },
	    (struct ptah_room){ (uint8_t *)client, sizeof(client) }), 0);
	ours = ptah_json_parse(server, strlen(server), 0, why, sizeof(why));
	theirs = ptah_json_parse(client, strlen(client), 0, why, sizeof(why));
	assert_non_null(ours);
	assert_non_null(theirs);
	vectors_bytes(vectors_get(ours, "private-key"), identity.private_key, OBFS4_KEY_LEN);
	vectors_bytes(vectors_get(ours, "node-id"), identity.bridge.node_id, OBFS4_NODE_ID_LEN);
	obfs4_identity_finish(&identity);
	assert_int_equal(obfs4_cert_read(vectors_text(theirs, "cert"), &bridge, &ignored), 0);
	assert_memory_equal(&bridge, &identity.bridge, sizeof(bridge));
	assert_string_equal(vectors_text(ours, "iat-mode"), "2");
	assert_string_equal(vectors_text(theirs, "iat-mode"), "2");
	assert_string_equal(vectors_text(theirs, "serverAddress"), "192.0.2.1:443");
	ptah_json_free(ours);
	ptah_json_free(theirs);
	assert_int_equal(obfs4_generate(&conf, "192.0.2.1:443", (struct ptah_room){ (uint8_t *)server, 10 },
	    (struct ptah_room){ (uint8_t *)client, sizeof(client) }), -ENOSPC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_are_obfs4proxys),
		cmocka_unit_test(a_damaged_state_is_an_error),
		cmocka_unit_test(a_cert_is_read_as_it_is_written),
		cmocka_unit_test(an_iat_mode_is_0_1_or_2),
		cmocka_unit_test(link_options_say_what_is_wrong),
		cmocka_unit_test(a_server_wants_all_of_its_keys_or_none),
		cmocka_unit_test(a_new_seed_gives_no_length_of_0_and_some_to_choose_from),
		cmocka_unit_test(generated_options_are_a_pair),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
