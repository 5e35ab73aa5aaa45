/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/exchange.h: a client and a server of messages, the network between
 * them, and what they say to one another.
 *
 * The server has a link for each that its .key, or else the client's address,
 * tells from the others (plain/msgserver.c).  What is said has bytes of its
 * own for each exchange, direction and message, so that one that is cut,
 * changed, doubled or another's shows.
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_EXCHANGE_H
#define PTAH_CHECK_EXCHANGE_H

#include "check/party.h"

/** A datagram over IPv4 holds so much; a longer one is lost. */
#define PTAH_DATAGRAM_MOST ((size_t)65507)
/** Messages of a direction that are remembered. */
#define PTAH_EXCHANGE_SAID 256u

struct ptah_said {
	uint32_t id;
	size_t len;
	unsigned heard;
};

struct ptah_exchange {
	struct ptah_lab *lab;
	uint32_t number, last_id;
	struct ptah_party *client;
	struct ptah_exchange_link *links; /* the server's */
	struct ptah_buf stray;            /* what links of the server's have sent that are gone */
	/* The network: how many of what is under way are lost, and whether the rest comes in order. */
	unsigned lose_one_in;             /* 0: none */
	bool shuffle;
	bool cut[2];                      /* nothing of the client's, the server's, is carried */
	bool record;
	struct ptah_buf log[2];           /* datagrams of each, with 'record': length (4 bytes), body ... */
	/* What came of it, since it was forgotten. */
	struct ptah_said said[2][PTAH_EXCHANGE_SAID];
	unsigned n_said[2], n_heard[2];   /* by the client, by the server */
	unsigned n_doubled, n_wrong;      /* heard more than once; heard, and nobody has said it */
	unsigned n_refused;               /* datagrams that a hook answered with REJECT, or that .key has dropped */
	/* For good. */
	unsigned n_lost;                  /* links of the server's that had been open, and ended */
	int lost_rc;                      /* how the last one did */
};

void ptah_exchange_open(struct ptah_exchange *exchange, struct ptah_lab *lab, uint32_t number);
void ptah_exchange_close(struct ptah_exchange *exchange);

/** Let 'who' say a message of that length.  The answer; -ENOTCONN: its link is not open. */
int ptah_exchange_say(struct ptah_exchange *exchange, int who, size_t len);
/** What was said and heard so far counts no more. */
void ptah_exchange_forget(struct ptah_exchange *exchange);

/** A datagram reaches the other of 'who', as if from its address. */
void ptah_exchange_bring(struct ptah_exchange *exchange, int who, const void *at, size_t len);
/** Take the next datagram that 'who' has under way.  False: there is none.  Gives: 'out', for ptah_buf_clear(). */
bool ptah_exchange_fetch(struct ptah_exchange *exchange, int who, struct ptah_buf *out);

/** Carry what can be.  False: nothing moved. */
bool ptah_exchange_step(struct ptah_exchange *exchange);
/** Carry, and let timers of up to 'limit_ms' from now go off, until both are open and all that was said was heard. */
bool ptah_exchange_settle(struct ptah_exchange *exchange, unsigned limit_ms);
/** The row ends unless it settles, each message having come once and whole. */
void ptah_exchange_need(struct ptah_exchange *exchange, const char *doing);
/** The row ends if one of its links has ended; 'by' is what no link must end by. */
void ptah_exchange_need_life(const struct ptah_exchange *exchange, const char *by);

#endif
