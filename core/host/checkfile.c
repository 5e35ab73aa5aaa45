/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/checkfile.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "config/ports.h"
#include "config/schema.h"
#include "transport/codeprint.h"
#include "transport/judge.h"
#include "transport/namedfile.h"
#include "transport/registry.h"

/* One service on the bench. */
struct bench {
	const struct ptah_runfile *file;
	struct ptah_faults *faults;
	const struct ptah_json *json; /* the service in the file */
	int rc;
};

/* ---- one service ------------------------------------------------------------------------ */

static const struct ptah_json *
first_of(const struct ptah_json *object, const char *const keys[])
{
	const struct ptah_json *value = NULL;

	for (; !value && *keys; keys++)
		value = ptah_json_get(object, *keys);
	return value;
}

static void
on_fault(const struct ptah_judge_fault *fault, void *arg)
{
	/* What stands not in this file came from the file of options, or from the name of a transport. */
	static const char *const all[] = { "options", "optionsFile", "stack", "transport", NULL };
	static const char *const elsewhere[] = { "optionsFile", "transport", "stack", NULL };
	const struct ptah_json *value = fault->value;
	struct bench *bench = arg;

	if (!value)
		value = first_of(bench->json, all);
	else if (value->at == 0)
		value = first_of(bench->json, elsewhere);
	if (bench->rc == 0)
		bench->rc = ptah_runfile_fault(bench->file, bench->faults, fault->how, value, NULL, "%s", fault->text);
	if (bench->rc == 0)
		bench->rc = ptah_faults_about(bench->faults, fault->about);
}

static bool
is_among(const struct ptah_json *files, const char *path)
{
	for (size_t i = 0; files && i < files->n; i++)
		if (strcmp(files->items[i]->text, path) == 0)
			return true;
	return false;
}

static void
check_isolation(struct bench *bench, const struct ptah_plan *plan, const struct ptah_judged *judged)
{
	const char *what = judged->tried.spawns ? "starts programs" : judged->tried.sockets ? "opens sockets by itself" : NULL;

	if (bench->rc == 0 && plan->isolate && what)
		bench->rc = ptah_runfile_fault(bench->file, bench->faults, PTAH_FAULT_KEY,
		    ptah_json_get(bench->json, "isolate"), NULL, "\"%s\" %s, which a service that is isolated may not do: "
		    "leave this out", plan->services[0].name, what);
	for (size_t i = 0; bench->rc == 0 && plan->isolate && judged->files && i < judged->files->n; i++)
		if (!is_among(plan->files, judged->files->items[i]->text))
			bench->rc = ptah_runfile_fault(bench->file, bench->faults, PTAH_FAULT_KEY,
			    ptah_json_get(bench->json, "isolate"), NULL, "an isolated service cannot read %s, which an option names: "
			    "put it into \"files\" of the service", judged->files->items[i]->text);
}

/* One of "files", which may come later; of what an option names, too, that says it, as an error. */
static int
check_named(struct bench *bench, const struct ptah_plan *plan, const struct ptah_json *named)
{
	char nearest[PATH_MAX];
	struct stat st;
	int rc = ptah_file_nearest(named->text, nearest, &st);

	/* Where we cannot look it may be. */
	if (rc < 0 || (rc == 0 && S_ISREG(st.st_mode)))
		return 0;
	if (rc == 0)
		rc = ptah_runfile_fault(bench->file, bench->faults, PTAH_FAULT_WARNING, named, NULL, "this is %s, and no file%s",
		    S_ISDIR(st.st_mode) ? "a folder" : "something else",
		    plan->isolate ? ": an isolated service can read files only, so name each" : "");
	else
		rc = ptah_runfile_fault(bench->file, bench->faults, PTAH_FAULT_WARNING | PTAH_FAULT_ABSENT, named, NULL,
		    "there is no such file: of its path only %s is there%s%s", nearest,
		    S_ISDIR(st.st_mode) ? "" : ", and that is no folder",
		    plan->isolate ? "; an isolated service can read only what is there when it starts" : "");
	return rc == 0 ? ptah_faults_about(bench->faults, named->text) : rc;
}

static void
check_files(struct bench *bench, const struct ptah_plan *plan, const struct ptah_judged *judged)
{
	const struct ptah_json *files = ptah_json_get(bench->json, "files");

	for (size_t i = 0; bench->rc == 0 && files && files->type == PTAH_JSON_ARRAY && i < files->n; i++) {
		const struct ptah_json *named = files->items[i];

		if (named->type == PTAH_JSON_STRING && named->text[0] == '/' && !is_among(judged->files, named->text))
			bench->rc = check_named(bench, plan, named);
	}
}

static void
check_secret(struct bench *bench, const struct ptah_judged *judged)
{
	if (bench->rc == 0 && judged->secret && bench->file->exposed)
		bench->rc = ptah_runfile_fault(bench->file, bench->faults, PTAH_FAULT_WARNING | PTAH_FAULT_BARE, judged->secret, NULL,
		    "this is a secret, and everybody may read the file: chmod o-r it, or put the secret into optionsFile");
}

