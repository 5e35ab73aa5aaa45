/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/sip003.h: started as a plugin of a Shadowsocks program (SIP003).
 *
 * Four variables say what to connect, a fifth carries all options. They are
 * put into the flags that say the same.
 *
 *     client   SS_LOCAL_  where ss-local will come    SS_REMOTE_  our server
 *     server   SS_REMOTE_ where clients come          SS_LOCAL_   where ss-server listens
 */
#ifndef PTAH_CONFIG_SIP003_H
#define PTAH_CONFIG_SIP003_H

#include <stdbool.h>
#include <stddef.h>

#include "base/kv.h"

/** The flags, for ptah_plan_read(). */
struct ptah_sip003 {
	int argc;
	char *argv[16]; /* its own; NULL at the end */
	char *also[3];  /* of a server: more addresses to listen on */
	size_t n_also;
};

/** Is one of the four variables there? */
bool ptah_sip003_is_set(char *const envp[]);
/** Does that count?  Flags of ours and variables of a PT parent win; single letters, as on Android, do not. */
bool ptah_sip003_applies(int argc, char *const argv[], char *const envp[]);

/**
 * Make the flags.  A server is who is told so by the option "server", or by a name that ends in "-server".
 * Gives: *flags for ptah_sip003_clear(), also on failure.
 * Fails: -EINVAL and a line in 'why'; -ENOMEM.
 */
int ptah_sip003_flags(struct ptah_sip003 *flags, const char *argv0, char *const envp[], char *why, size_t why_room);
void ptah_sip003_clear(struct ptah_sip003 *flags);

/** Decode "k=v;k;k=v", where a backslash takes what stands behind it as it is; -EINVAL if nothing does. -ENOMEM. */
int ptah_sip003_options(struct ptah_kv *kv, const char *text);

#endif
