/* SPDX-License-Identifier: BSD-3-Clause */
/* Transcripts of ipc.md 14.6, each fed whole and byte by byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "config/flag.h"
#include "plain/socks.h"
#include "wire/dial.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A request for 127.0.0.1:443. */
#define R443 "05010001 7f000001 01bb"
#define LOCAL "127.0.0.1:443"

#define MORE PTAH_SOCKS_MORE
#define ASKS PTAH_SOCKS_REQUEST
#define FAILED PTAH_SOCKS_FAILED
#define CLOSED PTAH_SOCKS_CLOSED

/* After the input: nothing, or what the driver would do next. */
#define TIMEOUT 1

struct transcript {
	int dialect;
	const char *in;  /* hex, with texts between single quotes */
	const char *out; /* hex */
	int status;
	int then;
	const char *dest; /* of a request; "" none, NULL a bad one */
	const char *args; /* as JSON; NULL none */
	const char *rest; /* not eaten */
	bool legacy80;
};

/* "0501'text'00" into bytes. */
static void
decode(const char *text, struct ptah_buf *out)
{
	while (*text != '\0') {
		if (*text == '\'') {
			const char *end = strchr(++text, '\'');

			ptah_buf_add(out, text, (size_t)(end - text));
			text = end + 1;
		} else if (*text == ' ') {
			text++;
		} else {
			char hex[3] = { text[0], text[1], '\0' };
			uint8_t byte;

			assert_int_equal(ptah_text_unhex(hex, &byte, 1), 1);
			ptah_buf_add(out, &byte, 1);
			text += 2;
		}
	}
}

static void
play(const struct transcript *t, size_t step)
{
	struct ptah_buf in = { 0 }, out = { 0 }, want = { 0 };
	struct ptah_socks socks;
	size_t at = 0;
	char shown[PTAH_DEST_TEXT] = "";

	decode(t->in, &in);
	decode(t->out, &want);
	ptah_socks_init(&socks, t->dialect, t->legacy80);
	while (at < in.len && socks.status == MORE) {
		size_t len = in.len - at < step ? in.len - at : step;
		size_t ate;
		uint8_t *copy = malloc(len); /* so that a read past the end is seen */

		memcpy(copy, in.at + at, len);
		ate = ptah_socks_feed(&socks, (struct ptah_span){ copy, len });
		free(copy);
		assert_true(ate == len || (ate < len && socks.status != MORE));
		at += ate;
		ptah_buf_add(&out, socks.out, socks.out_len);
		socks.out_len = 0;
	}
	if (t->then == TIMEOUT) {
		assert_int_equal(socks.status, MORE);
		ptah_socks_timeout(&socks);
		ptah_buf_add(&out, socks.out, socks.out_len);
	}
	assert_int_equal(socks.status, t->status);
	assert_int_equal(out.len, want.len);
	assert_true(out.len == 0 || memcmp(out.at, want.at, out.len) == 0);
	assert_true((socks.why != NULL) == (t->status == FAILED || t->status == CLOSED) || socks.hurry);
	if (t->status == ASKS) {
		assert_int_equal(socks.dest_bad, t->dest == NULL);
		if (socks.dest.host[0] != '\0')
			ptah_dest_format(&socks.dest, shown);
		assert_string_equal(shown, t->dest != NULL ? t->dest : "");
		assert_int_equal(socks.args != NULL, t->args != NULL);
		if (t->args != NULL) {
			char *text = ptah_json_text(socks.args);

			assert_string_equal(text, t->args);
			free(text);
		}
		assert_int_equal(in.len - at, t->rest != NULL ? strlen(t->rest) : 0);
		if (t->rest != NULL)
			assert_memory_equal(in.at + at, t->rest, in.len - at);
	}
	ptah_socks_clear(&socks);
	ptah_buf_clear(&in);
	ptah_buf_clear(&out);
	ptah_buf_clear(&want);
}

