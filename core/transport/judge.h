/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/judge.h: all that is wrong with the options of a stack, before anything of it is opened.
 *
 * Where ptah_instance_open() stops at the first, and takes an unknown key
 * with a warning, whoever checks a file wants to hear of each.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_JUDGE_H
#define PTAH_TRANSPORT_JUDGE_H

#include <stdbool.h>

#include "base/json.h"
#include "transport/code.h"
#include "transport/instance.h"

/** One fault; lent. */
struct ptah_judge_fault {
	const struct ptah_json *value; /* what of the options it is about, or a copy of that (base/json.h: it knows its place); NULL: all of them */
	unsigned how;      /* PTAH_FAULT_... (config/faults.h); KEY: not the value is wrong, but that it is there */
	const char *about; /* the file that it is about, as there; NULL: none */
	const char *text;
};

typedef void ptah_judge_fn(const struct ptah_judge_fault *fault, void *arg);

struct ptah_judged {
	struct ptah_tried tried;   /* when nothing is wrong */
	uint8_t code[PTAH_CODE_HASH]; /* of all modules and definitions that its names stand for now */
	struct ptah_json *secret;  /* a copy of the first value that is a secret; NULL: none */
	struct ptah_json *files;   /* paths of the files that options name, an array; NULL: none */
};

void ptah_judged_clear(struct ptah_judged *judged);

/**
 * Judge a stack by the wish for it, which needs no workers.
 * Gives: *judged, for ptah_judged_clear(), whatever it returns.
 * Returns 0, 1 when 'fn' has heard of something, or -ENOMEM.
 */
int ptah_judge(struct ptah_registry *registry, const struct ptah_instance_wish *wish, ptah_judge_fn *fn, void *arg,
    struct ptah_judged *judged);

#endif
