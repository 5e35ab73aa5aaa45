/* SPDX-License-Identifier: BSD-3-Clause */
/* plain/datagram.h, plain/unframer.h: frames of both UDP modes, fed whole and byte by byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "plain/unframer.h"

#define SPAN(text) { (const uint8_t *)(text), sizeof(text) - 1 }
#define STUN "\0\1\0\0\x21\x12\xa4\x42" "transaction."
#define STUN8 "\1\1\0\x8\x21\x12\xa4\x42" "transaction.attribut"

static const struct {
	const char *name;
	int framing;
	struct ptah_span datagram, frame; /* frame of length 0: dropped */
	struct ptah_span back;            /* what comes out again; length 0: the datagram itself */
} cases[] = {
	{ "hello", PTAH_FRAMING_BE, SPAN("hello"), SPAN("\0\5hello"), SPAN("") },
	{ "hello, little-endian", PTAH_FRAMING_LE, SPAN("hello"), SPAN("\5\0hello"), SPAN("") },
	{ "empty", PTAH_FRAMING_BE, SPAN(""), SPAN("\0\0"), SPAN("") },
	{ "STUN binding request", PTAH_FRAMING_STUN, SPAN(STUN), SPAN(STUN), SPAN("") },
	{ "STUN with attributes", PTAH_FRAMING_STUN, SPAN(STUN8), SPAN(STUN8), SPAN("") },
	{ "STUN, trailing bytes", PTAH_FRAMING_STUN, SPAN(STUN "1234"), SPAN(""), SPAN("") },
	{ "STUN, cut", PTAH_FRAMING_STUN, SPAN("\0\1\0\x8\x21\x12\xa4\x42" "transaction."), SPAN(""), SPAN("") },
	{ "STUN, wrong cookie", PTAH_FRAMING_STUN, SPAN("\0\1\0\0\x21\x12\xa4\x43" "transaction."), SPAN(""), SPAN("") },
	{ "STUN, length not a multiple of 4", PTAH_FRAMING_STUN, SPAN("\0\1\0\2\x21\x12\xa4\x42" "transaction.12"), SPAN(""), SPAN("") },
	{ "channel data", PTAH_FRAMING_STUN, SPAN("\x40\0\0\5hello"), SPAN("\x40\0\0\5hello\0\0\0"), SPAN("") },
	{ "channel data, padded", PTAH_FRAMING_STUN, SPAN("\x40\0\0\5hello...") , SPAN("\x40\0\0\5hello\0\0\0"), SPAN("\x40\0\0\5hello") },
	{ "channel data, padded too much", PTAH_FRAMING_STUN, SPAN("\x40\0\0\5hello...."), SPAN(""), SPAN("") },
	{ "channel data, cut", PTAH_FRAMING_STUN, SPAN("\x40\0\0\5hell"), SPAN(""), SPAN("") },
	{ "channel data, empty", PTAH_FRAMING_STUN, SPAN("\x7f\xff\0\0"), SPAN("\x7f\xff\0\0"), SPAN("") },
	{ "DTLS", PTAH_FRAMING_STUN, SPAN("\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x8" "handshake"), SPAN(""), SPAN("") },
	{ "RTP", PTAH_FRAMING_STUN, SPAN("\x80\0\0\1timestampssrc"), SPAN(""), SPAN("") },
	{ "three bytes", PTAH_FRAMING_STUN, SPAN("\0\1\0"), SPAN(""), SPAN("") },
};

static void
frames_what_is_of_the_mode_and_drops_the_rest(void **state)
{
	static uint8_t out[PTAH_FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = ptah_datagram_frame(cases[i].framing, cases[i].datagram, out);

		if (n != cases[i].frame.len || (n > 0 && memcmp(out, cases[i].frame.at, n) != 0))
			fail_msg("%s: framed as %zu bytes", cases[i].name, n);
	}
}

struct heard {
	size_t n, bytes;
	uint8_t last[64];
	size_t last_len;
};

static void
note(struct ptah_span datagram, void *arg)
{
	struct heard *heard = arg;

	heard->n++;
	heard->bytes += datagram.len;
	heard->last_len = datagram.len < sizeof(heard->last) ? datagram.len : sizeof(heard->last);
	memcpy(heard->last, datagram.at, heard->last_len);
}

static void
on_datagrams(const struct ptah_span *datagrams, size_t n, void *arg)
{
	for (size_t i = 0; i < n; i++)
		note(datagrams[i], arg);
}

