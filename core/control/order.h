/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * control/order.h: what is said over the control socket: one JSON object a line.
 *
 *     {"order": "status"}                  {"ok": true, "version": ..., "process": ..., "services": [...]}
 *     {"order": "links", "most": 100}      {"ok": true, "links": [...], "more": 0, "servicesNotListed": 0}
 *     {"order": "reload"}                  {"ok": true, "new": 1, "changed": 0, "gone": 0, "same": 3, "failed": 0,
 *                                           "words": [...]}
 *     {"order": "drain", "seconds": 60}    {"progress": "12 links are open"} ... {"ok": true}
 *     {"order": "upgrade"}                 {"progress": "the new program starts"} ... {"ok": true}
 *
 * Before the answer, which has "ok", there may be any number of lines that have
 * "progress".  Where "ok" is false, "error" says what is wrong and "next" what to do.
 */
#ifndef PTAH_CONTROL_ORDER_H
#define PTAH_CONTROL_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include <ptah/span.h>

#include "base/buf.h"
#include "base/json.h"

/** Longest line of an order. */
#define PTAH_ORDER_MAX 4096

#define PTAH_ORDER_STATUS 0
#define PTAH_ORDER_LINKS 1
#define PTAH_ORDER_RELOAD 2
#define PTAH_ORDER_DRAIN 3
#define PTAH_ORDER_UPGRADE 4

/** Links that are told, where the order does not say, and at the very most. */
#define PTAH_ORDER_LINKS_USUAL 1000u
#define PTAH_ORDER_LINKS_MOST 100000u

struct ptah_order {
	int what;         /* PTAH_ORDER_... */
	unsigned most;    /* of LINKS */
	unsigned seconds; /* of DRAIN; 0: as the file says */
};

/** The words of the orders, NULL at the end, by number. */
extern const char *const ptah_order_words[];

/** Read a line, without its end.  -EINVAL, and a line in 'why'; -ENOMEM. */
int ptah_order_parse(struct ptah_order *out, struct ptah_span line, char *why, size_t why_room);

/** Print one, with its line end.  -ENOMEM. */
int ptah_order_print(const struct ptah_order *order, struct ptah_buf *out);

/** Answers, with their line ends; all onto 'out', whose rc tells of -ENOMEM. */
void ptah_answer_refused(struct ptah_buf *out, const char *error, const char *next);
/** The same with lines that say more, an array.  Takes: words; NULL: memory is out. */
void ptah_answer_faults(struct ptah_buf *out, const char *error, const char *next, struct ptah_json *words);
void ptah_answer_progress(struct ptah_buf *out, const char *words);
/** "ok" is set in 'object' first.  Takes: object; NULL: memory is out. */
void ptah_answer_done(struct ptah_buf *out, struct ptah_json *object);

#endif
