/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "config/flag.h"
#include "config/source.h"
#include "doctor/checks.h"
#include "doctor/findings.h"
#include "doctor/torcases.h"
#include "host/checkfile.h"

#define NAME "doctor"

/* What there is where nobody names a file. */
#define USUAL_FILE "/etc/ptah/ptah.json"
#define USUAL_TORRC "/etc/tor/torrc"
/* Debian's own lines, which stand before those of USUAL_TORRC. */
#define DEFAULTS_TORRC "/usr/share/tor/tor-service-defaults-torrc"

enum flag { TORRC, USER, JSON };

const struct ptah_ask ptah_doctor_flags[] = {
	[TORRC] = { .name = "torrc", .value = "FILE", .type = PTAH_VALUE_FILE, .help = "look at the lines of a torrc that start ptah" },
	[USER] = { .name = "user", .value = "NAME", .type = PTAH_VALUE_TEXT,
	    .help = "who will run ptah; without it User of the torrc, or of the systemd unit that runs the file" },
	[JSON] = { .name = "json", .help = "print one JSON object" },
	{ .name = NULL },
};

/* ---- what to look at ----------------------------------------------------------------- */

static int
take_file(struct ptah_exam *exam)
{
	int rc;

	if (!exam->path)
		return 0;
	rc = ptah_unit_find(&exam->unit, exam->root, exam->path);
	if (rc == 0)
		rc = ptah_runfile_read(&exam->file, exam->path, exam->envp, &exam->faults);
	return rc == -EINVAL ? 0 : rc; /* the faults say it */
}

static int
take_torrc(struct ptah_exam *exam)
{
	char usual[PATH_MAX], defaults[PATH_MAX];
	int rc = 0;

	if (!exam->torrc_path)
		return 0;
	if (strcmp(exam->torrc_path, ptah_exam_system(exam, USUAL_TORRC, usual)) == 0 &&
	    access(ptah_exam_system(exam, DEFAULTS_TORRC, defaults), R_OK) == 0)
		rc = ptah_torrc_read(&exam->torrc, defaults);
	if (rc == 0)
		rc = ptah_torrc_read(&exam->torrc, exam->torrc_path);
	if (rc < 0 && rc != -ENOMEM)
		(void)ptah_asked_wrong(NAME, "%s cannot be read: %s", exam->torrc_path, strerror(-rc));
	return rc;
}

/* Whom to look for: who is named, else whom Tor or systemd would take. */
static int
take_user(struct ptah_exam *exam, const char *named)
{
	const char *user = named;
	int rc;

	if (!user && exam->torrc_path)
		user = ptah_torcases_value(exam, "User", NULL);
	if (!user && exam->path)
		user = exam->unit.user;
	if (!user)
		return 0;
	rc = ptah_guise_find(&exam->guise, user);
	exam->check = "user";
	if (rc == -EPERM) {
		ptah_exam_warn(exam, NULL, "ptah will run as %s, and only root can see what %s may", user, user);
		ptah_exam_cure(exam, "sudo ptah doctor ...");
	} else if (rc == -ENOENT) {
		ptah_exam_fault(exam, NULL, "there is no user %s", user);
		ptah_exam_cure(exam, "adduser --system --group %s, or another name in %s", user,
		    named ? "--user" : exam->torrc_path ? exam->torrc_path : exam->unit.path);
	} else if (geteuid() == 0) {
		ptah_exam_fine(exam, NULL, "looked at with the eyes of %s", user);
	}
	return 0;
}

/* The services of the file; those that could not be read whole are in the faults. */
static int
take_cases(struct ptah_exam *exam)
{
	for (size_t i = 0; i < exam->file.n_plans; i++) {
		struct ptah_plan *plan = exam->file.plans[i];
		struct ptah_case *one = plan->n_services == 1 ? ptah_exam_case(exam, plan, &plan->services[0], exam->registry) : NULL;

		if (!one)
			continue;
		snprintf(one->label, sizeof(one->label), "%s", plan->label);
		snprintf(one->where, sizeof(one->where), "services.%s of %.400s", plan->label, exam->path);
	}
	return exam->rc;
}

/* Modules are looked at by the eyes of who will load them. */
static int
take_modules(struct ptah_exam *exam)
{
	const char *path = exam->path ? exam->file.module_path : ptah_env_get(exam->envp, "PTAH_MODULE_PATH");
	int rc;

	ptah_guise_wear(&exam->guise);
	exam->registry = ptah_registry_new(path, exam->file.module_dir);
	rc = exam->registry ? take_cases(exam) : -errno;
	if (rc == 0 && exam->path) {
		rc = ptah_checkfile(&exam->file, exam->registry, &exam->faults, true, NULL);
		rc = rc == -EINVAL ? 0 : rc;
	}
	ptah_guise_drop(&exam->guise);
	return rc;
}

/* ---- and done ------------------------------------------------------------------------- */

static int
examine(struct ptah_exam *exam, const char *user)
{
	int rc = take_file(exam);

	exam->clock_ns = ptah_check_clock_now();
	if (rc == 0)
		rc = take_torrc(exam);
	if (rc == 0)
		rc = take_user(exam, user);
	if (rc == 0)
		rc = take_modules(exam);
	if (rc == 0)
		rc = ptah_checks_run(exam);
	return rc;
}

static int
print(const struct ptah_exam *exam, bool json)
{
	struct ptah_buf out = { 0 };
	int rc = json ? ptah_findings_json(exam, &out) : ptah_findings_print(exam, &out);
	bool written = rc == 0 && ptah_write_full(STDOUT_FILENO, out.at, out.len) == (ssize_t)out.len;

	ptah_buf_clear(&out);
	if (!written)
		return EX_OSERR;
	return exam->n_faults > 0 ? EXIT_FAILURE : EX_OK;
}

int
ptah_doctor_command(const struct ptah_asked *asked, char *envp[])
{
	const char *root = ptah_env_get(envp, "PTAH_DOCTOR_ROOT");
	struct ptah_exam exam = { .root = root ? root : "", .envp = envp, .path = asked->operand, .torrc_path = asked->value[TORRC] };
	char file[PATH_MAX], torrc[PATH_MAX];
	char *self = realpath("/proc/self/exe", NULL);
	int rc;

	exam.self = self ? self : "/usr/bin/ptah";
	if (!exam.path && !exam.torrc_path) {
		exam.path = access(ptah_exam_system(&exam, USUAL_FILE, file), F_OK) == 0 ? file : NULL;
		exam.torrc_path = !exam.path && access(ptah_exam_system(&exam, USUAL_TORRC, torrc), F_OK) == 0 ? torrc : NULL;
	}
	rc = examine(&exam, asked->value[USER]);
	if (rc == 0)
		rc = print(&exam, asked->value[JSON] != NULL);
	else if (rc == -ENOMEM)
		rc = EX_OSERR;
	else
		rc = EX_NOINPUT;
	ptah_exam_clear(&exam);
	free(self);
	return rc;
}

int
ptah_doctor_manual(struct ptah_buf *out)
{
	ptah_buf_puts(out, ".Bl -tag -width synchronised\n");
	for (const struct ptah_check *check = ptah_checks; check->name; check++)
		ptah_buf_printf(out, ".It Li %s\n%s%s\n", check->name, check->looks_at,
		    check->looks_at[strlen(check->looks_at) - 1] == '?' ? "" : ".");
	return ptah_buf_puts(out, ".El\n");
}
