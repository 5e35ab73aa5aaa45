/* SPDX-License-Identifier: BSD-3-Clause */
/** host/generate.h: a new pair of client and server options, as files (ipc.md 11.3). */
#ifndef PTAH_HOST_GENERATE_H
#define PTAH_HOST_GENERATE_H

struct ptah_plan;

/**
 * Let the plan's one transport make a pair, and write it into the state folder
 * as NAME_server.json and NAME_client.json.  Says on stderr what it wrote, or
 * what is wrong.  Exit status.
 */
int ptah_generate(const struct ptah_plan *plan);

#endif
