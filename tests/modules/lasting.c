/* SPDX-License-Identifier: BSD-3-Clause */
/* lasting: edition, but it does not say that it may be unloaded. */
#define EDITION_ID lasting
#define EDITION_NAME "lasting"
#define EDITION_ABILITIES 0u
#include "edition.c"
