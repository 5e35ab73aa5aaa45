/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The codec with a host of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shadow.h"

/* ---- tests -------------------------------------------------------------- */

static void
web_071_carries_both_ways_however_it_is_cut(void **state)
{
	static const char *const ciphers[] = { "chacha20-ietf-poly1305", "aes-256-gcm", "aes-192-gcm", "AES-128-GCM" };
	static const size_t cuts[] = { 1, 17, 1000, 0x3fff, STREAM_MAX * 2 };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 5; j++)
			for (uint32_t profile = SHADOW_RAW; profile <= SHADOW_SS; profile++) {
				size_t len = cuts[j] == 1 ? 40000 : STREAM_MAX;

				by_event = (i + j) % 2 == 1;
				open_both(ciphers[i], profile);
				say(&client, stream, len);
				assert_int_equal(client.n_writes, 1);
				carry(&client, &server, cuts[j]);
				assert_int_equal(server.plain_out.len, len);
				assert_memory_equal(server.plain_out.at, stream, len);
				say(&server, stream, len);
				carry(&server, &client, cuts[j]);
				assert_int_equal(client.plain_out.len, len);
				assert_memory_equal(client.plain_out.at, stream, len);
				assert_int_equal(client.rc | server.rc, 0);
				close_both();
			}
	by_event = false;
}

static void
web_064_makes_chunks_of_the_largest_length(void **state)
{
	const size_t n = (STREAM_MAX + 0x3ffe) / 0x3fff;

	(void)state;
	open_both("aes-128-gcm", SHADOW_RAW);
	say(&client, stream, STREAM_MAX);
	assert_int_equal(client.wire_out.len, 16 + STREAM_MAX + n * SHADOW_CHUNK_HEAD);
	close_both();
}

static void
sends_the_address_with_the_first_bytes_or_alone(void **state)
{
	(void)state;
	open_both("aes-128-gcm", SHADOW_SS);
	assert_int_equal(client.wire_out.len, 0);
	assert_true(client.timer);
	tell(&client, PTAH_EV_TIMER, 0);
	assert_int_equal(client.wire_out.len, 16 + SHADOW_CHUNK_HEAD + 7);
	carry(&client, &server, SIZE_MAX);
	assert_true(server.open);
	/* The timer that comes too late says nothing more. */
	tell(&client, PTAH_EV_TIMER, 0);
	assert_int_equal(client.wire_out.len, 0);
	close_both();
	open_both("aes-128-gcm", SHADOW_SS);
	client.plain_ended = true;
	run(&client);
	assert_int_equal(client.wire_out.len, 16 + SHADOW_CHUNK_HEAD + 7);
	close_both();
}

static void
web_065_answers_nothing_to_noise(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 300; len++) {
		open_both("chacha20-ietf-poly1305", len % 2);
		randombytes_buf(server.wire_in.at, len);
		server.wire_in.len = len;
		run(&server);
		assert_int_equal(server.wire_out.len, 0);
		assert_false(server.open || server.admitted);
		assert_int_equal(server.rc, len < 50 ? 0 : PTAH_REJECT);
		assert_int_equal(server.manner, PTAH_SILENT);
		close_both();
	}
}

static void
web_066_answers_nothing_to_a_replay(void **state)
{
	static struct bytes flight;
	const struct shadow_options options = options_of("aes-256-gcm", SHADOW_SS);

	(void)state;
	for (int way = 0; way < 2; way++) {
		by_event = way == 1;
		open_both("aes-256-gcm", SHADOW_SS);
		say(&client, stream, 100);
		flight = client.wire_out;
		carry(&client, &server, SIZE_MAX);
		assert_int_equal(server.plain_out.len, 100);
		module->close(&server.link, 0);
		end_open(&server, PTAH_SERVER, &options, NULL);
		add(&server.wire_in, flight.at, flight.len);
		run(&server);
		assert_int_equal(server.rc, PTAH_REJECT);
		assert_int_equal(server.wire_out.len, 0);
		assert_false(server.open || server.admitted);
		assert_int_equal(counts[SHADOW_COUNT_REPLAYED], 1);
		close_both();
	}
	by_event = false;
}

static void
refuses_its_own_bytes(void **state)
{
	const struct shadow_options options = options_of("aes-256-gcm", SHADOW_RAW);

	(void)state;
	open_both("aes-256-gcm", SHADOW_RAW);
	say(&client, stream, 100);
	add(&client.wire_in, client.wire_out.at, client.wire_out.len);
	carry(&client, &server, SIZE_MAX);
	run(&client);
	assert_int_equal(client.rc, -EBADMSG);
	assert_int_equal(client.plain_out.len, 0);
	say(&server, stream, 100);
	module->close(&client.link, 0);
	end_open(&client, PTAH_SERVER, &options, NULL);
	carry(&server, &client, SIZE_MAX);
	assert_int_equal(client.rc, PTAH_REJECT);
	close_both();
}

static void
web_067_refuses_a_broken_chunk_later_on(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		struct end *from = who == 0 ? &client : &server, *to = who == 0 ? &server : &client;

		open_both("aes-128-gcm", SHADOW_RAW);
		say(&client, stream, 100);
		carry(&client, &server, SIZE_MAX);
		say(&server, stream, 100);
		carry(&server, &client, SIZE_MAX);
		say(from, stream, 100);
		from->wire_out.at[from->wire_out.len - 1] ^= 1;
		carry(from, to, SIZE_MAX);
		assert_int_equal(to->rc, who == 0 ? PTAH_REJECT : -EBADMSG);
		assert_int_equal(to->plain_out.len, 100);
		assert_int_equal(to->wire_out.len, 0);
		close_both();
	}
}

