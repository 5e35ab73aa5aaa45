/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * doctor/guise.h: look at the machine with the eyes of another user.
 *
 * Root sees and may everything; who will run ptah does not.  In a guise the
 * kernel itself says what that user may.
 *
 * Threads: the only one of the process.
 */
#ifndef PTAH_DOCTOR_GUISE_H
#define PTAH_DOCTOR_GUISE_H

#include <stdbool.h>
#include <sys/types.h>

#define PTAH_GUISE_GROUPS 64

/** {0}: nobody but ourselves. */
struct ptah_guise {
	char name[64]; /* of the user; "": ourselves */
	bool can;      /* there is somebody to become, and we may */
	uid_t uid;
	gid_t gid;
	gid_t groups[PTAH_GUISE_GROUPS];
	int n_groups;
	/* What we are. */
	gid_t own_gid;
	gid_t own_groups[PTAH_GUISE_GROUPS];
	int n_own_groups;
};

/** Take the guise of this user.  -ENOENT: there is none; -EPERM: we are not root, and go on as ourselves. */
int ptah_guise_find(struct ptah_guise *guise, const char *user);

/** Put it on, and take it off again; both do nothing where there is none. */
void ptah_guise_wear(const struct ptah_guise *guise);
void ptah_guise_drop(const struct ptah_guise *guise);

/** Who will run ptah: a name for people. */
const char *ptah_guise_name(const struct ptah_guise *guise);
/** ... and a number. */
uid_t ptah_guise_uid(const struct ptah_guise *guise);

#endif
