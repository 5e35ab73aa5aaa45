/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/report.h: what a run has found, for people and for machines.
 *
 * Threads: any.
 */
#ifndef PTAH_CHECK_REPORT_H
#define PTAH_CHECK_REPORT_H

#include "base/buf.h"
#include "check/runner.h"

/** One row of the table, in lines that are no longer than 'width'. */
void ptah_report_row(struct ptah_buf *out, const struct ptah_row *row, const struct ptah_trial *trial, size_t width);
/** The line behind the table. */
void ptah_report_sum(struct ptah_buf *out, const struct ptah_run *run);

/** {"module": ..., "rows": [{"name", "what", "verdict", "text", "step", "seconds"}], "passed": n, "failed": n ...} */
void ptah_report_json(struct ptah_buf *out, const struct ptah_run *run, const struct ptah_subject_wish *wish);
/** A suite of JUnit's XML. */
void ptah_report_junit(struct ptah_buf *out, const struct ptah_run *run, const struct ptah_subject_wish *wish);

#endif
