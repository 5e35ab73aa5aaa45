/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/rows.h: the rows of the table.
 *
 * A row is a name, a sentence, and a function that runs in a process of its
 * own and ends it (check/trial.h).
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_ROWS_H
#define PTAH_CHECK_ROWS_H

#include "check/subject.h"

/* What a row cannot do without; bits. */
#define PTAH_ROW_OPTIONS 0x01u  /* an example, or --options */
#define PTAH_ROW_CODEC 0x02u    /* bytes, on a stream */
#define PTAH_ROW_BOTH 0x04u     /* client and server */
#define PTAH_ROW_CARRY 0x08u    /* the row "carry" has passed */
#define PTAH_ROW_MESSAGE 0x10u  /* wrap_message */
#define PTAH_ROW_PAIR (PTAH_ROW_OPTIONS | PTAH_ROW_CODEC | PTAH_ROW_BOTH)
#define PTAH_ROW_LINK (PTAH_ROW_PAIR | PTAH_ROW_CARRY)

typedef void ptah_row_fn(const struct ptah_subject *subject);

struct ptah_row {
	const char *name, *what;
	uint32_t needs;
	ptah_row_fn *run;
};

extern const struct ptah_row ptah_rows[];
extern const size_t ptah_rows_n;

/* contract.c: what stands in the descriptor. */
void ptah_row_load(const struct ptah_subject *subject);
void ptah_row_texts(const struct ptah_subject *subject);
void ptah_row_options(const struct ptah_subject *subject);
void ptah_row_example(const struct ptah_subject *subject);
void ptah_row_required(const struct ptah_subject *subject);
void ptah_row_extremes(const struct ptah_subject *subject);
void ptah_row_generate(const struct ptah_subject *subject);

/* bytes.c: what it carries, however that is cut. */
void ptah_row_carry(const struct ptah_subject *subject);
void ptah_row_cuts(const struct ptah_subject *subject);
void ptah_row_bytewise(const struct ptah_subject *subject);
void ptah_row_pieces(const struct ptah_subject *subject);
void ptah_row_narrow(const struct ptah_subject *subject);
void ptah_row_slow(const struct ptah_subject *subject);
void ptah_row_crowd(const struct ptah_subject *subject);

/* endings.c: how links end. */
void ptah_row_half_close(const struct ptah_subject *subject);
void ptah_row_abrupt(const struct ptah_subject *subject);
void ptah_row_refused(const struct ptah_subject *subject);

/* limits.c: memory and time. */
void ptah_row_memory(const struct ptah_subject *subject);
void ptah_row_leaks(const struct ptah_subject *subject);
void ptah_row_failures(const struct ptah_subject *subject);
void ptah_row_timers(const struct ptah_subject *subject);
void ptah_row_idle(const struct ptah_subject *subject);
void ptah_row_speed(const struct ptah_subject *subject);

/* hostile.c: peers that mean no good. */
void ptah_row_noise(const struct ptah_subject *subject);
void ptah_row_truncated(const struct ptah_subject *subject);
void ptah_row_replayed(const struct ptah_subject *subject);
void ptah_row_flipped(const struct ptah_subject *subject);

/* messages.c: messages. */
void ptah_row_messages(const struct ptah_subject *subject);
void ptah_row_bad_messages(const struct ptah_subject *subject);

/* real.c: on the relay itself, over sockets. */
void ptah_row_relay(const struct ptah_subject *subject);
void ptah_row_above(const struct ptah_subject *subject);
void ptah_row_below(const struct ptah_subject *subject);

#endif
