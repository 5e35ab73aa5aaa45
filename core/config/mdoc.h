/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/mdoc.h: text of our tables in the manual pages' language, mdoc(7).
 */
#ifndef PTAH_CONFIG_MDOC_H
#define PTAH_CONFIG_MDOC_H

struct ptah_buf;

/** Add a text that is to be read as it stands; it begins a line. */
void ptah_mdoc_text(struct ptah_buf *out, const char *text);

#endif
