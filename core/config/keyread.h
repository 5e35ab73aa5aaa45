/* SPDX-License-Identifier: BSD-3-Clause */
/** config/keyread.h: the values of a configuration file, by the rows of config/key.h; for config/runfile.c. */
#ifndef PTAH_CONFIG_KEYREAD_H
#define PTAH_CONFIG_KEYREAD_H

#include <stdbool.h>

#include "config/key.h"
#include "config/runfile.h"

struct ptah_keyreader {
	struct ptah_runfile *file;
	struct ptah_faults *faults;
	struct ptah_plan *plan; /* of the service; NULL at the top of the file */
	int role;               /* of the service; 0: not known */
	int mode;               /* of the service; -1: not known */
	int rc;                 /* -ENOMEM sticks */
};

/** What is wrong with a value; of a missing one 'more' is its name with a dot. */
void ptah_keyread_fault(struct ptah_keyreader *reader, unsigned how, const struct ptah_json *value, const char *more,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/** Put the defaults of a section into its struct. */
void ptah_keyread_defaults(struct ptah_keyreader *reader, const struct ptah_key *section, void *base);

/** Read an object by its section: unknown keys, wrong types, values out of bounds, and what is missing are faults. */
void ptah_keyread_members(struct ptah_keyreader *reader, const struct ptah_key *section,
    const struct ptah_json *object, void *base);

/** Is it of the type that the row asks for?  Says so if not. */
bool ptah_keyread_fits(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value);

/** It is not what the row asks for: say what that is. */
void ptah_keyread_misfit(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value);

/** An IP address with a port; IPv6 in brackets, for "::1:443" could be meant in two ways.  -EINVAL. */
int ptah_keyread_addr(struct ptah_addr *addr, const char *text);

/* What the rows are read with. */
ptah_key_fn ptah_keyread_flag, ptah_keyread_number, ptah_keyread_word, ptah_keyread_level, ptah_keyread_role,
    ptah_keyread_framing, ptah_keyread_family, ptah_keyread_path, ptah_keyread_paths, ptah_keyread_ip,
    ptah_keyread_target, ptah_keyread_extorport, ptah_keyread_prefixes, ptah_keyread_proxy,
    ptah_keyread_interface, ptah_keyread_metrics, ptah_keyread_section,
    ptah_keyread_files;

#endif