static void
web_068_takes_an_address_in_pieces(void **state)
{
	static const uint8_t text[] = "\x03\x0b" "example.com\x01\xbbhello";

	(void)state;
	for (size_t cut = 1; cut < sizeof(text); cut++) {
		/* A client of profile raw may cut its chunks where it likes. */
		const struct shadow_options raw = options_of("aes-128-gcm", SHADOW_RAW);
		const char *all = "*";
		struct shadow_options ss = options_of("aes-128-gcm", SHADOW_SS);

		ss.allow = (struct ptah_list){ &all, 1 };
		n_seen = 0;
		end_open(&client, PTAH_CLIENT, &raw, NULL);
		end_open(&server, PTAH_SERVER, &ss, NULL);
		for (size_t at = 0; at < sizeof(text) - 1; at += cut)
			say(&client, text + at, sizeof(text) - 1 - at < cut ? sizeof(text) - 1 - at : cut);
		carry(&client, &server, SIZE_MAX);
		assert_string_equal(server.dest, "example.com:443");
		assert_int_equal(server.plain_out.len, 5);
		assert_memory_equal(server.plain_out.at, "hello", 5);
		close_both();
	}
}

static void
web_070_is_silent_outside_of_allow(void **state)
{
	const char *item = "192.0.2.1:80";
	const struct shadow_options plain = options_of("aes-128-gcm", SHADOW_SS);
	struct shadow_options narrow = plain;

	(void)state;
	narrow.allow = (struct ptah_list){ &item, 1 };
	n_seen = 0;
	for (int way = 0; way < 2; way++) {
		end_open(&client, PTAH_CLIENT, &plain, way == 0 ? "192.0.2.1:443" : "192.0.2.1:80");
		end_open(&server, PTAH_SERVER, &narrow, NULL);
		say(&client, stream, 10);
		carry(&client, &server, SIZE_MAX);
		assert_int_equal(server.rc, way == 0 ? PTAH_REJECT : 0);
		assert_int_equal(server.admitted, way);
		assert_int_equal(server.wire_out.len, 0);
		close_both();
	}
	assert_int_equal(counts[SHADOW_COUNT_FORBIDDEN], 1);
}

static void
web_075_begins_with_the_prefix(void **state)
{
	struct shadow_options options = options_of("chacha20-ietf-poly1305", SHADOW_RAW);

	(void)state;
	options.prefix = "%16%03%01%00%c2%a8%01%01";
	n_seen = 0;
	end_open(&client, PTAH_CLIENT, &options, NULL);
	end_open(&server, PTAH_SERVER, &options, NULL);
	say(&client, stream, 10);
	assert_memory_equal(client.wire_out.at, "\x16\x03\x01\0\xc2\xa8\1\1", 8);
	carry(&client, &server, SIZE_MAX);
	assert_int_equal(server.plain_out.len, 10);
	close_both();
}

static void
web_077_holds_its_eof_until_the_peer_has_said_all(void **state)
{
	(void)state;
	open_both("aes-128-gcm", SHADOW_SS);
	say(&client, stream, 10);
	client.plain_ended = true;
	run(&client);
	assert_true(client.hold[0]);
	carry(&client, &server, SIZE_MAX);
	say(&server, stream, 20);
	carry(&server, &client, SIZE_MAX);
	assert_int_equal(client.plain_out.len, 20);
	assert_false(client.wire_finished);
	client.wire_ended = true;
	call(&client, true, NULL, NULL);
	assert_true(client.wire_finished);
	close_both();
	open_both("aes-128-gcm", SHADOW_RAW);
	say(&client, stream, 10);
	client.plain_ended = true;
	run(&client);
	assert_false(client.hold[0]);
	close_both();
}

static void
fails_when_the_stream_ends_within_a_chunk(void **state)
{
	(void)state;
	open_both("aes-128-gcm", SHADOW_RAW);
	say(&client, stream, 100);
	client.wire_out.len--;
	carry(&client, &server, SIZE_MAX);
	server.wire_ended = true;
	call(&server, true, NULL, NULL);
	assert_int_equal(server.rc, -ECONNRESET);
	close_both();
}

static void
needs_a_destination_in_profile_ss(void **state)
{
	const struct shadow_options options = options_of("aes-128-gcm", SHADOW_SS);

	(void)state;
	end_open(&client, PTAH_CLIENT, &options, NULL);
	assert_int_equal(client.rc, -EDESTADDRREQ);
	module->close(&client.link, client.rc);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(web_071_carries_both_ways_however_it_is_cut),
		cmocka_unit_test(web_064_makes_chunks_of_the_largest_length),
		cmocka_unit_test(sends_the_address_with_the_first_bytes_or_alone),
		cmocka_unit_test(web_065_answers_nothing_to_noise),
		cmocka_unit_test(web_066_answers_nothing_to_a_replay),
		cmocka_unit_test(refuses_its_own_bytes),
		cmocka_unit_test(web_067_refuses_a_broken_chunk_later_on),
		cmocka_unit_test(web_068_takes_an_address_in_pieces),
		cmocka_unit_test(web_070_is_silent_outside_of_allow),
		cmocka_unit_test(web_075_begins_with_the_prefix),
		cmocka_unit_test(web_077_holds_its_eof_until_the_peer_has_said_all),
		cmocka_unit_test(fails_when_the_stream_ends_within_a_chunk),
		cmocka_unit_test(needs_a_destination_in_profile_ss),
	};

	return cmocka_run_group_tests(tests, start_links, NULL);
}
