/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/roll.h: call the roll of all links: of those here (host/muster.h), and of
 * those in the processes of isolated services (host/cell.h), which have a while
 * to answer.  What those say is not believed, only shown.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_ROLL_H
#define PTAH_HOST_ROLL_H

#include <stdbool.h>
#include <stddef.h>

struct ptah_json;
struct ptah_roll;
struct ptah_run;

/**
 * Hears the list, once: an object with "links", an array, "more", how many there are beside, and
 * "servicesNotListed", how many isolated ones did not tell theirs; NULL: memory was out.
 * Takes: list.
 */
typedef void ptah_roll_fn(struct ptah_json *list, void *arg);

/**
 * Ask all workers and all cells, for at most so many links, with 'addresses' also who is at the other end of the wire.
 * Gives: a roll, which is gone when 'fn' runs; or ptah_roll_forget().
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_roll *ptah_roll_call(const struct ptah_run *run, unsigned most, bool addresses, ptah_roll_fn *fn, void *arg);
/** 'fn' will not run.  NULL is fine. */
void ptah_roll_forget(struct ptah_roll *roll);

#endif
