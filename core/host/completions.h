/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/completions.h: what bash, zsh and fish need to complete ptah's words,
 * made of the tables that the parsers use.  The names of transports are asked
 * of the program itself, when somebody presses the key.
 */
#ifndef PTAH_HOST_COMPLETIONS_H
#define PTAH_HOST_COMPLETIONS_H

#include "base/buf.h"
#include "host/asked.h"

/** "bash", "zsh", "fish", NULL. */
extern const char *const ptah_completions_shells[];

/** Print those for 'shell', one of the above; the last of 'commands' has no name.  -ENOMEM. */
int ptah_completions(struct ptah_buf *out, const char *shell, const struct ptah_command *commands);

#endif
