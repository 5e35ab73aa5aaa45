/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/exec.h: what the home and the links of one started program know.
 */
#ifndef PTAH_EXEC_EXEC_H
#define PTAH_EXEC_EXEC_H

#include <ptah/host.h>

#define EXEC_LAZY 0u
#define EXEC_EAGER 1u

struct exec_conf {
	const char *exec, *name, *env, *options;
	struct ptah_list args;
	uint64_t client_first_ns;
	uint32_t start;
	uint8_t no_new_privs, ext_orport;
};

/** Keys that are for us or for the host, not for the program. */
int exec_is_ours(const char *key);

/*
 * Letters.  A link asks its home with one byte; the answer is EXEC_CALL, a
 * digit (SOCKS 4 or 5) and "ip:port", or EXEC_NO and why.
 */
#define EXEC_ASK 'a'
#define EXEC_CALL 'c'
#define EXEC_NO 'n'
#define EXEC_LETTER_MAX ((size_t)300)

#endif