static void
finds_every_datagram_however_the_stream_is_cut(void **state)
{
	(void)state;
	for (int framing = PTAH_FRAMING_BE; framing <= PTAH_FRAMING_STUN; framing++)
		for (size_t piece = 1; piece <= 40; piece++) {
			struct ptah_unframer unframer = { 0 };
			struct heard heard = { 0 };
			uint8_t stream[512];
			size_t len = 0, n = 0;
			struct ptah_span last = { NULL, 0 };

			for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
				if (cases[i].framing != framing || cases[i].frame.len == 0)
					continue;
				memcpy(stream + len, cases[i].frame.at, cases[i].frame.len);
				len += cases[i].frame.len;
				last = cases[i].back.len > 0 ? cases[i].back : cases[i].datagram;
				n++;
			}
			for (size_t at = 0; at < len; at += piece)
				assert_int_equal(ptah_unframer_feed(&unframer, framing,
				    (struct ptah_span){ stream + at, len - at < piece ? len - at : piece }, on_datagrams, &heard), 0);
			assert_int_equal(heard.n, n);
			assert_int_equal(heard.last_len, last.len);
			if (last.len > 0)
				assert_memory_equal(heard.last, last.at, last.len);
			assert_int_equal(unframer.tail_len, 0);
			assert_null(unframer.tail);
			ptah_unframer_clear(&unframer);
		}
}

static void
carries_the_longest_frame(void **state)
{
	struct ptah_unframer unframer = { 0 };
	struct heard heard = { 0 };
	uint8_t *stream = calloc(1, 2 + 65535);

	(void)state;
	assert_non_null(stream);
	stream[0] = stream[1] = 0xff;
	assert_int_equal(ptah_unframer_feed(&unframer, PTAH_FRAMING_BE, (struct ptah_span){ stream, 40000 }, on_datagrams, &heard), 0);
	assert_int_equal(heard.n, 0);
	assert_int_equal(ptah_unframer_feed(&unframer, PTAH_FRAMING_BE, (struct ptah_span){ stream + 40000, 25537 }, on_datagrams, &heard), 0);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.bytes, 65535);
	ptah_unframer_clear(&unframer);
	free(stream);
}

static void
says_when_a_stream_is_broken(void **state)
{
	static const struct ptah_span broken[] = {
		SPAN("\x80"), SPAN("\xc0\0\0\0"), SPAN("\0\1\0\6"), SPAN("\0\1\0\0\x21\x13"),
		SPAN("\0\1\0\0\x21\x12\xa4\x43transaction."),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct ptah_unframer unframer = { 0 };
		struct heard heard = { 0 };

		assert_int_equal(ptah_unframer_feed(&unframer, PTAH_FRAMING_STUN, broken[i], on_datagrams, &heard), -EPROTO);
		assert_int_equal(heard.n, 0);
		ptah_unframer_clear(&unframer);
	}
}

/* A full queue takes whole frames from the head, as many as fit. */
static void
cuts_a_burst_between_frames(void **state)
{
	static const uint8_t frames[] = { 0, 3, 'o', 'n', 'e', 0, 0, 0, 2, 'a', 'b' };
	static const struct {
		size_t room, len, n;
	} fits[] = { { 0, 0, 0 }, { 4, 0, 0 }, { 5, 5, 1 }, { 6, 5, 1 }, { 7, 7, 2 }, { 10, 7, 2 }, { 11, 11, 3 }, { 4000, 11, 3 } };
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		assert_int_equal(ptah_datagram_fit(PTAH_FRAMING_BE, (struct ptah_span){ frames, sizeof(frames) }, fits[i].room, &n), fits[i].len);
		assert_int_equal(n, fits[i].n);
	}
	assert_int_equal(ptah_datagram_fit(PTAH_FRAMING_STUN, (struct ptah_span){ NULL, 0 }, 10, &n), 0);
	assert_int_equal(n, 0);
}

/* What no stream frames is looked at all the same. */
static void
knows_what_is_of_the_mode(void **state)
{
	static const uint8_t stun[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };
	static const uint8_t channel[8] = { 0x40, 0, 0, 3, 'a', 'b', 'c' };

	(void)state;
	assert_true(ptah_datagram_is_fit(PTAH_FRAMING_BE, (struct ptah_span){ NULL, 0 }));
	assert_false(ptah_datagram_is_fit(PTAH_FRAMING_STUN, (struct ptah_span){ NULL, 0 }));
	assert_true(ptah_datagram_is_fit(PTAH_FRAMING_STUN, (struct ptah_span){ stun, 20 }));
	assert_false(ptah_datagram_is_fit(PTAH_FRAMING_STUN, (struct ptah_span){ stun, 19 }));
	assert_true(ptah_datagram_is_fit(PTAH_FRAMING_STUN, (struct ptah_span){ channel, 7 }));
	assert_true(ptah_datagram_is_fit(PTAH_FRAMING_STUN, (struct ptah_span){ channel, 8 }));
	assert_false(ptah_datagram_is_fit(PTAH_FRAMING_STUN, (struct ptah_span){ channel, 6 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_what_is_of_the_mode_and_drops_the_rest),
		cmocka_unit_test(finds_every_datagram_however_the_stream_is_cut),
		cmocka_unit_test(carries_the_longest_frame),
		cmocka_unit_test(says_when_a_stream_is_broken),
		cmocka_unit_test(cuts_a_burst_between_frames),
		cmocka_unit_test(knows_what_is_of_the_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
