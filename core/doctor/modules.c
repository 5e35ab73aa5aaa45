/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/source.h"
#include "transport/judge.h"
#include "transport/loader.h"
#include "transport/stacks.h"

/* ---- folders ------------------------------------------------------------------------- */

/* Others can change it. */
static void
cure_trust(struct ptah_exam *exam, const char *path)
{
	ptah_exam_cure(exam, "chown root %s; chmod go-w %s", path, path);
}

static bool
is_installed_one(const char *folder)
{
	return strcmp(folder, PTAH_MODULE_DIR) == 0;
}

/* Nothing but root's and our own may be in the way to it, or the loader takes nothing from there. */
static void
look_at_folder(struct ptah_exam *exam, const char *folder, bool alone)
{
	char why[PTAH_WHY_TEXT], at[PATH_MAX] = "";
	struct stat st;

	/* Several may have it. */
	if (ptah_exam_has_path(exam, folder))
		return;
	if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)) {
		int rc = errno;

		/* Whoever has modules elsewhere needs not have the installed one. */
		if (is_installed_one(folder) && !alone)
			return;
		exam->no_folder = true;
		ptah_exam_fault(exam, NULL, "%s, a folder of modules, cannot be read by %s: %s", folder,
		    ptah_guise_name(&exam->guise), rc == 0 ? "it is no folder" : strerror(rc));
		ptah_exam_path(exam, folder);
		if (is_installed_one(folder))
			ptah_exam_cure(exam, "make install, or say where the modules are: \"moduleDir\", -moduleDir or PTAH_MODULE_PATH");
		else
			ptah_exam_cure(exam, "change moduleDir or PTAH_MODULE_PATH, or: install -d -m 755 %s", folder);
		return;
	}
	if (faccessat(AT_FDCWD, folder, R_OK | X_OK, AT_EACCESS) != 0) {
		exam->no_folder = true;
		ptah_exam_fault(exam, NULL, "%s, a folder of modules, is closed to %s", folder, ptah_guise_name(&exam->guise));
		ptah_exam_path(exam, folder);
		ptah_exam_cure(exam, "chmod a+rx %s, and each folder above it", folder);
	} else if (ptah_file_is_trusted(folder, at, why, sizeof(why)) != 0) {
		const char *path = at[0] ? at : folder;

		exam->bad_folder = true;
		if (ptah_exam_has_path(exam, path))
			return; /* one above both */
		ptah_exam_fault(exam, NULL, "modules in %s are refused: %s", folder, why);
		ptah_exam_path(exam, path);
		cure_trust(exam, path);
	}
}

/* A file that could not be read at all may name other folders, and so may the lines of a torrc once they start ptah. */
static bool
is_unread(const struct ptah_exam *exam)
{
	if (exam->n_cases > 0)
		return false;
	return exam->torrc_path || (exam->path && exam->faults.n > 0 && exam->faults.at[0].path[0] == '\0');
}

bool
ptah_check_folders(struct ptah_exam *exam)
{
	const struct ptah_registry *last = NULL;

	if (is_unread(exam))
		return false;
	for (size_t i = 0; i <= exam->n_cases; i++) {
		const struct ptah_registry *registry = i < exam->n_cases ? exam->cases[i].registry : exam->registry;
		const char *const *folder;

		if (!registry || registry == last || (i == exam->n_cases && i > 0))
			continue;
		last = registry;
		folder = ptah_registry_folders(registry);
		for (bool alone = folder[0] && !folder[1]; *folder; folder++)
			look_at_folder(exam, *folder, alone);
	}
	return last != NULL;
}

/* ---- modules ------------------------------------------------------------------------- */

/* What ptah_stack_find() failed of: 'rc' and 'about' say what it is, 'why' says it to people. */
static void
say_refused(struct ptah_exam *exam, const struct ptah_case *one, int rc, const char *about, const char *why)
{
	ptah_exam_fault(exam, one, "%s: %s", one->service->name, why);
	if (rc == -EPERM && about[0])
		cure_trust(exam, about);
	else if (rc == -E2BIG)
		ptah_exam_cure(exam, "leave some out in %s; ptah info a+b says what can stand on what", one->where);
	else if (rc == -ELIBACC && about[0])
		ptah_exam_cure(exam, "install the library %s: apt-file search %s says which package has it", about, about);
	else
		ptah_exam_cure(exam, "ptah modules lists all modules, and why some are refused; ptah check-module FILE.so tries one");
}

