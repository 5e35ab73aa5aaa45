/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "plain/extor.h"

static const char *
user_of(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);

	return entry ? entry->pw_name : "somebody else";
}

/* The folder that an absolute path is in. */
static void
folder_of(const char *path, char out[static PATH_MAX])
{
	char *slash;

	snprintf(out, PATH_MAX, "%s", path);
	slash = strrchr(out, '/');
	if (slash)
		slash[slash == out ? 1 : 0] = '\0';
}

/* ---- state ---------------------------------------------------------------------------- */

static void
look_into(struct ptah_exam *exam, const struct ptah_case *one, const char *folder)
{
	const char *user = ptah_guise_name(&exam->guise);
	DIR *dir = opendir(folder);

	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		char path[PATH_MAX];
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0)
			continue;
		ptah_exam_fault(exam, one, "%s, of %s, cannot be read and written by %s", path, user_of(st.st_uid), user);
		ptah_exam_cure(exam, "chown %s %s; chmod 600 %s", user, path, path);
	}
	if (dir)
		closedir(dir);
}

static void
look_at_state(struct ptah_exam *exam, const struct ptah_case *one, const char *folder)
{
	const char *user = ptah_guise_name(&exam->guise);
	uid_t uid = ptah_guise_uid(&exam->guise);
	char above[PATH_MAX];
	struct stat st;
	int rc = ptah_file_nearest(folder, above, &st);

	if (rc < 0) {
		ptah_exam_fault(exam, one, "%s cannot reach the state folder %s: %s", user, folder, strerror(-rc));
		ptah_exam_cure(exam, "open the folder above it that is closed (chmod a+x); namei -l %s shows which", folder);
	} else if (!S_ISDIR(st.st_mode)) {
		ptah_exam_fault(exam, one, "the state folder %s cannot be there: %s is a file", folder, above);
		ptah_exam_cure(exam, "move it away: mv %s %s.old", above, above);
	} else if (rc == 1) {
		if (faccessat(AT_FDCWD, above, W_OK | X_OK, AT_EACCESS) == 0)
			return; /* ptah makes it */
		ptah_exam_fault(exam, one, "the state folder %s cannot be made by %s, who may not write to %s", folder, user, above);
		ptah_exam_cure(exam, "install -d -m 700 -o %s %s", user, folder);
	} else if (faccessat(AT_FDCWD, folder, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
		ptah_exam_fault(exam, one, "the state folder %s belongs to %s, and %s cannot read and write it", folder, user_of(st.st_uid), user);
		ptah_exam_cure(exam, "chown -R %s %s; chmod 700 %s", user, folder, folder);
	} else if (uid != 0 && st.st_uid != uid) {
		ptah_exam_fault(exam, one, "the state folder %s belongs to %s, and ptah runs as %s", folder, user_of(st.st_uid), user);
		ptah_exam_cure(exam, "chown -R %s %s", user, folder);
	} else if ((st.st_mode & S_IWOTH) != 0) {
		ptah_exam_fault(exam, one, "everybody can write to the state folder %s, where keys are", folder);
		ptah_exam_cure(exam, "chmod 700 %s", folder);
	} else {
		look_into(exam, one, folder);
	}
}

bool
ptah_check_state(struct ptah_exam *exam)
{
	const char *last = NULL;

	for (size_t i = 0; i < exam->n_cases; i++) {
		const char *folder = exam->cases[i].plan->state_dir;

		if (folder && (!last || strcmp(last, folder) != 0))
			look_at_state(exam, &exam->cases[i], folder);
		last = folder ? folder : last;
	}
	return last != NULL;
}

/* ---- cookie --------------------------------------------------------------------------- */

static void
look_at_cookie(struct ptah_exam *exam, const struct ptah_case *one, const char *path)
{
	uint8_t cookie[PTAH_EXTOR_COOKIE];
	const char *user = ptah_guise_name(&exam->guise);
	int rc = ptah_extor_cookie_read(path, cookie);

	explicit_bzero(cookie, sizeof(cookie));
	if (rc == 0)
		return;
	if (rc == -EBADMSG) {
		ptah_exam_fault(exam, one, "%s is no cookie of an Extended ORPort, which has 64 bytes and its name in the first", path);
		ptah_exam_cure(exam, "let Tor write it anew: systemctl restart tor@default; or name the right file");
	} else if (rc == -ENOENT && one->line) {
		ptah_exam_warn(exam, one, "there is no cookie %s yet: Tor writes it when it starts", path);
		ptah_exam_cure(exam, "systemctl start tor@default");
	} else if (rc == -ENOENT) {
		ptah_exam_fault(exam, one, "there is no cookie %s", path);
		ptah_exam_cure(exam, "ExtORPort and ExtORPortCookieAuthFile %s in the torrc, or change \"authcookie\" in %s", path, one->where);
	} else {
		ptah_exam_fault(exam, one, "%s cannot read the cookie %s: %s", user, path, strerror(-rc));
		ptah_exam_cure(exam, "ExtORPortCookieAuthFileGroupReadable 1 and DataDirectoryGroupReadable 1 in the torrc, and: adduser %s debian-tor", user);
	}
}

bool
ptah_check_cookie(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++) {
		if (!exam->cases[i].plan->cookie_path)
			continue;
		any = true;
		look_at_cookie(exam, &exam->cases[i], exam->cases[i].plan->cookie_path);
	}
	return any;
}

