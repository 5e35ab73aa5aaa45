/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/runservice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/argv.h"

#define FD_PREFIX "fd:"
#define OVER "over"
#define MODULE "module"

/* One service on its way into its plan. */
struct draft {
	struct ptah_keyreader *reader;
	const struct ptah_json *json;
	struct ptah_plan *plan;
	struct ptah_service *service; /* the plan's one */
};

#define fault(draft, value, ...) ptah_keyread_fault((draft)->reader, 0, value, NULL, __VA_ARGS__)
#define fault_key(draft, value, ...) ptah_keyread_fault((draft)->reader, PTAH_FAULT_KEY, value, NULL, __VA_ARGS__)
#define warn(draft, value, ...) ptah_keyread_fault((draft)->reader, PTAH_FAULT_WARNING, value, NULL, __VA_ARGS__)

/* A member that has the type that its row asks for, or NULL: what is wrong with others was said. */
static const struct ptah_json *
member(const struct draft *d, const char *key, int type)
{
	const struct ptah_json *value = ptah_json_get(d->json, key);

	return value && value->type == type ? value : NULL;
}

static void
out_of_memory(const struct draft *d)
{
	d->reader->rc = -ENOMEM;
}

/* ---- where it listens ------------------------------------------------------------------ */

static bool
is_socket_name(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == ':')
			return false;
	return len > 0 && len <= 255; /* as systemd's FileDescriptorName= */
}

static void
take_inherited(const struct draft *d, const struct ptah_json *value)
{
	const char *name = value->text + strlen(FD_PREFIX);

	if (!is_socket_name(name)) {
		fault(d, value, "\"%.80s\" is no name of sockets: write fd: and what FileDescriptorName= says",
		    value->text);
		return;
	}
	d->plan->activation = strdup(name);
	if (!d->plan->activation)
		out_of_memory(d);
}

static void
take_listen(const struct draft *d, const struct ptah_json *value, struct ptah_addr *to)
{
	if (value->type != PTAH_JSON_STRING || ptah_keyread_addr(to, value->text) != 0) {
		struct ptah_key key = ptah_key_whole(ptah_key_find(ptah_keys_service, "listen"));

		memset(to, 0, sizeof(*to));
		ptah_keyread_misfit(d->reader, &key, value);
	} else if (d->plan->role == PTAH_ROLE_CLIENT && !ptah_addr_is_loopback(to)) {
		warn(d, value, "everybody who can reach this address can use it, and see what the application sends");
	}
}

static void
read_listen(const struct draft *d)
{
	const struct ptah_json *value = ptah_json_get(d->json, "listen");
	bool array = value && value->type == PTAH_JSON_ARRAY;

	if (!value || (!array && value->type != PTAH_JSON_STRING))
		return;
	if (!array && strncmp(value->text, FD_PREFIX, strlen(FD_PREFIX)) == 0) {
		take_inherited(d, value);
		return;
	}
	if (!array) {
		take_listen(d, value, &d->service->listen);
		return;
	}
	if (value->n == 0 || value->n > 1 + PTAH_ALSO_MAX)
		fault(d, value, "%zu addresses: write one to %d", value->n, 1 + PTAH_ALSO_MAX);
	for (size_t i = 0; i < value->n && i <= PTAH_ALSO_MAX; i++)
		take_listen(d, value->items[i], i == 0 ? &d->service->listen : &d->service->also[i - 1]);
	d->service->n_also = value->n > 1 ? (value->n <= 1 + PTAH_ALSO_MAX ? value->n - 1 : PTAH_ALSO_MAX) : 0;
}

/* ---- its stack and the options of that ------------------------------------------------ */

static struct ptah_json *
copy_options(const struct ptah_json *options)
{
	return options && options->type == PTAH_JSON_OBJECT ? ptah_json_copy(options) :
	    ptah_json_new(PTAH_JSON_OBJECT);
}

