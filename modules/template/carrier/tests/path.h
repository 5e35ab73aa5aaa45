/* SPDX-License-Identifier: BSD-3-Clause */
/* path.h: the one option of the transport; change it as yours do. */
#ifndef SKETCH_TESTS_PATH_H
#define SKETCH_TESTS_PATH_H

#include "host.h"

static inline void
new_with_path(struct fake *fake, const char *path)
{
	fake_new(fake);
	*(const char **)must_option(fake->conf, fake->args, "path", PTAH_STRING) = path;
}

#endif
