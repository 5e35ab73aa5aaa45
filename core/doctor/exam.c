/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/exam.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cases ---------------------------------------------------------------------- */

struct ptah_case *
ptah_exam_case(struct ptah_exam *exam, struct ptah_plan *plan, struct ptah_service *service,
    struct ptah_registry *registry)
{
	struct ptah_case *more = realloc(exam->cases, (exam->n_cases + 1) * sizeof(*more));

	if (!more) {
		exam->rc = -ENOMEM;
		return NULL;
	}
	exam->cases = more;
	more += exam->n_cases++;
	*more = (struct ptah_case){ .plan = plan, .service = service, .registry = registry };
	return more;
}

bool
ptah_case_serves(const struct ptah_case *one)
{
	return one->plan->role == PTAH_ROLE_SERVER;
}

const struct ptah_addr *
ptah_case_listen(const struct ptah_case *one, size_t i)
{
	const struct ptah_addr *addr = &one->service->listen;

	if (i > one->service->n_also)
		return NULL;
	if (i > 0)
		addr = &one->service->also[i - 1];
	return addr->sa.sa_family != AF_UNSPEC ? addr : NULL;
}

/* ---- findings ------------------------------------------------------------------- */

static char *__attribute__((format(printf, 2, 0)))
text_of(struct ptah_exam *exam, const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) != -1)
		return text;
	exam->rc = -ENOMEM;
	return NULL;
}

static void __attribute__((format(printf, 4, 0)))
find(struct ptah_exam *exam, int state, const struct ptah_case *one, const char *format, va_list args)
{
	struct ptah_finding *more = realloc(exam->findings, (exam->n_findings + 1) * sizeof(*more));

	if (!more) {
		exam->rc = -ENOMEM;
		return;
	}
	exam->findings = more;
	more += exam->n_findings++;
	*more = (struct ptah_finding){ .check = exam->check, .state = state, .text = text_of(exam, format, args) };
	if (one && !(more->about = strdup(one->label)))
		exam->rc = -ENOMEM;
	exam->n_faults += state == PTAH_FOUND_FAULT;
	exam->n_warnings += state == PTAH_FOUND_WARNING;
}

void
ptah_exam_fine(struct ptah_exam *exam, const struct ptah_case *one, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	find(exam, PTAH_FOUND_FINE, one, format, args);
	va_end(args);
}

void
ptah_exam_warn(struct ptah_exam *exam, const struct ptah_case *one, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	find(exam, PTAH_FOUND_WARNING, one, format, args);
	va_end(args);
}

void
ptah_exam_fault(struct ptah_exam *exam, const struct ptah_case *one, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	find(exam, PTAH_FOUND_FAULT, one, format, args);
	va_end(args);
}

void
ptah_exam_cure(struct ptah_exam *exam, const char *format, ...)
{
	struct ptah_finding *last = exam->n_findings > 0 ? &exam->findings[exam->n_findings - 1] : NULL;
	char *line, *whole;
	va_list args;

	if (!last)
		return;
	va_start(args, format);
	line = text_of(exam, format, args);
	va_end(args);
	if (!last->cure || !line) {
		last->cure = last->cure ? last->cure : line;
		return;
	}
	if (asprintf(&whole, "%s\n%s", last->cure, line) == -1) {
		exam->rc = -ENOMEM;
		free(line);
		return;
	}
	free(line);
	free(last->cure);
	last->cure = whole;
}

void
ptah_exam_path(struct ptah_exam *exam, const char *path)
{
	struct ptah_finding *last = exam->n_findings > 0 ? &exam->findings[exam->n_findings - 1] : NULL;

	if (!last)
		return;
	free(last->path);
	last->path = strdup(path);
	if (!last->path)
		exam->rc = -ENOMEM;
}

bool
ptah_exam_has_path(const struct ptah_exam *exam, const char *path)
{
	for (size_t i = 0; i < exam->n_findings; i++)
		if (strcmp(exam->findings[i].check, exam->check) == 0 && exam->findings[i].path &&
		    strcmp(exam->findings[i].path, path) == 0)
			return true;
	return false;
}

/* ---- all of it ------------------------------------------------------------------ */

const char *
ptah_exam_system(const struct ptah_exam *exam, const char *path, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", exam->root, path);
	return out;
}

void
ptah_exam_clear(struct ptah_exam *exam)
{
	for (size_t i = 0; i < exam->n_findings; i++) {
		free(exam->findings[i].about);
		free(exam->findings[i].text);
		free(exam->findings[i].cure);
		free(exam->findings[i].path);
	}
	free(exam->findings);
	for (size_t i = 0; i < exam->n_cases; i++)
		if (exam->cases[i].bridge) {
			ptah_json_free(exam->cases[i].service->options);
			free(exam->cases[i].service);
		}
	free(exam->cases);
	for (size_t i = 0; i < exam->n_plans; i++) {
		ptah_plan_free(exam->plans[i]);
		ptah_registry_free(exam->registries[i]);
	}
	free(exam->plans);
	free(exam->registries);
	ptah_registry_free(exam->registry);
	ptah_unit_clear(&exam->unit);
	ptah_torrc_clear(&exam->torrc);
	ptah_faults_clear(&exam->faults);
	ptah_runfile_clear(&exam->file);
	*exam = (struct ptah_exam){ 0 };
}
