/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/runfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "config/keyread.h"
#include "config/runservice.h"
#include "config/source.h"

#define STATE_DIR "/var/lib/ptah"

/* ---- places and paths ------------------------------------------------------------------ */

static bool
is_plain(const char *key)
{
	if (key[0] == '\0')
		return false;
	for (; *key; key++)
		if (!(*key >= 'a' && *key <= 'z') && !(*key >= 'A' && *key <= 'Z') && !(*key >= '0' && *key <= '9') &&
		    *key != '_' && *key != '-' && *key != '$')
			return false;
	return true;
}

/* The path of what begins at 'at', behind that of 'json'; false: it is not in there. */
static bool
find_path(const struct ptah_json *json, uint32_t at, struct ptah_buf *out)
{
	size_t len = out->len;

	if (json->at == at)
		return true;
	for (size_t i = 0; i < json->n; i++) {
		const char *key = json->type == PTAH_JSON_OBJECT ? json->keys[i] : NULL;

		if (!key)
			ptah_buf_printf(out, "[%zu]", i);
		else if (is_plain(key))
			ptah_buf_printf(out, "%s%s", len > 0 ? "." : "", key);
		else
			ptah_buf_printf(out, "[\"%s\"]", key);
		if (out->rc != 0 || find_path(json->items[i], at, out))
			return true;
		out->len = len;
	}
	return false;
}

int
ptah_runfile_vfault(const struct ptah_runfile *file, struct ptah_faults *faults, unsigned how,
    const struct ptah_json *value, const char *more, const char *format, va_list args)
{
	bool key = (how & PTAH_FAULT_KEY) != 0;
	uint32_t at = !value ? 0 : key && value->key_at != 0 ? value->key_at : value->at;
	struct ptah_buf path = { 0 };
	unsigned line = 0, column = 0;

	(void)ptah_buf_puts(&path, "");
	if (at != 0 && file->text && faults->n < PTAH_FAULTS_MOST) {
		ptah_json_where(file->text, at, &line, &column);
		if (file->json && !find_path(file->json, value->at, &path))
			path.len = 0;
	}
	if (more)
		ptah_buf_puts(&path, more + (path.len == 0 && more[0] == '.'));
	ptah_buf_add(&path, "", 1);

	int rc = path.rc;

	if (rc == 0)
		rc = ptah_faults_vadd(faults, how, line, column, (const char *)path.at, format, args);
	ptah_buf_clear(&path);
	return rc;
}

int
ptah_runfile_fault(const struct ptah_runfile *file, struct ptah_faults *faults, unsigned how,
    const struct ptah_json *value, const char *more, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int rc = ptah_runfile_vfault(file, faults, how, value, more, format, args);
	va_end(args);
	return rc;
}

const struct ptah_json *
ptah_runfile_service(const struct ptah_runfile *file, const char *label)
{
	return ptah_json_get(ptah_json_get(file->json, "services"), label);
}

/* ---- read ------------------------------------------------------------------------------- */

static void
read_service(struct ptah_keyreader *reader, const char *label, const struct ptah_json *json)
{
	struct ptah_runfile *file = reader->file;
	struct ptah_plan *plan;

	if (json->twice)
		ptah_keyread_fault(reader, PTAH_FAULT_KEY, json, NULL, "two services have this label: give each its own");
	if (ptah_label_check(label) != 0)
		ptah_keyread_fault(reader, PTAH_FAULT_KEY, json, NULL, "this is no label of a service: write letters, "
		    "digits, '_', '-' and '.', a letter or digit first, at most %d", PTAH_LABEL_MAX);
	if (json->type != PTAH_JSON_OBJECT) {
		ptah_keyread_fault(reader, 0, json, NULL, "a service is an object, such as {\"role\": \"client\", ...}");
		return;
	}
	plan = calloc(1, sizeof(*plan));
	if (!plan) {
		reader->rc = -ENOMEM;
		return;
	}
	file->plans[file->n_plans++] = plan;
	ptah_runservice_read(reader, label, json, plan);
}

static void
read_services(struct ptah_keyreader *reader)
{
	const struct ptah_json *services = ptah_json_get(reader->file->json, "services");

	if (!services || services->type != PTAH_JSON_OBJECT)
		return;
	if (services->n == 0)
		ptah_keyread_fault(reader, 0, services, NULL, "no service is in it: there is nothing to do");
	if (services->n > PTAH_RUNFILE_SERVICES) {
		ptah_keyread_fault(reader, 0, services, NULL, "%zu services are too many: at most %d", services->n,
		    PTAH_RUNFILE_SERVICES);
		return;
	}
	reader->file->plans = calloc(services->n + 1, sizeof(struct ptah_plan *));
	if (!reader->file->plans)
		reader->rc = -ENOMEM;
	for (size_t i = 0; reader->rc == 0 && i < services->n; i++)
		read_service(reader, services->keys[i], services->items[i]);
}