/* Put a layer of "stack" on what stands below it: "over" of its options.  Takes: below (NULL: nothing). */
static struct ptah_json *
put_over(const struct draft *d, const struct ptah_json *layer, const struct ptah_json *below_name,
    struct ptah_json *below)
{
	struct ptah_json *options = copy_options(ptah_json_get(layer, "options"));
	const struct ptah_json *over = options ? ptah_json_get(options, OVER) : NULL;

	if (over)
		fault_key(d, over, "what a layer stands on is the next one of \"stack\": leave this out");
	int rc = options && (!below || ptah_json_set(below, MODULE, ptah_json_copy(below_name)) == 0) ? 0 : -ENOMEM;

	if (rc == 0 && below) {
		rc = ptah_json_set(options, OVER, below);
		below = NULL;
	}
	if (rc == 0)
		return options;
	ptah_json_free(below);
	ptah_json_free(options);
	out_of_memory(d);
	return NULL;
}

/* Are the layers such that a stack can be made of them? */
static bool
check_layers(const struct draft *d, const struct ptah_json *stack)
{
	size_t errors = d->reader->faults->n_errors;

	if (stack->n == 0)
		fault(d, stack, "no layer is in it: write {\"transport\": NAME, \"options\": {...}} for each");
	for (size_t i = 0; i < stack->n; i++) {
		const struct ptah_json *layer = stack->items[i];
		const struct ptah_json *name = ptah_json_get(layer, "transport");

		if (layer->type != PTAH_JSON_OBJECT)
			fault(d, layer, "this is no object: write {\"transport\": NAME, \"options\": {...}}");
		else
			ptah_keyread_members(d->reader, ptah_keys_layer, layer, NULL);
		if (name && name->type == PTAH_JSON_STRING && strchr(name->text, '+'))
			fault(d, name, "\"%.80s\" is a stack itself: write a layer for each of its transports", name->text);
	}
	return d->reader->faults->n_errors == errors && d->reader->rc == 0;
}

static void
read_stack(const struct draft *d, const struct ptah_json *stack)
{
	struct ptah_buf names = { 0 };
	struct ptah_json *options = NULL;

	if (!check_layers(d, stack))
		return;
	for (size_t i = 0; i < stack->n; i++)
		ptah_buf_printf(&names, "%s%s", i > 0 ? "+" : "", ptah_json_get(stack->items[i], "transport")->text);
	for (size_t i = stack->n; i-- > 0 && d->reader->rc == 0;)
		options = put_over(d, stack->items[i],
		    i + 1 < stack->n ? ptah_json_get(stack->items[i + 1], "transport") : NULL, options);
	d->service->options = options;
	d->service->name = ptah_buf_take_text(&names);
	if (!d->service->name)
		out_of_memory(d);
	ptah_buf_clear(&names);
}

static void
say_exposed(const struct draft *d, const struct ptah_json *path)
{
	ptah_keyread_fault(d->reader, PTAH_FAULT_WARNING | PTAH_FAULT_OPEN, path, NULL,
	    "others may read this file, and it may hold keys: chmod 600 it");
	if (d->reader->rc == 0)
		d->reader->rc = ptah_faults_about(d->reader->faults, path->text);
}

/* What a file of options says goes beside what stands here; nothing may be said twice. */
static void
add_options_file(const struct draft *d, const struct ptah_json *path)
{
	struct ptah_options read = { 0 };
	const char *const names[] = { d->service->name };
	struct ptah_json *own = NULL;
	bool exposed = false;
	char why[900] = "";
	int rc = ptah_options_read(&read, path->text, &exposed, why, sizeof(why));

	if (rc == -EINVAL)
		fault(d, path, "%s", why);
	if (rc == 0) {
		own = ptah_options_of(&read, ptah_options_keyed(&read, names, 1), names[0]);
		rc = own ? 0 : -ENOMEM;
	}
	if (rc == 0 && exposed)
		say_exposed(d, path);
	for (size_t i = 0; rc == 0 && i < own->n; i++)
		if (ptah_json_get(d->service->options, own->keys[i]))
			fault(d, path, "\"%.60s\" stands in this file and in the options here: leave one out", own->keys[i]);
	if (rc == 0)
		rc = ptah_json_overlay(d->service->options, own);
	ptah_json_free(own);
	ptah_options_clear(&read);
	if (rc == -ENOMEM)
		out_of_memory(d);
}

