/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a program may say: the first byte picks who hears it (its stdout, the
 * SOCKS dialogue, our ORPort), the second how it is cut.  However it is cut,
 * the same is heard.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "lines.h"
#include "orport.h"
#include "target.h"
#include "words.h"

static uint64_t
hash_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (uint8_t)*text) * 1099511628211u;
	return hash * 31;
}

static uint64_t
hear_stdout(struct ptah_span in, size_t piece)
{
	struct exec_reader *reader = calloc(1, sizeof(*reader));
	uint64_t hash = 1;

	expect(reader != NULL);
	while (in.len > 0) {
		struct exec_line line;
		char *text, *json;
		size_t n = exec_reader_take(reader, in.at, in.len < piece ? in.len : piece, &text);

		expect(n > 0);
		in = ptah_span_from(in, n);
		if (text == NULL)
			continue;
		exec_line_read(text, &line);
		hash = hash_text(hash_text(hash * 7 + line.word, line.name), line.address);
		if (line.word == EXEC_SMETHOD && exec_words_read(line.args, &json) == 0) {
			hash = hash_text(hash, json);
			free(json);
		}
		if (line.word == EXEC_LOG)
			hash = hash_text(hash, line.text);
	}
	free(reader);
	return hash;
}

static uint64_t
hear_socks(struct ptah_span in, size_t piece, unsigned socks)
{
	struct exec_call call = { .socks = socks, .args = "a=b", .host = "bridge", .port = 443 };
	uint8_t out[EXEC_CALL_ROOM];
	size_t have = 0, from = 0, said_all = 0;
	int rc = 0;

	expect(exec_call_begin(&call, out) > 0);
	while (rc == 0 && have < in.len) {
		size_t eaten, said;

		have = have + piece < in.len ? have + piece : in.len;
		do {
			rc = exec_call_hear(&call, (struct ptah_span){ in.at + from, have - from }, &eaten, out, &said);
			from += eaten;
			said_all += said;
			expect(from <= have && said <= sizeof(out));
		} while (rc == 0 && eaten > 0);
	}
	expect(rc >= 0 || call.why != NULL);
	return (uint64_t)(unsigned)rc * 1000003 + (rc < 0 ? 0 : from * 1009) + said_all;
}

static uint64_t
hear_orport(struct ptah_span in, size_t piece)
{
	static const uint8_t secret[32];
	struct exec_orport orport;
	uint8_t out[EXEC_ORPORT_ROOM];
	size_t have = 0, from = 0;
	int rc = 0;

	exec_orport_begin(&orport, out);
	/* Nobody guesses a proof: every other input begins behind it. */
	if (in.len % 2 == 1)
		orport.step = EXEC_COMMANDS;
	while (rc == 0 && have < in.len) {
		size_t eaten, said;

		have = have + piece < in.len ? have + piece : in.len;
		do {
			rc = exec_orport_hear(&orport, secret, secret, (struct ptah_span){ in.at + from, have - from }, &eaten, out,
			    &said);
			from += eaten;
			expect(from <= have && said <= sizeof(out));
		} while (rc == 0 && eaten > 0);
	}
	return hash_text((uint64_t)(unsigned)rc * 1000003 + (rc < 0 ? 0 : from), orport.peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;

	struct ptah_span in = { data + 2, size - 2 };
	size_t piece = 1 + data[1] % 97u;

	switch (data[0] % 4) {
	case 0:
		expect(hear_stdout(in, in.len) == hear_stdout(in, piece));
		break;
	case 1:
		expect(hear_socks(in, in.len, 5) == hear_socks(in, piece, 5));
		break;
	case 2:
		expect(hear_socks(in, in.len, 4) == hear_socks(in, piece, 4));
		break;
	default:
		expect(hear_orport(in, in.len) == hear_orport(in, piece));
		break;
	}
	return 0;
}
