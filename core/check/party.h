/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/party.h: one link of a codec, in a lab.
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_PARTY_H
#define PTAH_CHECK_PARTY_H

#include "check/lab.h"

enum ptah_phase { PTAH_PHASE_OPENING, PTAH_PHASE_ADMITTED, PTAH_PHASE_OPEN, PTAH_PHASE_PASSED, PTAH_PHASE_OVER };

/** One side of it. */
struct ptah_half {
	struct ptah_buf in;  /* came from this side, not eaten */
	struct ptah_buf out; /* made towards it, not fetched */
	bool ended, told, finished, hold, parked, starved, waits;
	bool blocked;        /* it takes nothing now */
	uint32_t finish;     /* as the module said */
	size_t want;
};

struct ptah_party {
	struct ptah_lab_life life;
	struct ptah_party *next;
	struct ptah_half half[2];
	enum ptah_phase phase;
	uint32_t role;
	bool plain_asked, plain_open;
	bool hooked;             /* 'open' was called */
	int plain_rc;            /* how the plain end of a server will go */
	bool was_open, was_rejected;
	int rc;                  /* of PHASE_OVER: -errno, or PTAH_REJECT */
	const char *reason;
	uint64_t made[2];        /* bytes, towards each side */
	uint64_t n_calls;
	unsigned idle;
	struct ptah_buf sent;    /* messages: length (4 bytes), body ... towards the wire */
	struct ptah_buf arrived; /* the same towards the plain side */
	bool messages;
};

/** Begin one: 'open' is called.  Gives: it, for ptah_party_free(). */
struct ptah_party *ptah_party_new(struct ptah_lab *lab, int who, bool messages);
/** Close it with this -errno, or 0. */
void ptah_party_free(struct ptah_party *party, int why);

/** Bytes come from side 's'. */
void ptah_party_feed(struct ptah_party *party, int s, const void *at, size_t len);
/** Nothing more comes from side 's'. */
void ptah_party_end(struct ptah_party *party, int s);
/** Call what can be called.  True if anything moved. */
bool ptah_party_turn(struct ptah_party *party);
void ptah_party_event(struct ptah_party *party, struct ptah_event *event);
/** May bytes of side 's' be read now? */
bool ptah_party_reads(const struct ptah_party *party, int s);

/** datagram.c: a message, from side 's'.  The answer of the hook; -ENOTCONN: it may not be called now. */
int ptah_party_message(struct ptah_party *party, int s, const void *at, size_t len);
/** host->message() of it. */
int ptah_party_take_message(struct ptah_party *party, const struct ptah_msg *msg);
/** Which of the server's links owns a datagram?  As .key answers; PTAH_PASS without one. */
int ptah_base_key(struct ptah_base *base, const void *at, size_t len, uint8_t key[16]);

/** party.c for datagram.c: an answer, and what follows from it. */
void ptah_party_look_at_rc(const struct ptah_party *party, int rc);
void ptah_party_answer(struct ptah_party *party, int rc, const char *reason);
const char *ptah_party_role(const struct ptah_party *party);

#endif