/* ---- what is read ----------------------------------------------------------------------- */

/* One that is not there is said with the rest of the configuration. */
bool
ptah_check_is_closed(struct ptah_exam *exam, const char *path)
{
	ptah_guise_drop(&exam->guise);
	bool there = access(path, F_OK) == 0;
	ptah_guise_wear(&exam->guise);

	return there && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0;
}

static void
look_at_text(struct ptah_exam *exam, const struct ptah_case *one, const char *path)
{
	const char *user = ptah_guise_name(&exam->guise);
	char closed[PATH_MAX];

	if (!ptah_check_is_closed(exam, path))
		return;
	ptah_exam_fault(exam, one, "%s cannot read %s", user, path);
	folder_of(path, closed);
	if (faccessat(AT_FDCWD, closed, X_OK, AT_EACCESS) != 0)
		ptah_exam_cure(exam, "chgrp %s %s; chmod g+x %s; the same for each folder above it that is closed", user, closed, closed);
	else
		ptah_exam_cure(exam, "chgrp %s %s; chmod 640 %s", user, path, path);
}

bool
ptah_check_reading(struct ptah_exam *exam)
{
	char *path = exam->path ? ptah_file_absolute(exam->path) : NULL;

	if (!path)
		return false;
	look_at_text(exam, NULL, path);
	free(path);
	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];
		const struct ptah_json *service = one->line ? NULL : ptah_runfile_service(&exam->file, one->plan->label);
		const struct ptah_json *options = service ? ptah_json_get(service, "optionsFile") : NULL;

		if (options && options->type == PTAH_JSON_STRING)
			look_at_text(exam, one, options->text);
		for (size_t k = 0; one->plan->files && k < one->plan->files->n; k++)
			look_at_text(exam, one, one->plan->files->items[k]->text);
	}
	return true;
}

/* ---- what else is written ------------------------------------------------------------- */

static bool
look_at_place(struct ptah_exam *exam, const char *key, const char *path, bool replaced)
{
	char above[PATH_MAX];
	struct stat st;

	if (!path)
		return false;
	folder_of(path, above);
	if (stat(above, &st) != 0 && errno == ENOENT) {
		ptah_exam_fault(exam, NULL, "\"%s\" is in %s, which is not there", key, above);
		ptah_exam_cure(exam, "install -d -m 750 -o %s %s", ptah_guise_name(&exam->guise), above);
	} else if (faccessat(AT_FDCWD, replaced || stat(path, &st) != 0 ? above : path, W_OK, AT_EACCESS) != 0) {
		ptah_exam_fault(exam, NULL, "%s may not write \"%s\", %s", ptah_guise_name(&exam->guise), key, path);
		ptah_exam_cure(exam, "chown %s %s, or change \"%s\" in %s", ptah_guise_name(&exam->guise), above, key, exam->path);
	}
	return true;
}

bool
ptah_check_writing(struct ptah_exam *exam)
{
	bool any = look_at_place(exam, "logFile", exam->file.log_file, false);

	any = look_at_place(exam, "control", exam->file.control, true) || any;
	return look_at_place(exam, "metrics", exam->file.metrics_path, true) || any;
}

/* ---- systemd -------------------------------------------------------------------------- */

static void
look_at_unit(struct ptah_exam *exam, const char *what, const char *path)
{
	if (!path || ptah_unit_lets_write(&exam->unit, path))
		return;
	ptah_exam_fault(exam, NULL, "%s is %s, and %s may not write there (ProtectSystem=strict)", what, path, exam->unit.name);
	ptah_exam_cure(exam, "systemctl edit %s: [Service], ReadWritePaths=%s", exam->unit.name, path);
}

bool
ptah_check_unit(struct ptah_exam *exam)
{
	const struct ptah_runfile *file = &exam->file;
	char folder[PATH_MAX] = "";

	if (!exam->unit.path)
		return false;
	look_at_unit(exam, "\"stateDir\"", file->state_dir);
	if (file->log_file) {
		folder_of(file->log_file, folder);
		look_at_unit(exam, "the folder of \"logFile\"", folder);
	}
	if (file->control) {
		folder_of(file->control, folder);
		look_at_unit(exam, "the folder of \"control\"", folder);
	}
	return true;
}
