/* SPDX-License-Identifier: BSD-3-Clause */
/* What an obfs3 link hears. */
#define MODULE obfs3_LTX_ptah_module
#include "handshake.h"
