/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/mdoc.h"

#include "base/buf.h"

/* mdoc reads a line that begins with a dot or a quote as a request, and a backslash as an escape. */
void
ptah_mdoc_text(struct ptah_buf *out, const char *text)
{
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '\\')
			ptah_buf_puts(out, "\\e");
		else if (at == text && (*at == '.' || *at == '\''))
			ptah_buf_printf(out, "\\&%c", *at);
		else
			ptah_buf_add(out, at, 1);
	}
}
