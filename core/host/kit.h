/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/kit.h: ptah new-module: a folder to begin a transport in.
 *
 * What it writes are the plain files of modules/template, which the build puts
 * into the program.  They make a transport named "sketch"; that word becomes
 * the name that was asked for.
 */
#ifndef PTAH_HOST_KIT_H
#define PTAH_HOST_KIT_H

#include <stddef.h>
#include <stdint.h>

#include "host/asked.h"

/** "KIND/PATH": KIND is common, codec or carrier. */
struct ptah_kit_file {
	const char *path; /* NULL ends the table */
	const uint8_t *at;
	size_t len;
};

extern const struct ptah_kit_file ptah_kit_files[];

extern const struct ptah_ask ptah_kit_flags[];
ptah_command_fn ptah_kit_new_module;

#endif
