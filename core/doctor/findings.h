/* SPDX-License-Identifier: BSD-3-Clause */
/** doctor/findings.h: what was found, as a table for people and as JSON. */
#ifndef PTAH_DOCTOR_FINDINGS_H
#define PTAH_DOCTOR_FINDINGS_H

#include "base/buf.h"
#include "doctor/exam.h"

/** -ENOMEM. */
int ptah_findings_print(const struct ptah_exam *exam, struct ptah_buf *out);
int ptah_findings_json(const struct ptah_exam *exam, struct ptah_buf *out);

#endif
