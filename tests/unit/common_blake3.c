/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BLAKE3 against the vectors of its authors, and others of all lengths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vectors.h"

#include "blake3.h"

static struct ptah_json *vectors;

static void
web_090_hashes_as_its_authors_do(void **state)
{
	const struct ptah_json *test = vectors_get(vectors, "blake3_selftest");
	const struct ptah_json *key = vectors_get(test, "derive_key_empty_material");
	uint8_t want[32], got[32];

	(void)state;
	vectors_exact(test, "hash_empty", want, 32);
	ptah_blake3(NULL, 0, got, 32);
	assert_memory_equal(got, want, 32);
	vectors_exact(test, "hash_00", want, 32);
	ptah_blake3((const uint8_t *)"", 1, got, 32);
	assert_memory_equal(got, want, 32);
	vectors_exact(key, "out", want, 32);
	ptah_blake3_derive_key(vectors_text(key, "context_ascii"), NULL, 0, got, 32);
	assert_memory_equal(got, want, 32);
}

/* The input of BLAKE3's own vectors is 0, 1, ... 250, 0, 1 ...; here the lengths around the ends of a block. */
static void
web_090_hashes_whole_blocks_and_one_more(void **state)
{
	static const struct {
		size_t len;
		uint8_t hash[8];
	} cases[] = {
		{ 63, { 0xe9, 0xbc, 0x37, 0xa5, 0x94, 0xda, 0xad, 0x83 } },
		{ 64, { 0x4e, 0xed, 0x71, 0x41, 0xea, 0x4a, 0x5c, 0xd4 } },
		{ 65, { 0xde, 0x1e, 0x5f, 0xa0, 0xbe, 0x70, 0xdf, 0x6d } },
		{ 127, { 0xd8, 0x12, 0x93, 0xfd, 0xa8, 0x63, 0xf0, 0x08 } },
		{ 128, { 0xf1, 0x7e, 0x57, 0x05, 0x64, 0xb2, 0x65, 0x78 } },
		{ 129, { 0x68, 0x3a, 0xaa, 0xe9, 0xf3, 0xc5, 0xba, 0x37 } },
		{ 1023, { 0x10, 0x10, 0x89, 0x70, 0xee, 0xda, 0x3e, 0xb9 } },
		{ 1024, { 0x42, 0x21, 0x47, 0x39, 0xf0, 0x95, 0xa4, 0x06 } },
	};
	uint8_t in[PTAH_BLAKE3_IN_MAX], got[8];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i % 251);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ptah_blake3(in, cases[i].len, got, sizeof(got));
		assert_memory_equal(got, cases[i].hash, sizeof(got));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(web_090_hashes_as_its_authors_do),
		cmocka_unit_test(web_090_hashes_whole_blocks_and_one_more),
	};
	int rc;

	vectors = vectors_load("shadowsocks-2022.json");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	ptah_json_free(vectors);
	return rc;
}
