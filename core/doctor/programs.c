/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "doctor/apparmor.h"

/* Debian's name for what Tor may do, and ours. */
#define PROFILE_TOR "system_tor"
#define PROFILE_PTAH "ptah"

/* ---- can it be started? ----------------------------------------------------------------- */

/* The first folder on the way to it that is closed; "" where none is. */
static void
find_closed(const char *path, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s", path);
	for (char *at = out; (at = strchr(at + 1, '/'));) {
		*at = '\0';
		if (faccessat(AT_FDCWD, out, X_OK, AT_EACCESS) != 0)
			return;
		*at = '/';
	}
	out[0] = '\0';
}

static void
look_at_program(struct ptah_exam *exam, const struct ptah_case *one, const char *path)
{
	const char *user = ptah_guise_name(&exam->guise);
	char closed[PATH_MAX];
	struct statvfs fs;
	struct stat st;

	find_closed(path, closed);
	if (path[0] != '/') {
		ptah_exam_fault(exam, one, "\"%s\" is no absolute path of a program", path);
		ptah_exam_cure(exam, "write it with all its folders in %s", one->where);
	} else if (closed[0] && access(closed, F_OK) == 0) {
		ptah_exam_fault(exam, one, "%s cannot start %s: the folder %s is closed", user, path, closed);
		ptah_exam_cure(exam, "chmod a+x %s, or put the program into /usr/local/bin", closed);
	} else if (stat(path, &st) != 0) {
		ptah_exam_fault(exam, one, "there is no program %s", path);
		ptah_exam_cure(exam, "install it, or change the path in %s", one->where);
	} else if (!S_ISREG(st.st_mode)) {
		ptah_exam_fault(exam, one, "%s is no program", path);
		ptah_exam_cure(exam, "change the path in %s", one->where);
	} else if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0) {
		ptah_exam_fault(exam, one, "nothing on the file system of %s can be started: it is mounted noexec", path);
		ptah_exam_cure(exam, "put the program elsewhere, such as /usr/local/bin");
	} else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) {
		ptah_exam_fault(exam, one, "%s may not start %s", user, path);
		ptah_exam_cure(exam, "chmod a+rx %s", path);
	}
}

bool
ptah_check_program(struct ptah_exam *exam)
{
	const char *last = NULL;

	for (size_t i = 0; i < exam->n_cases; i++) {
		const char *path = exam->cases[i].program;

		if (!path || (last && strcmp(last, path) == 0))
			continue;
		look_at_program(exam, &exam->cases[i], path);
		last = path;
	}
	return last != NULL;
}

/* ---- those that transports start --------------------------------------------------------- */

/* Option "exec" of a case, its own or of the NAME.json that it is. */
static void
look_at_started(struct ptah_exam *exam, const struct ptah_case *one, bool *any)
{
	const struct ptah_json *path = one->service->options ? ptah_json_get(one->service->options, "exec") : NULL;
	struct ptah_found found = { 0 };
	char why[256];

	if (one->missing || !one->service->name)
		return;
	/* A stack has no options of its own, and its layers have them in ours. */
	if (!path && ptah_registry_find(one->registry, one->service->name, &found, why, sizeof(why)) == 0 && found.options)
		path = ptah_json_get(found.options, "exec");
	if (path && path->type == PTAH_JSON_STRING) {
		*any = true;
		look_at_program(exam, one, path->text);
	}
	ptah_json_free(found.options);
}

bool
ptah_check_started(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++)
		look_at_started(exam, &exam->cases[i], &any);
	return any;
}

/* ---- AppArmor ---------------------------------------------------------------------------- */

/* Its profile names no program: the units of systemd ask for it, and these read the torrc of the system. */
static bool
is_of_the_system(const struct ptah_exam *exam)
{
	char folder[PATH_MAX];

	ptah_exam_system(exam, "/etc/tor/", folder);
	return strncmp(exam->torrc_path, folder, strlen(folder)) == 0;
}

static void
look_at_tors_profile(struct ptah_exam *exam, const struct ptah_case *one)
{
	static const char text[] = "AppArmor lets Tor%s not start %s: no rule of /etc/apparmor.d/" PROFILE_TOR " is for it";

	if (!one->program || !ptah_apparmor_holds(exam->root, PROFILE_TOR) ||
	    ptah_apparmor_allows(exam->root, PROFILE_TOR, one->program, 'x'))
		return;
	if (is_of_the_system(exam))
		ptah_exam_fault(exam, one, text, "", one->program);
	else
		ptah_exam_warn(exam, one, text, ", if systemd starts it,", one->program);
	ptah_exam_cure(exam, "echo '%s PUx,' >> /etc/apparmor.d/local/" PROFILE_TOR, one->program);
	ptah_exam_cure(exam, "apparmor_parser -r /etc/apparmor.d/" PROFILE_TOR);
}

static void
look_at_own_profile(struct ptah_exam *exam, const struct ptah_case *one)
{
	const char *folder = one->plan->state_dir;
	char inside[PATH_MAX];

	if (!folder || !ptah_apparmor_holds(exam->root, PROFILE_PTAH) ||
	    !ptah_apparmor_is_for(exam->root, PROFILE_PTAH, one->program ? one->program : exam->self))
		return;
	snprintf(inside, sizeof(inside), "%s/any", folder);
	if (ptah_apparmor_allows(exam->root, PROFILE_PTAH, inside, 'w'))
		return;
	ptah_exam_fault(exam, one, "AppArmor lets ptah not write to its state folder %s", folder);
	ptah_exam_cure(exam, "echo 'owner %s/** rwk,' >> /etc/apparmor.d/local/" PROFILE_PTAH, folder);
	ptah_exam_cure(exam, "apparmor_parser -r /etc/apparmor.d/" PROFILE_PTAH);
}

/* Profiles are root's to read. */
bool
ptah_check_apparmor(struct ptah_exam *exam)
{
	bool any = ptah_apparmor_holds(exam->root, PROFILE_TOR) || ptah_apparmor_holds(exam->root, PROFILE_PTAH);
	const char *last = NULL;

	ptah_guise_drop(&exam->guise);
	for (size_t i = 0; any && i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];

		/* Several transports of one program are one fault. */
		if (!last || !one->program || strcmp(last, one->program) != 0) {
			look_at_tors_profile(exam, one);
			look_at_own_profile(exam, one);
		}
		last = one->program;
	}
	ptah_guise_wear(&exam->guise);
	return any;
}
