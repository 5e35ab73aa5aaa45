/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/doctor.h: `ptah doctor`: looks at a configuration or a Tor set-up, and
 * at the machine, by the checks of doctor/checks.h.
 */
#ifndef PTAH_HOST_DOCTOR_H
#define PTAH_HOST_DOCTOR_H

#include "base/buf.h"
#include "host/asked.h"

extern const struct ptah_ask ptah_doctor_flags[];
ptah_command_fn ptah_doctor_command;

/** The part of the manual page: all checks (mdoc). */
int ptah_doctor_manual(struct ptah_buf *out);

#endif
