/* SPDX-License-Identifier: BSD-3-Clause */
/* What an obfs2 link hears. */
#define MODULE obfs2_LTX_ptah_module
#include "handshake.h"
