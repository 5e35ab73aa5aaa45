/* SPDX-License-Identifier: BSD-3-Clause */
/** check/copier.h: a codec that only copies, in odd pieces: what else a stack has. */
#ifndef PTAH_CHECK_COPIER_H
#define PTAH_CHECK_COPIER_H

#include <ptah/module.h>

extern const struct ptah_module ptah_copier;

#endif