static void
read_transport(const struct draft *d)
{
	const struct ptah_json *stack = ptah_json_get(d->json, "stack"), *name = ptah_json_get(d->json, "transport");
	const struct ptah_json *options = ptah_json_get(d->json, "options"), *file = member(d, "optionsFile", PTAH_JSON_STRING);

	if (stack && (name || options))
		fault_key(d, name ? name : options, "\"stack\" says this already, layer by layer: leave one of them out");
	if (!stack && !name)
		ptah_keyread_fault(d->reader, 0, d->json, ".transport", "this is missing: name a transport, or "
		    "several in \"stack\"");
	if (stack && stack->type == PTAH_JSON_ARRAY) {
		read_stack(d, stack);
	} else if (name && name->type == PTAH_JSON_STRING && ptah_text_is_stack(name->text, strlen(name->text))) {
		d->service->name = strdup(name->text);
		d->service->options = copy_options(options);
		if (!d->service->name || !d->service->options)
			out_of_memory(d);
	}
	if (d->reader->rc == 0 && file && !(d->plan->options_file = strdup(file->text)))
		out_of_memory(d);
	if (d->reader->rc == 0 && d->service->name && file && file->text[0] == '/')
		add_options_file(d, file);
}

/* ---- which keys go together (as config/rules.c has it for flags) ---------------------- */

static bool
is_udp(const struct draft *d)
{
	return d->plan->mode == PTAH_MODE_UDP || d->plan->mode == PTAH_MODE_STUN;
}

static void
check_target(const struct draft *d)
{
	const struct ptah_json *target = ptah_json_get(d->json, "target"), *port = ptah_json_get(d->json, "extorport");
	const struct ptah_json *cookie = ptah_json_get(d->json, "authcookie");

	if (!target && !port)
		ptah_keyread_fault(d->reader, 0, d->json, ".target", "this is missing: say where to send what arrives, "
		    "or give extorport and authcookie");
	if (target && port)
		fault_key(d, target, "target and extorport: give one of the two");
	if (port && !cookie)
		fault_key(d, port, "the Extended ORPort without its cookie: give authcookie, too");
	if (cookie && !port)
		fault_key(d, cookie, "a cookie without an Extended ORPort: give extorport, too");
	if (port && is_udp(d))
		fault_key(d, port, "the Extended ORPort cannot go with a UDP mode: give a target");
}

static void
check_proxy_protocol(const struct draft *d)
{
	const struct ptah_json *out = ptah_json_get(d->json, "proxyProtocol");

	if (d->plan->proxy_protocol > 0 && ptah_json_get(d->json, "extorport"))
		fault_key(d, out, "this is for a target, and the Extended ORPort learns the client's address anyway: "
		    "leave one of them out");
	if (d->plan->proxy_protocol > 0 && is_udp(d))
		fault_key(d, out, "this cannot go with a UDP mode: leave it out");
}