static void
on_nothing(const struct ptah_judge_fault *fault, void *arg)
{
	(void)fault;
	(void)arg;
}

/* Does a server of a UDP mode listen on UDP?  Its modules and options say so. */
static bool
is_udp_server(const struct ptah_case *one)
{
	const struct ptah_instance_wish wish = {
		.name = one->service->name, .role = (uint32_t)one->plan->role, .options = one->service->options, .datagrams = true,
	};
	struct ptah_judged judged = { 0 };
	bool udp = false;

	if (!ptah_case_is_udp(one) || !ptah_case_serves(one))
		return false;
	udp = ptah_judge(one->registry, &wish, on_nothing, NULL, &judged) == 0 && judged.tried.messages;
	ptah_judged_clear(&judged);
	return udp;
}

/* As others see it: a folder that is closed to who will run ptah has it. */
static bool
is_in_a_folder(struct ptah_exam *exam, const struct ptah_case *one, const char *name)
{
	static const char *const ends[] = { "so", "json" };
	bool is = false;

	ptah_guise_drop(&exam->guise);
	for (const char *const *folder = ptah_registry_folders(one->registry); *folder && !is; folder++)
		for (int i = 0; i < 2 && !is; i++) {
			char path[PATH_MAX];

			snprintf(path, sizeof(path), "%s/%s.%s", *folder, name, ends[i]);
			is = access(path, F_OK) == 0;
		}
	ptah_guise_wear(&exam->guise);
	return is;
}

/* The file says in a wrong way which folders there are. */
static bool
is_misread(const struct ptah_exam *exam)
{
	for (size_t i = 0; i < exam->faults.n; i++)
		if (strncmp(exam->faults.at[i].path, "modulePath", 10) == 0 || strcmp(exam->faults.at[i].path, "moduleDir") == 0)
			return true;
	return false;
}

static bool
is_of_a_lost_folder(struct ptah_exam *exam, const struct ptah_case *one, const char *name)
{
	if (is_misread(exam))
		return true;
	if (!exam->no_folder)
		return false;
	const char *const *folder = ptah_registry_folders(one->registry);

	for (bool alone = folder[0] && !folder[1]; *folder; folder++)
		if (access(*folder, F_OK) != 0 && (alone || !is_installed_one(*folder)))
			return true; /* nobody knows what would be there */
	return is_in_a_folder(exam, one, name);
}

/* What is wrong with the words of the options is not looked at here. */
static int
find_stack(const struct ptah_case *one, struct ptah_stack *stack, const char **nobody, char *why, size_t room)
{
	int rc = ptah_stack_find(stack, one->registry, one->service->name, one->service->options, nobody, why, room);

	if (rc != -EINVAL || !one->service->options)
		return rc;
	ptah_stack_clear(stack);
	return ptah_stack_find(stack, one->registry, one->service->name, NULL, nobody, why, room);
}

/* Other checks go by 'missing'. */
static void
look_at_module(struct ptah_exam *exam, struct ptah_case *one)
{
	struct ptah_stack stack = { 0 };
	const char *nobody = NULL;
	char why[PTAH_WHY_TEXT] = "";
	int rc = find_stack(one, &stack, &nobody, why, sizeof(why));

	one->missing = rc != 0;
	if (rc == -ENOENT && nobody && is_of_a_lost_folder(exam, one, nobody)) {
		/* The row of folders says it. */
	} else if (rc == -ENOENT && nobody) {
		ptah_exam_fault(exam, one, "there is no transport \"%s\"", nobody);
		ptah_exam_cure(exam, "put %s.so into %s, or change the name in %s; ptah modules lists those there are", nobody,
		    ptah_registry_folders(one->registry)[0], one->where);
	} else if (rc != 0 && !(rc == -EPERM && exam->bad_folder)) {
		say_refused(exam, one, rc, stack.about, why[0] ? why : strerror(-rc));
	}
	one->messages = rc == 0 && is_udp_server(one);
	ptah_stack_clear(&stack);
}

