/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * salsa20cpu.h: the vector code that this compiler can make, and which of it
 * this CPU can run.  Where there is none, its functions do not exist.
 */
#ifndef PTAH_COMMON_SALSA20CPU_H
#define PTAH_COMMON_SALSA20CPU_H

#include <stdbool.h>
#include <string.h>

#include "salsa20.h"

#if defined(__x86_64__)

extern ptah_salsa_fn ptah_salsa_avx2, ptah_salsa_avx512;
bool ptah_salsa_cpu_has(const char *name);

#else

#define ptah_salsa_avx2 NULL
#define ptah_salsa_avx512 NULL

static inline bool
ptah_salsa_cpu_has(const char *name)
{
	return strcmp(name, "libsodium") == 0;
}

#endif

#endif
