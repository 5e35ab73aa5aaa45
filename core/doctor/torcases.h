/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * doctor/torcases.h: what Tor would start by the lines of a torrc, as plans.
 *
 * Each line that starts ptah is read as ptah would read what Tor tells it, so
 * what is wrong with it is said by the same code.
 *
 * Sources: tor(1); the Pluggable Transport specification, version 1.
 */
#ifndef PTAH_DOCTOR_TORCASES_H
#define PTAH_DOCTOR_TORCASES_H

#include <stdbool.h>

#include "doctor/exam.h"

/** Is it one of "ClientTransportPlugin NAMES exec PROGRAM ..." that starts ptah? */
bool ptah_torcases_is_ours(const struct ptah_exam *exam, const struct ptah_torrc_line *line);

/** Add the cases of exam->torrc, and say what is wrong with its lines.  exam->rc. */
int ptah_torcases_add(struct ptah_exam *exam);

/** Folder of Tor's data.  Returns 'out'. */
const char *ptah_torcases_data(const struct ptah_exam *exam, char out[static PATH_MAX]);

/** What stands in the torrc for this option, or 'otherwise'. */
const char *ptah_torcases_value(const struct ptah_exam *exam, const char *key, const char *otherwise);

#endif