bool
ptah_check_modules(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases; i++) {
		struct ptah_case *one = &exam->cases[i];

		if (!one->service->name || !one->registry)
			continue;
		any = true;
		look_at_module(exam, one);
	}
	return any;
}

/* ---- the file ------------------------------------------------------------------------ */

/* "", "[1].transport", ".over" ... */
static bool
names_a_layer(const char *rest)
{
	const char *last = strrchr(rest, '.');

	return rest[0] == '\0' || (last && (strcmp(last, ".transport") == 0 || strcmp(last, ".over") == 0));
}

/* What this service lacks is its module, which the row of modules says better. */
static bool
is_said_elsewhere(const struct ptah_exam *exam, const struct ptah_fault *fault)
{
	/* Where what is not about one of the options is told (host/checkfile.c). */
	static const char *const keys[] = { "options", "optionsFile", "transport", "stack", NULL };

	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_case *one = &exam->cases[i];
		char begin[256];

		if (one->line || !one->missing)
			continue;
		for (const char *const *key = keys; *key; key++) {
			size_t len = (size_t)snprintf(begin, sizeof(begin), "services.%s.%s", one->plan->label, *key);

			if (len < sizeof(begin) && strncmp(fault->path, begin, len) == 0 && names_a_layer(fault->path + len))
				return true;
		}
	}
	return false;
}

/* That a file of its options is closed to ptah, the row of reading says with a cure. */
static bool
is_of_closed_file(struct ptah_exam *exam, const struct ptah_fault *fault)
{
	if ((fault->how & PTAH_FAULT_CLOSED) == 0 || !ptah_check_is_closed(exam, fault->about))
		return false;
	for (size_t i = 0; i < exam->n_cases; i++) {
		const struct ptah_json *files = exam->cases[i].plan->files;

		for (size_t k = 0; files && k < files->n; k++)
			if (strcmp(files->items[k]->text, fault->about) == 0)
				return true;
	}
	return false;
}

/* Is it about what a transport takes?  It is at its name where there are no options, and what is no object has none. */
static bool
is_of_options(const struct ptah_fault *fault)
{
	const char *at = strstr(fault->path, ".options");

	if ((fault->how & PTAH_FAULT_OPTIONS) != 0)
		return true;
	return at && strchr(".[", at[strlen(".options")]); /* or the end */
}

/* Words are for people: what a fault is its bits say. */
static void
cure_fault(struct ptah_exam *exam, const struct ptah_fault *fault)
{
	if ((fault->how & PTAH_FAULT_BARE) != 0)
		ptah_exam_cure(exam, "chmod o-r %s", exam->path);
	else if ((fault->how & PTAH_FAULT_OPEN) != 0)
		ptah_exam_cure(exam, "chmod 600 %s, and give it to who runs ptah", fault->about);
	else if ((fault->how & PTAH_FAULT_CLOSED) != 0)
		ptah_exam_cure(exam, "chgrp %s %s; chmod 640 %s; chmod g+x each folder above it that is closed",
		    ptah_guise_name(&exam->guise), fault->about, fault->about);
	else if ((fault->how & PTAH_FAULT_ABSENT) != 0)
		ptah_exam_cure(exam, "put %s there before the service starts, or change %s line %u, column %u", fault->about, exam->path,
		    fault->line, fault->column);
	else if (fault->line > 0)
		ptah_exam_cure(exam, "%s line %u, column %u; %s what may stand there", exam->path, fault->line, fault->column,
		    is_of_options(fault) ? "ptah info TRANSPORT says" : "man ptah-conf says");
	else
		ptah_exam_cure(exam, "look at the path and who may read it: ls -l %s", exam->path);
}

bool
ptah_check_configuration(struct ptah_exam *exam)
{
	for (size_t i = 0; i < exam->faults.n; i++) {
		const struct ptah_fault *fault = &exam->faults.at[i];
		const char *between = fault->path[0] ? ": " : "";

		if (is_said_elsewhere(exam, fault) || is_of_closed_file(exam, fault))
			continue;
		if (fault->warning)
			ptah_exam_warn(exam, NULL, "%s%s%s", fault->path, between, fault->text);
		else
			ptah_exam_fault(exam, NULL, "%s%s%s", fault->path, between, fault->text);
		cure_fault(exam, fault);
	}
	return exam->path != NULL;
}
