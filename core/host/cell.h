/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/cell.h: a plan at work in a process of its own, which is locked up
 * before the first line of a module runs; seen from outside it is one more
 * dispatcher (host/dispatcher.h).
 *
 *     parent                                     cell
 *     listening sockets, kept ──── given ────►   accepts on them
 *     dials, names, proxy ◄── asked, answered ──► (config/reach.h says where to)
 *     log, figures        ◄────── told ───────   (host/cellwords.h)
 *
 * When it dies its links are lost and nothing else: connections wait on the
 * sockets, and another one takes its place, at once, or after a while if the
 * one before lived for a moment only.  One that does not answer is killed.
 *
 * Its counters are in the tally of its service (stats/tally.h), as they stood
 * a second ago.
 *
 * Threads: the one of the crew's loop.
 */
#ifndef PTAH_HOST_CELL_H
#define PTAH_HOST_CELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/plan.h"
#include "host/crew.h"
#include "host/dispatcher.h"
#include "host/muster.h"

struct ptah_cell;

/**
 * Start it.
 * Lends: all, for the cell's life; the plan keeps its options, for the next process.
 * Gives: a cell for ptah_cell_end() and then ptah_cell_free().
 * Fails: NULL and errno (ENOMEM); all else is told.
 */
struct ptah_cell *ptah_cell_start(struct ptah_crew *crew, const struct ptah_plan *plan,
    const struct ptah_dispatcher_says *says, void *arg);

/** As those of a dispatcher. */
void ptah_cell_release(struct ptah_cell *cell);
void ptah_cell_drain(struct ptah_cell *cell);
void ptah_cell_end(struct ptah_cell *cell, uint64_t until_ns);
void ptah_cell_free(struct ptah_cell *cell);

/** Bytes of memory that its process has; 0: it has none, or that is not known. */
uint64_t ptah_cell_resident(const struct ptah_cell *cell);

/**
 * Ask for its links, as it says they are: at most so many, with 'addresses' the peers too.  'fn' runs once, perhaps from
 * inside this, with what came; its rc: 0, or why that is not all.  How long that may take is the asker's affair.
 */
void ptah_cell_list(struct ptah_cell *cell, unsigned most, bool addresses, ptah_muster_fn *fn, void *arg);
/** Wait no longer: 'fn' runs now, if it has not. */
void ptah_cell_list_end(struct ptah_cell *cell, int rc);
/** 'fn' will not run. */
void ptah_cell_list_forget(struct ptah_cell *cell);

#endif
