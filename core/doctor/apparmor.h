/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * doctor/apparmor.h: does a profile of AppArmor let a program reach a file?
 *
 * It reads the text of a profile and of what that includes, and looks for
 * rules of files.  It does not know what other rules mean.
 *
 * Source: apparmor.d(5).
 */
#ifndef PTAH_DOCTOR_APPARMOR_H
#define PTAH_DOCTOR_APPARMOR_H

#include <stdbool.h>

/** Does AppArmor hold this profile over programs: enabled, and there, and neither disabled nor only complaining? */
bool ptah_apparmor_holds(const char *root, const char *profile);

/** Does the profile say that it is for this program? */
bool ptah_apparmor_is_for(const char *root, const char *profile, const char *program);

/** Does the profile in 'root'/etc/apparmor.d/'profile' allow 'permission' ('x', 'w') of this path? */
bool ptah_apparmor_allows(const char *root, const char *profile, const char *path, char permission);

/** Does a pattern of a rule, such as "/usr/{,local/}bin/[pq]tah*", stand for the path? */
bool ptah_apparmor_matches(const char *pattern, const char *path);

#endif