/* Which kind of port a service listens on. */
static int
kind_of(const struct ptah_plan *plan, bool judged_well, const struct ptah_judged *judged)
{
	if (plan->mode != PTAH_MODE_UDP && plan->mode != PTAH_MODE_STUN)
		return PTAH_PORT_TCP;
	if (plan->role == PTAH_ROLE_CLIENT)
		return PTAH_PORT_UDP;
	if (!judged_well)
		return PTAH_PORT_UNKNOWN;
	return judged->tried.messages ? PTAH_PORT_UDP : PTAH_PORT_TCP;
}

/* The files that options name belong to the plan as if it named them itself. */
static int
add_files(struct ptah_plan *plan, const struct ptah_json *named)
{
	int rc = 0;

	if (named && !plan->files)
		plan->files = ptah_json_new(PTAH_JSON_ARRAY);
	for (size_t i = 0; rc == 0 && named && i < named->n; i++)
		if (!is_among(plan->files, named->items[i]->text))
			rc = ptah_json_add(plan->files, ptah_json_copy(named->items[i]));
	return rc;
}

/* What the plan stands for on disk: code, and what its files hold. */
static int
note_code(struct ptah_plan *plan, const uint8_t code[static PTAH_CODE_HASH])
{
	uint8_t both[PTAH_CODE_HASH];
	char hex[2 * sizeof(both) + 1];
	crypto_generichash_state print;

	crypto_generichash_init(&print, NULL, 0, sizeof(both));
	crypto_generichash_update(&print, code, PTAH_CODE_HASH);
	for (size_t i = 0; plan->files && i < plan->files->n; i++)
		ptah_namedfile_print(plan->files->items[i]->text, &print);
	ptah_namedfile_print_end(&print, both, sizeof(both));
	free(plan->code);
	plan->code = strdup(sodium_bin2hex(hex, sizeof(hex), both, sizeof(both)));
	return plan->code ? 0 : -ENOMEM;
}

/* Its modules shall not run here, so they are not asked. */
static int
note_isolated(struct ptah_plan *plan, struct ptah_registry *registry)
{
	uint8_t code[PTAH_CODE_HASH];
	int rc = ptah_codeprint_make(registry, plan->services[0].name, plan->services[0].options, code);

	return rc == 0 ? note_code(plan, code) : rc;
}

static int
note(struct ptah_plan *plan, struct ptah_registry *registry, const struct ptah_judged *judged)
{
	if (plan->isolate)
		return note_isolated(plan, registry);
	return add_files(plan, judged->files) == 0 ? note_code(plan, judged->code) : -ENOMEM;
}

static int
check_service(const struct ptah_runfile *file, struct ptah_plan *plan, struct ptah_registry *registry,
    struct ptah_faults *faults, bool all, int *kind, bool *spawns)
{
	const struct ptah_service *service = &plan->services[0];
	char bind[PTAH_ADDR_TEXT];
	const struct ptah_instance_wish wish = {
		.name = service->name, .role = (uint32_t)plan->role, .options = service->options,
		.state_folder = plan->state_dir,
		.bind = plan->role == PTAH_ROLE_CLIENT ? NULL : ptah_addr_format(&service->listen, bind),
		.has_proxy = plan->proxy.scheme != PTAH_PROXY_NONE, .alone = plan->mode != PTAH_MODE_SOCKS5,
		.datagrams = plan->mode == PTAH_MODE_UDP || plan->mode == PTAH_MODE_STUN,
	};
	struct bench bench = { .file = file, .faults = faults, .json = ptah_runfile_service(file, plan->label) };
	struct ptah_judged judged = { 0 };

	*kind = kind_of(plan, false, &judged);
	if (plan->role == 0 || !service->name || !service->options)
		return 0;
	if (plan->isolate && !all)
		return note_isolated(plan, registry);

	int rc = ptah_judge(registry, &wish, on_fault, &bench, &judged);

	if (rc >= 0 && note(plan, registry, &judged) != 0)
		rc = -ENOMEM;
	if (rc >= 0)
		*kind = kind_of(plan, rc == 0, &judged);
	if (rc == 0)
		check_isolation(&bench, plan, &judged);
	*spawns = *spawns || (rc == 0 && judged.tried.spawns);
	if (rc >= 0)
		check_secret(&bench, &judged);
	if (rc >= 0 && all)
		check_files(&bench, plan, &judged);
	ptah_judged_clear(&judged);
	return rc < 0 ? rc : bench.rc;
}