/* Where nothing is said: the first folder of a variable that systemd sets, and 'more' behind it, if there is one. */
static int
take_folder(char **to, char *const envp[], const char *name, const char *more)
{
	const char *value = ptah_env_get(envp, name);

	if (*to || !value || value[0] != '/')
		return 0;
	if (asprintf(to, "%.*s%s", (int)strcspn(value, ":"), value, more) == -1) {
		*to = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int
take_text(char **to, const char *text)
{
	if (!*to && text)
		*to = strdup(text);
	return *to || !text ? 0 : -ENOMEM;
}

/* What the file leaves open, the environment may say. */
static int
fill_in(struct ptah_runfile *file, char *const envp[])
{
	int rc = take_folder(&file->state_dir, envp, "STATE_DIRECTORY", "");

	if (rc == 0)
		rc = take_text(&file->state_dir, STATE_DIR);
	if (rc == 0)
		rc = take_folder(&file->control, envp, "RUNTIME_DIRECTORY", "/control");
	if (rc == 0)
		rc = take_text(&file->module_path, ptah_env_get(envp, "PTAH_MODULE_PATH"));
	return rc;
}

static void
check_sockets(struct ptah_keyreader *reader)
{
	const struct ptah_runfile *file = reader->file;

	if (file->control && file->metrics_path && strcmp(file->control, file->metrics_path) == 0)
		ptah_keyread_fault(reader, 0, ptah_json_get(file->json, "metrics"), NULL,
		    "this is the control socket: give it a path of its own");
}

static int
read_tree(struct ptah_runfile *file, char *const envp[], struct ptah_faults *faults)
{
	struct ptah_keyreader reader = { .file = file, .faults = faults, .mode = -1 };

	if (file->json->type != PTAH_JSON_OBJECT)
		return ptah_runfile_fault(file, faults, 0, file->json, NULL, "a configuration is an object, such as "
		    "{\"services\": {...}}");
	ptah_keyread_defaults(&reader, ptah_keys_file, file);
	ptah_keyread_members(&reader, ptah_keys_file, file->json, file);
	if (reader.rc == 0)
		reader.rc = fill_in(file, envp);
	if (reader.rc == 0)
		check_sockets(&reader);
	if (reader.rc == 0)
		read_services(&reader);
	return reader.rc;
}

/* Takes: text. */
static int
read_text(struct ptah_runfile *file, char *text, size_t len, char *const envp[], struct ptah_faults *faults)
{
	struct ptah_json wrong = { 0 };
	char why[200] = "";
	int rc;

	file->text = text;
	file->text_len = len;
	file->json = ptah_json_parse_placed(text, len, PTAH_JSON_COMMENTS, &wrong.at, why, sizeof(why));
	if (file->json)
		rc = read_tree(file, envp, faults);
	else if (errno == EINVAL)
		rc = ptah_runfile_fault(file, faults, 0, &wrong, NULL, "this is no JSON: %s", why);
	else
		rc = -ENOMEM;
	ptah_faults_sort(faults);
	return rc == 0 && faults->n_errors > 0 ? -EINVAL : rc;
}

int
ptah_runfile_parse(struct ptah_runfile *file, const char *text, size_t len, char *const envp[],
    struct ptah_faults *faults)
{
	char *copy = malloc(len + 1);

	memset(file, 0, sizeof(*file));
	if (!copy)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return read_text(file, copy, len, envp, faults);
}

int
ptah_runfile_read(struct ptah_runfile *file, const char *path, char *const envp[], struct ptah_faults *faults)
{
	uint8_t *text = NULL;
	size_t len = 0;
	struct stat st;
	int rc = ptah_file_read(path, PTAH_RUNFILE_MAX, &text, &len);

	memset(file, 0, sizeof(*file));
	if (rc == -ENOMEM)
		return rc;
	if (rc != 0) {
		rc = ptah_faults_add(faults, 0, 0, 0, "", "cannot be read: %s", rc == -EFBIG ?
		    "it is longer than 1 MiB" : strerror(-rc));
		return rc == 0 ? -EINVAL : rc;
	}
	file->exposed = stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0;
	return read_text(file, (char *)text, len, envp, faults);
}

/* ---- and after that ---------------------------------------------------------------------- */

struct ptah_plan *
ptah_runfile_get(const struct ptah_runfile *file, const char *label)
{
	for (size_t i = 0; i < file->n_plans; i++)
		if (file->plans[i]->label && strcmp(file->plans[i]->label, label) == 0)
			return file->plans[i];
	return NULL;
}

struct ptah_plan *
ptah_runfile_take(struct ptah_runfile *file, size_t i)
{
	struct ptah_plan *plan = file->plans[i];

	file->n_plans--;
	memmove(&file->plans[i], &file->plans[i + 1], (file->n_plans - i) * sizeof(struct ptah_plan *));
	return plan;
}

void
ptah_runfile_forget(struct ptah_runfile *file)
{
	ptah_json_free(file->json);
	file->json = NULL;
	if (file->text)
		explicit_bzero(file->text, file->text_len);
	free(file->text);
	file->text = NULL;
}

void
ptah_runfile_clear(struct ptah_runfile *file)
{
	ptah_runfile_forget(file);
	for (size_t i = 0; i < file->n_plans; i++)
		ptah_plan_free(file->plans[i]);
	free(file->plans);
	free(file->module_dir);
	free(file->module_path);
	free(file->state_dir);
	free(file->log_file);
	free(file->control);
	free(file->metrics_path);
	memset(file, 0, sizeof(*file));
}
