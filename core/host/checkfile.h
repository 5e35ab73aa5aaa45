/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/checkfile.h: what a configuration file says, against the modules that are there; and `ptah check`.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_HOST_CHECKFILE_H
#define PTAH_HOST_CHECKFILE_H

#include "config/runfile.h"
#include "host/asked.h"

struct ptah_registry;

/**
 * Look at what ptah_runfile_read() could not: are the transports there, do they take these options, can they be
 * isolated, does one port go to two services?  Nothing is opened or started.  The faults are in the order of the file.
 *
 * The module of an isolated service is loaded here for 'all' only: else nothing of it is to run in this process, and
 * its own looks at it.  'all' has a warning for each of "files" that is not there, too, which may be no fault.
 * 'spawns', unless NULL, is whether one that was looked at starts programs.
 *
 * To be called between that and ptah_runfile_forget(), also where it has failed, to hear of all that is wrong.
 * Fails: -EINVAL: there is an error among the faults, from here or from before; -ENOMEM.
 */
int ptah_checkfile(const struct ptah_runfile *file, struct ptah_registry *registry, struct ptah_faults *faults, bool all,
    bool *spawns);

/** `ptah check`. */
extern const struct ptah_ask ptah_checkfile_flags[];
ptah_command_fn ptah_checkfile_command;

#endif