int
ptah_checkfile(const struct ptah_runfile *file, struct ptah_registry *registry, struct ptah_faults *faults, bool all,
    bool *spawns)
{
	int *kinds = calloc(file->n_plans + 1, sizeof(*kinds));
	int rc = kinds ? 0 : -ENOMEM;
	bool one_spawns = false;

	for (size_t i = 0; rc == 0 && i < file->n_plans; i++)
		if (file->plans[i]->n_services == 1)
			rc = check_service(file, file->plans[i], registry, faults, all, &kinds[i], &one_spawns);
	if (rc == 0)
		rc = ptah_ports_check(file, kinds, faults);
	free(kinds);
	if (spawns)
		*spawns = one_spawns;
	ptah_faults_sort(faults);
	return rc == 0 && faults->n_errors > 0 ? -EINVAL : rc;
}

/* ---- ptah check --------------------------------------------------------------------------- */

enum flag { MODULE_DIR, SCHEMA, JSON };

const struct ptah_ask ptah_checkfile_flags[] = {
	[MODULE_DIR] = { .name = "moduleDir", .value = "FOLDER", .type = PTAH_VALUE_FOLDER,
	    .help = "look for modules here, and not in the moduleDir of the file" },
	[SCHEMA] = { .name = "schema", .help = "print the JSON Schema of such files, for editors, and look at no file" },
	[JSON] = { .name = "json", .help = "print one JSON array, with an object for each fault and warning" },
	{ .name = NULL },
};

static int
print(struct ptah_buf *out)
{
	bool written = out->rc == 0 && ptah_write_full(STDOUT_FILENO, out->at, out->len) == (ssize_t)out->len;

	ptah_buf_wipe(out);
	return written ? EX_OK : EX_OSERR;
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void
report(const struct ptah_runfile *file, const char *path, const struct ptah_faults *faults, struct ptah_buf *out)
{
	for (size_t i = 0; i < faults->n; i++) {
		(void)ptah_fault_print(&faults->at[i], path, out);
		ptah_buf_puts(out, "\n");
	}
	if (faults->n < faults->n_errors + faults->n_warnings)
		ptah_buf_printf(out, "%s: and more, which are not shown\n", path);
	if (faults->n_errors > 0)
		ptah_buf_printf(out, "%s: %zu error%s, %zu warning%s\n", path, faults->n_errors, plural(faults->n_errors),
		    faults->n_warnings, plural(faults->n_warnings));
	else
		ptah_buf_printf(out, "%s: fine: %zu service%s, %zu warning%s\n", path, file->n_plans, plural(file->n_plans),
		    faults->n_warnings, plural(faults->n_warnings));
}

/* Its form is promised, in ptah(1). */
static int
report_json(const char *path, const struct ptah_faults *faults, struct ptah_buf *out)
{
	struct ptah_json *array = ptah_json_new(PTAH_JSON_ARRAY);
	int rc = array ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < faults->n; i++)
		rc = ptah_json_add(array, ptah_fault_json(&faults->at[i], path));
	if (rc == 0 && faults->n < faults->n_errors + faults->n_warnings) {
		char text[] = "and more, which are not shown", nowhere[] = "";
		const struct ptah_fault more = { .path = nowhere, .text = text, .warning = faults->n_errors == 0 };

		rc = ptah_json_add(array, ptah_fault_json(&more, path));
	}
	if (rc == 0)
		rc = ptah_json_print(array, out);
	ptah_json_free(array);
	return rc == 0 ? ptah_buf_puts(out, "\n") : rc;
}

static int
check(const char *path, const char *module_dir, char *envp[], struct ptah_runfile *file, struct ptah_faults *faults)
{
	int rc = ptah_runfile_read(file, path, envp, faults);

	if (rc != 0 && rc != -EINVAL)
		return rc;

	struct ptah_registry *registry = ptah_registry_new(file->module_path, module_dir ? module_dir : file->module_dir);

	if (!registry)
		return -errno;
	rc = ptah_checkfile(file, registry, faults, true, NULL);
	ptah_registry_free(registry);
	return rc;
}

int
ptah_checkfile_command(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_faults faults = { 0 };
	struct ptah_runfile file = { 0 };
	struct ptah_buf out = { 0 };
	int rc;

	if (asked->value[SCHEMA]) {
		(void)ptah_schema_print(&out);
		return print(&out);
	}
	if (!asked->operand) {
		(void)ptah_asked_wrong("check", "FILE is missing: ptah check FILE");
		return EX_USAGE;
	}
	rc = check(asked->operand, asked->value[MODULE_DIR], envp, &file, &faults);
	if (rc != 0 && rc != -EINVAL)
		fprintf(stderr, "ptah: check: %s\n", strerror(-rc));
	else if (!asked->value[JSON])
		report(&file, asked->operand, &faults, &out);
	else if (report_json(asked->operand, &faults, &out) != 0)
		out.rc = -ENOMEM;
	ptah_runfile_clear(&file);
	ptah_faults_clear(&faults);
	if (rc != 0 && rc != -EINVAL)
		return EX_OSERR;

	int printed = print(&out);

	return printed == EX_OK && rc != 0 ? EX_CONFIG : printed;
}
