/* SPDX-License-Identifier: BSD-3-Clause */
/** control/page.h: the status page, page.html. */
#ifndef PTAH_CONTROL_PAGE_H
#define PTAH_CONTROL_PAGE_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t ptah_page[];
extern const size_t ptah_page_len;

#endif
