/* SPDX-License-Identifier: BSD-3-Clause */
/* broken: wants a function that nobody has, so it cannot be loaded. */
#include <ptah/module.h>

int ptah_test_function_that_is_nowhere(void *link, const struct ptah_open *open, struct ptah_io *io);

PTAH_MODULE(broken) = {
	.head = PTAH_HEAD(0),
	.name = "broken",
	.version = "1",
	.summary = "for tests: cannot be loaded",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.open = ptah_test_function_that_is_nowhere,
};
