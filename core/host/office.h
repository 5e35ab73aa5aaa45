/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/office.h: where a run is asked how it does, and told what to do: the
 * control socket and the metrics of its file.
 *
 * Both are there from the start to the end; a file that names others later is
 * not followed.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_OFFICE_H
#define PTAH_HOST_OFFICE_H

struct ptah_office;
struct ptah_run;
struct ptah_worker;

/**
 * Open what the file names; nothing, where it names nothing.
 * Gives: *out, for ptah_office_free(), also on failure.
 * Fails: -errno, which has been logged.
 */
int ptah_office_begin(struct ptah_office **out, struct ptah_run *run, struct ptah_worker *loop);
/** Serve nobody any more.  NULL is fine. */
void ptah_office_close(struct ptah_office *office);
/** The workers have stopped.  NULL is fine. */
void ptah_office_free(struct ptah_office *office);

#endif