static void
check_rest(const struct draft *d)
{
	const struct ptah_json *memory = ptah_json_get(d->json, "isolateMemory");
	const struct ptah_json *limits = member(d, "limits", PTAH_JSON_OBJECT);
	const struct ptah_json *v4 = limits ? ptah_json_get(limits, "prefixV4") : NULL;
	const struct ptah_json *v6 = limits ? ptah_json_get(limits, "prefixV6") : NULL;

	/* A filter of system calls cannot see where a datagram goes, so an isolated service has no socket for any. */
	if (d->plan->isolate && is_udp(d))
		fault_key(d, ptah_json_get(d->json, "isolate"), "this cannot go with a UDP mode: leave it out, or take "
		    "socks5 or transparent-TCP");
	if (memory && !d->plan->isolate)
		warn(d, memory, "this has no effect without \"isolate\": true");
	if ((v4 || v6) && !ptah_json_get(limits, "linksPerPrefix"))
		warn(d, v4 ? v4 : v6, "this has no effect without linksPerPrefix");
}

/* ---- all of it ------------------------------------------------------------------------ */

/* Row and place of a word, before anything else is looked at; -1: it is none. */
static int
peek_word(const struct draft *d, const char *name)
{
	struct ptah_key key = ptah_key_whole(ptah_key_find(ptah_keys_service, name));
	const struct ptah_json *value = member(d, name, PTAH_JSON_STRING);
	const char *text = value ? value->text : ptah_json_get(d->json, name) ? "" : key.def;

	for (int i = 0; text && key.words[i]; i++)
		if (strcmp(key.words[i], text) == 0)
			return i;
	return -1;
}

static int
copy_text(char **to, const char *from)
{
	if (from && !(*to = strdup(from)))
		return -ENOMEM;
	return 0;
}

/* What is one for the process, and what is so for every service of a file. */
static int
set_common(struct ptah_plan *plan, const struct ptah_runfile *file, const char *label)
{
	plan->asked = PTAH_ASKED_SERVE;
	plan->who = PTAH_AS_PTAH;
	plan->dialect = PTAH_D3;
	plan->version = "3.0";
	plan->log_name = "ptah.log";
	plan->log_level = file->log_level;
	plan->log_unsafe = file->log_unsafe;
	plan->workers = file->workers;
	plan->replay_state = file->replay_state;
	plan->peer_timeout_s = file->peer_timeout_s;
	plan->services = calloc(1, sizeof(*plan->services));
	if (!plan->services)
		return -ENOMEM;
	plan->n_services = 1;
	if (asprintf(&plan->state_dir, "%s/%s", file->state_dir, label) == -1) {
		plan->state_dir = NULL;
		return -ENOMEM;
	}
	if (copy_text(&plan->label, label) != 0 || copy_text(&plan->module_dir, file->module_dir) != 0 ||
	    copy_text(&plan->module_path, file->module_path) != 0)
		return -ENOMEM;
	return 0;
}

void
ptah_runservice_read(struct ptah_keyreader *reader, const char *label, const struct ptah_json *json,
    struct ptah_plan *plan)
{
	static const int roles[] = { PTAH_ROLE_CLIENT, PTAH_ROLE_SERVER };
	struct draft d = { .reader = reader, .json = json, .plan = plan };
	int word = peek_word(&d, "role");

	reader->rc = set_common(plan, reader->file, label);
	if (reader->rc != 0)
		return;
	d.service = &plan->services[0];
	reader->plan = plan;
	reader->role = word < 0 ? 0 : roles[word];
	reader->mode = peek_word(&d, "mode");
	ptah_keyread_defaults(reader, ptah_keys_service, plan);
	ptah_keyread_defaults(reader, ptah_keys_limits, plan);
	ptah_keyread_members(reader, ptah_keys_service, json, plan);
	if (reader->rc == 0)
		read_listen(&d);
	if (reader->rc == 0)
		read_transport(&d);
	if (reader->role == PTAH_ROLE_SERVER && reader->rc == 0) {
		check_target(&d);
		check_proxy_protocol(&d);
	}
	if (reader->rc == 0)
		check_rest(&d);
	if (reader->rc == 0 && !(plan->fingerprint = ptah_fingerprint_make(json, plan)))
		reader->rc = -ENOMEM;
	reader->plan = NULL;
	reader->role = 0;
	reader->mode = -1;
}
