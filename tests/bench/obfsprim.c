/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of obfs4 cost, one after the other on one core: medians of
 * several rounds, in nanoseconds.
 *
 *	obfsprim [MILLISECONDS]    how long each round of each part takes (20)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "elligator2.h"
#include "hmac.h"
#include "ntor.h"
#include "probdist.h"
#include "secretboxframe.h"

#define ROUNDS 9
#define BATCH 16
#define CHUNK (22 * PTAH_PACKET_MAX)
#define HELLO 4096

/* What all parts work on. */
struct bench {
	struct ptah_boxer *boxer;
	struct ptah_hmac *hmac;
	struct ptah_sealer sealer;
	struct ptah_opener opener;
	struct ptah_ell2 pairs[BATCH];
	struct ptah_ntor ntor;
	uint8_t keys[PTAH_FRAME_KEYS_LEN];
	uint8_t node[PTAH_NTOR_NODE_LEN];
	uint8_t plain[CHUNK];
	uint8_t wire[2 * CHUNK];
	size_t wire_len;
};

typedef void part_fn(struct bench *bench);

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
must(int truth)
{
	if (!truth) {
		fprintf(stderr, "obfsprim: a part does not work\n");
		exit(1);
	}
}

static void
make_one(struct bench *bench)
{
	ptah_ell2_make(bench->pairs, 1);
}

static void
make_batch(struct bench *bench)
{
	ptah_ell2_make(bench->pairs, BATCH);
}

static void
decode(struct bench *bench)
{
	ptah_ell2_decode(bench->pairs[0].public, bench->pairs[0].repr);
}

static void
exchange(struct bench *bench)
{
	struct ptah_ell2 *mine = &bench->pairs[0], *peer = &bench->pairs[1];

	must(ptah_ntor_client(bench->hmac, mine->secret, mine->public, peer->public, peer->public,
	    bench->node, &bench->ntor) == 0);
}

static void
link_keys(struct bench *bench)
{
	uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN];

	must(ptah_ntor_link_keys(bench->hmac, &bench->ntor, keys) == 0);
}

static void
mac_hello(struct bench *bench)
{
	uint8_t mac[PTAH_HMAC_LEN];

	must(ptah_hmac_once(bench->hmac, (struct ptah_span){ bench->keys, 52 },
	    (struct ptah_span){ bench->wire, HELLO }, mac) == 0);
}

static void
make_table(struct bench *bench)
{
	struct ptah_probdist dist;

	ptah_probdist_make(&dist, bench->keys, 0, 1448, false, NULL);
}

static void
seal(struct bench *bench)
{
	ssize_t n = ptah_sealer_burst(&bench->sealer, bench->boxer, (struct ptah_span){ bench->plain, CHUNK }, 0,
	    PTAH_FRAME_NO_PADDING, (struct ptah_room){ bench->wire, sizeof(bench->wire) });

	must(n > 0);
	bench->wire_len = (size_t)n;
}

static void
open_frames(struct bench *bench)
{
	struct ptah_opened opened;

	ptah_opener_init(&bench->opener, bench->keys);
	must(ptah_opener_open(&bench->opener, bench->boxer, (struct ptah_span){ bench->wire, bench->wire_len },
	    (struct ptah_room){ bench->plain, sizeof(bench->plain) }, NULL, NULL, &opened) == 0);
	must(opened.made == CHUNK);
}

static void
seal_small(struct bench *bench)
{
	must(ptah_sealer_burst(&bench->sealer, bench->boxer, (struct ptah_span){ bench->plain, 64 }, 0, 700,
	    (struct ptah_room){ bench->wire, sizeof(bench->wire) }) > 0);
}

static void
seal_with_libsodium(struct bench *bench)
{
	static uint8_t nonce[24];

	for (size_t at = 0; at < CHUNK; at += PTAH_PACKET_MAX) {
		sodium_increment(nonce, sizeof(nonce));
		must(crypto_secretbox_easy(bench->wire, bench->plain + at, PTAH_PACKET_MAX, nonce, bench->keys) == 0);
	}
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(struct bench *bench, const char *name, part_fn *part, unsigned items, const char *item, double round_ns)
{
	double each[ROUNDS];

	part(bench);
	for (int i = 0; i < ROUNDS; i++) {
		double from = now(), spent;
		unsigned long n = 0;

		do {
			part(bench);
			n++;
			spent = now() - from;
		} while (spent < round_ns);
		each[i] = spent / (double)n / items;
	}
	qsort(each, ROUNDS, sizeof(each[0]), compare);
	printf("%-34s %10.0f ns/%s\n", name, each[ROUNDS / 2], item);
}

int
main(int argc, char **argv)
{
	static const char *const codes[] = { "libsodium", "avx2", "avx512" };
	static struct bench bench;
	double round_ns = (argc > 1 ? strtod(argv[1], NULL) : 20) * 1e6;

	must(sodium_init() >= 0);
	bench.hmac = ptah_hmac_new();
	must(bench.hmac != NULL);
	randombytes_buf(bench.keys, sizeof(bench.keys));
	ptah_ell2_make(bench.pairs, BATCH);
	measure(&bench, "key pair, alone", make_one, 1, "pair", round_ns);
	measure(&bench, "key pair, 16 at once", make_batch, BATCH, "pair", round_ns);
	measure(&bench, "public key of a representative", decode, 1, "key", round_ns);
	measure(&bench, "ntor, one side", exchange, 1, "exchange", round_ns);
	measure(&bench, "link keys", link_keys, 1, "link", round_ns);
	measure(&bench, "HMAC of 4 KiB", mac_hello, 1, "MAC", round_ns);
	measure(&bench, "length table", make_table, 1, "table", round_ns);
	measure(&bench, "libsodium: crypto_secretbox", seal_with_libsodium, CHUNK / PTAH_PACKET_MAX, "frame",
	    round_ns);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		char name[64];

		bench.boxer = ptah_boxer_new_with(codes[i]);
		if (bench.boxer == NULL)
			continue;
		ptah_sealer_init(&bench.sealer, bench.keys);
		snprintf(name, sizeof(name), "%s: seal 1427 bytes", codes[i]);
		measure(&bench, name, seal, CHUNK / PTAH_PACKET_MAX, "frame", round_ns);
		snprintf(name, sizeof(name), "%s: seal 64 bytes, padded", codes[i]);
		measure(&bench, name, seal_small, 1, "burst", round_ns);
		ptah_sealer_init(&bench.sealer, bench.keys);
		seal(&bench);
		snprintf(name, sizeof(name), "%s: open 1427 bytes", codes[i]);
		measure(&bench, name, open_frames, CHUNK / PTAH_PACKET_MAX, "frame", round_ns);
		ptah_boxer_free(bench.boxer);
	}
	ptah_hmac_free(bench.hmac);
	return 0;
}
