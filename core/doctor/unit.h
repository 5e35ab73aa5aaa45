/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * doctor/unit.h: how systemd runs a configuration file, as its units say.
 *
 * It reads the files of units and knows of them what concerns ptah; systemd
 * itself is not asked.
 */
#ifndef PTAH_DOCTOR_UNIT_H
#define PTAH_DOCTOR_UNIT_H

#include <stdbool.h>
#include <stddef.h>

/** A socket unit that hands something to the service. */
struct ptah_unit_socket {
	char *path;
	char *name;    /* FileDescriptorName */
	bool enabled;  /* it starts with the machine */
};

/** {0}: none runs the file. */
struct ptah_unit {
	char *path;    /* NULL: there is no unit */
	char *name;    /* "ptah.service" */
	char *user;    /* NULL: root */
	unsigned long long descriptors; /* LimitNOFILE; 0: it says none */
	bool may_bind; /* any port, by capability */
	bool strict;   /* it may write nowhere but below ... */
	char *writable; /* ... these paths, with blanks between; NULL: none */
	struct ptah_unit_socket *sockets;
	size_t n_sockets;
};

/** Look below 'root' for the unit that runs this file.  -ENOMEM. */
int ptah_unit_find(struct ptah_unit *unit, const char *root, const char *file);

/** May the service write below this path, as far as its unit says? */
bool ptah_unit_lets_write(const struct ptah_unit *unit, const char *path);

void ptah_unit_clear(struct ptah_unit *unit);

#endif