static void
play_all(const struct transcript *all, size_t n)
{
	static const size_t steps[] = { SIZE_MAX, 1, 2, 3, 7 };

	for (size_t i = 0; i < n; i++) {
		for (size_t s = 0; s < COUNT(steps); s++)
			play(&all[i], steps[s]);
	}
}

static void
chooses_the_method_by_dialect(void **state)
{
	static const struct transcript all[] = {
		{ PTAH_D3, "050100", "0500", MORE, 0, NULL, NULL, NULL, false },                 /* IPC-160 */
		{ PTAH_D1, "05020002", "0502", MORE, 0, NULL, NULL, NULL, false },               /* IPC-161 */
		{ PTAH_D3, "05020002", "0500", MORE, 0, NULL, NULL, NULL, false },               /* IPC-162 */
		{ PTAH_D2, "05020200", "0500", MORE, 0, NULL, NULL, NULL, false },
		{ PTAH_D22, "050102", "0502", MORE, 0, NULL, NULL, NULL, false },                /* IPC-163 */
		{ PTAH_D3, "0503000209", "0509", MORE, 0, NULL, NULL, NULL, false },             /* IPC-164 */
		{ PTAH_D1, "0503000902", "0502", MORE, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "05020009", "0509", MORE, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050101", "05ff", FAILED, 0, NULL, NULL, NULL, false },               /* IPC-165 */
		{ PTAH_D3, "0500", "05ff", FAILED, 0, NULL, NULL, NULL, false },                 /* IPC-166 */
		{ PTAH_D3, "050180", "05ff", FAILED, 0, NULL, NULL, NULL, false },               /* IPC-167 */
		{ PTAH_D3, "050180", "0580", MORE, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "05028000", "0580", MORE, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "05028009", "0509", MORE, 0, NULL, NULL, NULL, true },
		{ PTAH_D1, "0504 80000902", "0502", MORE, 0, NULL, NULL, NULL, true },
		{ PTAH_D1, "0502 8000", "0580", MORE, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "0502 8000", "0500", MORE, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "0501ff", "05ff", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "47", "", CLOSED, 0, NULL, NULL, NULL, false },                       /* IPC-210 */
		{ PTAH_D3, "'GET / HTTP'", "", CLOSED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "04", "", CLOSED, 0, NULL, NULL, NULL, false },                       /* IPC-215 */
		{ PTAH_D2, "0401 01bb 7f000001 00", "", CLOSED, 0, NULL, NULL, NULL, false },
	};
	struct ptah_buf many = { 0 };
	struct ptah_socks socks;

	(void)state;
	play_all(all, COUNT(all));

	ptah_buf_add(&many, "\5\377", 2);
	for (int i = 1; i <= 255; i++)
		ptah_buf_add(&many, (uint8_t[]){ (uint8_t)i }, 1);
	ptah_socks_init(&socks, PTAH_D3, false);
	assert_int_equal(ptah_socks_feed(&socks, (struct ptah_span){ many.at, many.len }), 257);
	assert_memory_equal(socks.out, "\5\11", 2);
	ptah_buf_clear(&many);
}

static void
reads_requests(void **state)
{
	static const struct transcript all[] = {
		{ PTAH_D3, "050100" R443, "0500", ASKS, 0, LOCAL, NULL, NULL, false },
		{ PTAH_D3, "050100" R443 "'0123456789'", "0500", ASKS, 0, LOCAL, NULL, "0123456789", false }, /* IPC-211 */
		{ PTAH_D3, "050100 05010003 0b'example.com'0050", "0500", ASKS, 0, "example.com:80", NULL, NULL, false },
		{ PTAH_D3, "050100 05010003 09'127.0.0.1'0050", "0500", ASKS, 0, "127.0.0.1:80", NULL, NULL, false },
		{ PTAH_D3, "050100 05010003 03'::1'0050'x'", "0500", ASKS, 0, "[::1]:80", NULL, "x", false },
		{ PTAH_D3, "050100 05010004 20010db8000000000000000000000001 ffff", "0500", ASKS, 0,
		    "[2001:db8::1]:65535", NULL, NULL, false },
		/* all zeros: a bound transport (IPC-196, 197) */
		{ PTAH_D3, "050100 05010004 00000000000000000000000000000000 0000", "0500", ASKS, 0, "", NULL, NULL, false },
		{ PTAH_D3, "050100 05010001 00000000 0000", "0500", ASKS, 0, "", NULL, NULL, false },
		{ PTAH_D3, "050100 05010001 00000000 0001", "0500", ASKS, 0, "0.0.0.0:1", NULL, NULL, false },
		{ PTAH_D3, "050100 05010001 7f000001 0000", "0500", ASKS, 0, "127.0.0.1:0", NULL, NULL, false },
		/* names that no resolver would find; a serverAddress may still save them (IPC-208) */
		{ PTAH_D3, "050100 05010003 03'a b'0050", "0500", ASKS, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05010003 02'..'0050", "0500", ASKS, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05010003 03 610062 0050", "0500", ASKS, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05010003 01 00 0050", "0500", ASKS, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05010003 40'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd'0050", "0500",
		    ASKS, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 050200 01 7f000001 01bb", "0500 05070001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-200 */
		{ PTAH_D3, "050100 05030001", "0500 05070001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050100 05f00003", "0500 05070001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05f10003", "0500 05070001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05000001", "0500 05070001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05010005", "0500 05080001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-201 */
		{ PTAH_D3, "050100 05010000", "0500 05080001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 0501000300", "0500 05010001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-202 */
		{ PTAH_D3, "050100 04", "0500 05010001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-203 */
		{ PTAH_D3, "050100 05010101", "0500 05010001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 05020101", "0500 05010001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		/* time's up */
		{ PTAH_D3, "", "", CLOSED, TIMEOUT, NULL, NULL, NULL, false }, /* IPC-209 */
		{ PTAH_D3, "05", "", CLOSED, TIMEOUT, NULL, NULL, NULL, false },
		{ PTAH_D3, "050200", "", CLOSED, TIMEOUT, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100", "0500 05010001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false },
		{ PTAH_D3, "050100 0501000305'abc'", "0500 05010001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 01", "0502 05010001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false },
	};

	(void)state;
	play_all(all, COUNT(all));
}

static void
reads_pt1_arguments_from_a_login(void **state)
{
	static const struct transcript all[] = {
		{ PTAH_D1, "05020002 012c'shared-secret=rahasia;secrets-file=/tmp/blob'0100" R443, "0502 0100", ASKS, 0,
		    LOCAL, "{\"shared-secret\":\"rahasia\",\"secrets-file\":\"/tmp/blob\"}", NULL, false }, /* IPC-168 */
		{ PTAH_D1, "050102 0104'k=a\\'04';b=c'" R443, "0502 0100", ASKS, 0, LOCAL, "{\"k\":\"a;b=c\"}", NULL,
		    false }, /* IPC-172 */
		{ PTAH_D1, "050102 010c'cert=abc=def'0100" R443, "0502 0100", ASKS, 0, LOCAL, "{\"cert\":\"abc=def\"}",
		    NULL, false }, /* IPC-173 */
		{ PTAH_D1, "050102 010c'k=a\\;b\\\\c\\=d'0100" R443, "0502 0100", ASKS, 0, LOCAL,
		    "{\"k\":\"a;b\\\\c=d\"}", NULL, false }, /* IPC-174 */
		{ PTAH_D1, "050102 0102'k='0100" R443, "0502 0100", ASKS, 0, LOCAL, "{\"k\":\"\"}", NULL, false }, /* IPC-177 */
		{ PTAH_D1, "050102 0107'a=1;a=2'0100" R443, "0502 0100", ASKS, 0, LOCAL, "{\"a\":[\"1\",\"2\"]}", NULL,
		    false }, /* IPC-178 */
		{ PTAH_D3, "050102 0103'k=v'0100" R443 "'data'", "0502 0100", ASKS, 0, LOCAL, "{\"k\":\"v\"}", "data", false },
		{ PTAH_D1, "050102 0102'k='01'x'" R443, "0502 0100", ASKS, 0, LOCAL, "{\"k\":\"x\"}", NULL, false },
		/* IPC-175 */
		{ PTAH_D1, "050102 0102'=v'0100", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0101'k'0100", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0104'k=v;'0100", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0104'k=v\\'0100", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0108'k=v;;x=y'0100", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0103'k=v'0200 00", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0103'k=v'02'w'00", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0104'k='0061 0100", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		/* IPC-176 */
		{ PTAH_D1, "050102 0100", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 0103'k=v'00", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "050102 05", "0502 0101", FAILED, 0, NULL, NULL, NULL, false },
	};

	(void)state;
	play_all(all, COUNT(all));
}

/* A login whose 'len' bytes are "k=" and then letters, cut as Tor cuts. */
static char *
long_login(size_t len, char last)
{
	struct ptah_buf hex = { 0 };
	size_t first = len < 255 ? len : 255;

	ptah_buf_printf(&hex, "050102 01%02zx'k=", first);
	for (size_t i = 2; i < len; i++) {
		if (i == 255)
			ptah_buf_printf(&hex, "' %02zx'", len - 255);
		ptah_buf_printf(&hex, "%c", i + 1 == len ? last : 'a' + (int)(i % 26));
	}
	ptah_buf_puts(&hex, len > 255 ? "'" R443 : "'0100" R443);
	return ptah_buf_take_text(&hex);
}

static void
joins_long_arguments(void **state)
{
	static const size_t lens[] = { 254, 255, 256, 257, 300, 509, 510 };

	(void)state;
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct ptah_buf args = { 0 };
		char *in = long_login(lens[i], 'x');
		struct transcript t = { PTAH_D1, in, "0502 0100", ASKS, 0, LOCAL, NULL, NULL, false };

		ptah_buf_puts(&args, "{\"k\":\"");
		for (size_t n = 2; n + 1 < lens[i]; n++)
			ptah_buf_printf(&args, "%c", 'a' + (int)(n % 26));
		ptah_buf_puts(&args, "x\"}");
		t.args = (const char *)args.at;
		play_all(&t, 1); /* IPC-169, 170, 171 */
		ptah_buf_clear(&args);
		free(in);
	}
}

#define JSON57 "'{\"shared-secret\": \"rahasia\", \"secrets-file\": \"/tmp/blob\"}'"
#define ARGS57 "{\"shared-secret\":\"rahasia\",\"secrets-file\":\"/tmp/blob\"}"

static void
reads_json_blocks(void **state)
{
	static const struct transcript all[] = {
		{ PTAH_D3, "050109 00000039" JSON57 R443, "0509", ASKS, 0, LOCAL, ARGS57, NULL, false }, /* IPC-180 to 182 */
		{ PTAH_D1, "050109 00000039" JSON57 R443 "'x'", "0509", ASKS, 0, LOCAL, ARGS57, "x", false },
		{ PTAH_D3, "050109 00000039" JSON57, "0509", MORE, 0, NULL, NULL, NULL, false }, /* no answer to the block */
		{ PTAH_D3, "050109 00000002'{}'" R443, "0509", ASKS, 0, LOCAL, "{}", NULL, false }, /* IPC-183 */
		{ PTAH_D3, "050109 00000004' {} '" R443, "0509", ASKS, 0, LOCAL, "{}", NULL, false },
		{ PTAH_D3, "050109 0000000d'{\"a\":1,\"a\":2}'" R443, "0509", ASKS, 0, LOCAL, "{\"a\":2}", NULL, false },
		{ PTAH_D3, "050109 00010001", "0509 05100001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-184 */
		{ PTAH_D3, "050109 ffffffff", "0509 05100001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-185 */
		{ PTAH_D1, "050109 ffffffff", "0509 05100001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 0000000a'{\"a\":'", "0509 05110001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false }, /* IPC-186 */
		{ PTAH_D3, "050109 000000", "0509 05110001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109", "0509 05110001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 00000000" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-187 */
		{ PTAH_D3, "050109 00000002'}{'" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-188 */
		{ PTAH_D3, "050109 00000002'[]'" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-189 */
		{ PTAH_D3, "050109 00000004'null'" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 00000008'{\"a\":1}x'" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 00000009'{\"a\":\"'ff'\"}'" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 0000000b'{shared: 1}'" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false }, /* IPC-190 */
		{ PTAH_D3, "050109 00000005 efbbbf'{}'" R443, "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		/* the bad block is said when the request is there, good or bad, or late */
		{ PTAH_D3, "050109 00000002'[]' 050100", "0509", MORE, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 00000002'[]' 050200 01", "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 00000002'[]' 05010001 00000000 0000", "0509 05120001000000000000", FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 00000002'[]' 050100", "0509 05120001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false },
		{ PTAH_D3, "050109 00000002'{}' 050100", "0509 05010001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, false },
	};
	struct ptah_socks socks;

	(void)state;
	play_all(all, COUNT(all));

	ptah_socks_init(&socks, PTAH_D3, false);
	ptah_socks_feed(&socks, (struct ptah_span){ (const uint8_t *)"\5\1\11\0\0\0\2{}", 9 });
	assert_false(socks.hurry);
	ptah_socks_clear(&socks);
	ptah_socks_init(&socks, PTAH_D3, false);
	ptah_socks_feed(&socks, (struct ptah_span){ (const uint8_t *)"\5\1\11\0\0\0\2[]", 9 });
	assert_true(socks.hurry);
	ptah_socks_clear(&socks);
}

static void
holds_the_limits_of_a_block(void **state)
{
	static const struct {
		bool bare;
		size_t len, levels;
		int status;
	} cases[] = {
		{ false, 65536, 1, ASKS },
		{ true, 65536, 1, ASKS },
		{ true, 65537, 1, FAILED },
		{ false, 400, 32, ASKS },
		{ false, 400, 33, FAILED },
		{ true, 400, 32, ASKS },
		{ true, 400, 33, FAILED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_buf json = { 0 }, in = { 0 };
		struct ptah_socks socks;
		size_t len = cases[i].len;

		for (size_t n = 0; n < cases[i].levels; n++)
			ptah_buf_puts(&json, "{\"a\":");
		ptah_buf_puts(&json, "\"");
		while (json.len + 1 + cases[i].levels < len)
			ptah_buf_puts(&json, "x");
		ptah_buf_puts(&json, "\"");
		for (size_t n = 0; n < cases[i].levels; n++)
			ptah_buf_puts(&json, "}");
		assert_int_equal(json.len, len);
		ptah_buf_add(&in, cases[i].bare ? "\5\1\200" : "\5\1\11", 3);
		if (!cases[i].bare)
			ptah_buf_add(&in, (uint8_t[]){ 0, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len }, 4);
		ptah_buf_add(&in, json.at, json.len);
		ptah_buf_add(&in, "\5\1\0\1\177\0\0\1\0\1tail", 14);

		ptah_socks_init(&socks, PTAH_D3, true);
		for (size_t at = 0; socks.status == MORE && at < in.len;) {
			size_t n = in.len - at < 1000 ? in.len - at : 1000;
			size_t ate = ptah_socks_feed(&socks, (struct ptah_span){ in.at + at, n });

			at += ate;
			if (socks.status == ASKS)
				assert_int_equal(in.len - at, 4);
		}
		assert_int_equal(socks.status, cases[i].status);
		ptah_socks_clear(&socks);
		ptah_buf_clear(&json);
		ptah_buf_clear(&in);
	}
}

static void
serves_the_old_private_method(void **state)
{
	static const struct transcript all[] = {
		{ PTAH_D3, "050180 '{\"a\":1}'" R443 "'x'", "0580", ASKS, 0, LOCAL, "{\"a\":1}", "x", true }, /* IPC-218 */
		{ PTAH_D3, "050180 0d0a2009 '{\"a\":\"}{\"}'" R443, "0580", ASKS, 0, LOCAL, "{\"a\":\"}{\"}", NULL, true },
		{ PTAH_D3, "050180 00000007'{\"a\":1}'" R443, "0580", ASKS, 0, LOCAL, "{\"a\":1}", NULL, true }, /* IPC-219 */
		{ PTAH_D3, "050180 00000000" R443, "0580 05120001000000000000", FAILED, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "050180 00010001", "0580 05100001000000000000", FAILED, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "050180 '[1]'", "0580 05120001000000000000", FAILED, 0, NULL, NULL, NULL, true },
		{ PTAH_D1, "050180 01", "0580 05120001000000000000", FAILED, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "050180 '{]'", "0580 05120001000000000000", FAILED, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "050180 '{a:1}'" R443, "0580 05120001000000000000", FAILED, 0, NULL, NULL, NULL, true },
		{ PTAH_D3, "050180 '{\"a\"'", "0580 05110001000000000000", FAILED, TIMEOUT, NULL, NULL, NULL, true },
	};

	(void)state;
	play_all(all, COUNT(all));
}

#define GRANTED "005a000000000000"
#define REJECTED "005b000000000000"

static void
serves_socks4_in_dialect_1(void **state)
{
	static const struct transcript all[] = {
		{ PTAH_D1, "0401 01bb 7f000001 'k=v'00", "", ASKS, 0, LOCAL, "{\"k\":\"v\"}", NULL, false }, /* IPC-212 */
		{ PTAH_D1, "0401 01bb 7f000001 00'x'", "", ASKS, 0, LOCAL, NULL, "x", false },
		{ PTAH_D1, "0401 0050 00000001 00'localhost'00'x'", "", ASKS, 0, "localhost:80", NULL, "x", false }, /* IPC-213 */
		{ PTAH_D1, "0401 0050 000000ff 'a=\\;;b=2'00'h.x'00", "", ASKS, 0, "h.x:80", "{\"a\":\";\",\"b\":\"2\"}", NULL,
		    false },
		{ PTAH_D1, "0401 0000 00000000 00", "", ASKS, 0, "", NULL, NULL, false },
		{ PTAH_D1, "0401 0001 00000000 00", "", ASKS, 0, "0.0.0.0:1", NULL, NULL, false },
		{ PTAH_D1, "0401 0001 00000100 00", "", ASKS, 0, "0.0.1.0:1", NULL, NULL, false },
		{ PTAH_D1, "0401 0050 00000001 00'a b'00", "", ASKS, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "0402 01bb 7f000001", REJECTED, FAILED, 0, NULL, NULL, NULL, false }, /* IPC-214 */
		{ PTAH_D1, "0401 01bb 7f000001 '=v'00", REJECTED, FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "0401 01bb 7f000001 'someuser'00", REJECTED, FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "0401 0050 00000001 0000", REJECTED, FAILED, 0, NULL, NULL, NULL, false },
		{ PTAH_D1, "0401 01bb 7f000001 'k=v'", "", CLOSED, TIMEOUT, NULL, NULL, NULL, false },
	};
	static const struct {
		size_t user, name;
		int status;
	} limits[] = {
		{ 1024, 255, ASKS },
		{ 1025, 255, FAILED },
		{ 1024, 256, FAILED },
	};

	(void)state;
	play_all(all, COUNT(all));
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct ptah_buf in = { 0 };
		struct ptah_socks socks;

		ptah_buf_add(&in, "\4\1\0\120\0\0\0\1k=", 10);
		for (size_t n = 2; n < limits[i].user; n++)
			ptah_buf_puts(&in, "v");
		ptah_buf_add(&in, "", 1);
		for (size_t n = 1; n <= limits[i].name; n++)
			ptah_buf_puts(&in, n % 50 == 0 ? "." : "n");
		ptah_buf_add(&in, "", 1);
		for (size_t step = 1; step <= in.len; step += in.len - 1) {
			ptah_socks_init(&socks, PTAH_D1, false);
			for (size_t at = 0; at < in.len && socks.status == MORE; at += step)
				ptah_socks_feed(&socks, (struct ptah_span){ in.at + at, step });
			assert_int_equal(socks.status, limits[i].status);
			if (socks.status == ASKS)
				assert_int_equal(strlen(socks.dest.host), 255);
			else
				assert_memory_equal(socks.out, "\0\x5b\0\0\0\0\0\0", 8);
			ptah_socks_clear(&socks);
		}
		ptah_buf_clear(&in);
	}
}

static void
answers_each_in_its_own_words(void **state)
{
	static const struct {
		int dialect;
		uint8_t method;
		unsigned rep;
		const char *out;
	} cases[] = {
		{ PTAH_D1, PTAH_SOCKS_NONE, PTAH_REP_OK, "05000001000000000000" },
		{ PTAH_D1, PTAH_SOCKS_LOGIN, PTAH_REP_ADDRESS, "05080001000000000000" },
		{ PTAH_D1, PTAH_SOCKS_LOGIN, PTAH_REP_SETTINGS, "05010001000000000000" },
		{ PTAH_D1, PTAH_SOCKS_NONE, PTAH_REP_SETTINGS, "05010001000000000000" },
		{ PTAH_D1, PTAH_SOCKS_JSON, PTAH_REP_SETTINGS, "05130001000000000000" },
		{ PTAH_D1, PTAH_SOCKS_OLD_JSON, PTAH_REP_SETTINGS, "05130001000000000000" },
		{ PTAH_D2, PTAH_SOCKS_LOGIN, PTAH_REP_SETTINGS, "05130001000000000000" },
		{ PTAH_D3, PTAH_SOCKS_NONE, PTAH_REP_SETTINGS, "05130001000000000000" },
		{ PTAH_D1, PTAH_SOCKS_V4, PTAH_REP_OK, GRANTED },
		{ PTAH_D1, PTAH_SOCKS_V4, PTAH_REP_REFUSED, REJECTED },
	};
	static const struct {
		int rc;
		unsigned rep;
	} errors[] = {
		{ 0, 0 },
		{ -EPERM, 2 },
		{ -EACCES, 2 },
		{ -ENETUNREACH, 3 },
		{ -ENETDOWN, 3 },
		{ -EHOSTUNREACH, 4 },
		{ -EHOSTDOWN, 4 },
		{ -ECONNREFUSED, 5 },
		{ -ECONNRESET, 5 },
		{ -ETIMEDOUT, 6 },
		{ -EADDRNOTAVAIL, 8 },
		{ -EAFNOSUPPORT, 8 },
		{ -ENOMEM, 1 },
		{ -EPROTO, 1 },
		{ -EMFILE, 1 },
		{ -PTAH_EPROXY - 1, 1 },
		{ -PTAH_EPROXY - 5, 5 },
		{ -PTAH_EPROXY - 8, 8 },
		{ -PTAH_EPROXY - 9, 1 },
		{ -PTAH_EPROXY, 1 },
	};
	uint8_t out[PTAH_SOCKS_REPLY_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_buf want = { 0 };

		decode(cases[i].out, &want);
		assert_int_equal(ptah_socks_reply(cases[i].dialect, cases[i].method, cases[i].rep, out), want.len);
		assert_memory_equal(out, want.at, want.len);
		ptah_buf_clear(&want);
	}
	for (size_t i = 0; i < COUNT(errors); i++)
		assert_int_equal(ptah_socks_rep(errors[i].rc), errors[i].rep);
}

static void
chooses_where_to_connect(void **state)
{
	static const struct {
		int dialect;
		const char *asked; /* "" none, NULL a bad name */
		const char *server;
		bool own, needed;
		unsigned rep;
		const char *dest;
	} cases[] = {
		{ PTAH_D3, "1.1.1.1:1", "2.2.2.2:2", true, true, 0, "2.2.2.2:2" },  /* IPC-193 */
		{ PTAH_D1, "1.1.1.1:1", "2.2.2.2:2", true, true, 0, "2.2.2.2:2" },
		{ PTAH_D3, "1.1.1.1:1", "2.2.2.2:2", false, true, 0, "2.2.2.2:2" }, /* IPC-194 */
		{ PTAH_D22, "1.1.1.1:1", "a.example:2", false, true, 0, "a.example:2" },
		{ PTAH_D1, "1.1.1.1:1", "2.2.2.2:2", false, true, 0, "1.1.1.1:1" },
		{ PTAH_D2, "1.1.1.1:1", "2.2.2.2:2", false, true, 0, "1.1.1.1:1" },
		{ PTAH_D1, "", "2.2.2.2:2", false, true, 0, "2.2.2.2:2" },
		{ PTAH_D2, "", "2.2.2.2:2", false, true, 0, "2.2.2.2:2" },
		{ PTAH_D3, "", "[::2]:2", false, true, 0, "[::2]:2" },             /* IPC-196 */
		{ PTAH_D1, "1.1.1.1:1", "", false, true, 0, "1.1.1.1:1" },         /* IPC-195 */
		{ PTAH_D3, "1.1.1.1:1", "", false, true, 0, "1.1.1.1:1" },
		{ PTAH_D1, "localhost:1", "", false, true, 0, "localhost:1" },     /* IPC-204 */
		{ PTAH_D3, "", "", false, true, PTAH_REP_SETTINGS, NULL },          /* IPC-197 */
		{ PTAH_D3, "", "", false, false, 0, "" },                           /* IPC-198 */
		{ PTAH_D3, "127.0.0.1:0", "", false, true, PTAH_REP_GENERAL, NULL }, /* IPC-199 */
		{ PTAH_D3, "127.0.0.1:0", "", false, false, PTAH_REP_GENERAL, NULL },
		{ PTAH_D3, "127.0.0.1:0", "2.2.2.2:2", false, true, 0, "2.2.2.2:2" },
		{ PTAH_D3, NULL, "", false, true, PTAH_REP_HOST_UNREACHABLE, NULL }, /* IPC-208 */
		{ PTAH_D1, NULL, "2.2.2.2:2", false, true, PTAH_REP_HOST_UNREACHABLE, NULL },
		{ PTAH_D3, NULL, "2.2.2.2:2", false, true, 0, "2.2.2.2:2" },
		{ PTAH_D3, "1.1.1.1:1", "2.2.2.2", true, true, PTAH_REP_SETTINGS, NULL },
		{ PTAH_D3, "1.1.1.1:1", "2.2.2.2:0", true, true, PTAH_REP_SETTINGS, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ptah_socks socks;
		struct ptah_dest dest;
		char shown[PTAH_DEST_TEXT] = "";

		ptah_socks_init(&socks, cases[i].dialect, false);
		socks.dest_bad = cases[i].asked == NULL;
		if (cases[i].asked != NULL && cases[i].asked[0] != '\0')
			assert_int_equal(ptah_dest_parse(&socks.dest, cases[i].asked, true), 0);
		assert_int_equal(
		    ptah_socks_choose(&socks, cases[i].server, cases[i].own, cases[i].needed, &dest), cases[i].rep);
		if (cases[i].dest == NULL)
			continue;
		if (dest.host[0] != '\0')
			ptah_dest_format(&dest, shown);
		assert_string_equal(shown, cases[i].dest);
	}
}

static void
is_small_while_it_waits(void **state)
{
	(void)state;
	assert_true(sizeof(struct ptah_socks) <= 512);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_the_method_by_dialect),
		cmocka_unit_test(reads_requests),
		cmocka_unit_test(reads_pt1_arguments_from_a_login),
		cmocka_unit_test(joins_long_arguments),
		cmocka_unit_test(reads_json_blocks),
		cmocka_unit_test(holds_the_limits_of_a_block),
		cmocka_unit_test(serves_the_old_private_method),
		cmocka_unit_test(serves_socks4_in_dialect_1),
		cmocka_unit_test(answers_each_in_its_own_words),
		cmocka_unit_test(chooses_where_to_connect),
		cmocka_unit_test(is_small_while_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
