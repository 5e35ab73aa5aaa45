/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "config/source.h"
#include "doctor/torcases.h"
#include "transport/judge.h"

/* Since 0.2.5 Tor has what a server needs; since 0.4.8 it is maintained. */
#define TOR_LEAST 205u
#define TOR_KEPT 408u

/* ---- lines ---------------------------------------------------------------------------- */

static void
cure_line(struct ptah_exam *exam, const struct ptah_torrc_line *line, const char *right)
{
	ptah_exam_cure(exam, "%s line %u: %s", line->file, line->line, right);
}

static bool
is_plugin_of(const struct ptah_torrc_line *line, const char *key, const char *name)
{
	const char *cursor = line->n_words > 0 ? line->words[0] : NULL, *item;
	size_t len;

	if (!ptah_torrc_is(line, key))
		return false;
	while (ptah_text_next(&cursor, ',', &item, &len))
		if (strlen(name) == len && strncmp(item, name, len) == 0)
			return true;
	return false;
}

static bool
has_plugin(const struct ptah_exam *exam, const char *key, const char *name)
{
	for (size_t i = 0; i < exam->torrc.n; i++)
		if (is_plugin_of(&exam->torrc.lines[i], key, name))
			return true;
	return false;
}

static void
look_at_plugin(struct ptah_exam *exam, const struct ptah_torrc_line *line)
{
	char right[200];
	bool server = ptah_torrc_is(line, "ServerTransportPlugin");

	snprintf(right, sizeof(right), "%s NAME,... exec /usr/bin/ptah", server ? "ServerTransportPlugin" : "ClientTransportPlugin");
	if (line->n_words < 3) {
		ptah_exam_fault(exam, NULL, "%s says too little: \"%.100s\"", line->key, line->value);
		cure_line(exam, line, right);
	} else if (strcasecmp(line->words[1], "exec") != 0 && strncasecmp(line->words[1], "socks", 5) != 0 && strcasecmp(line->words[1], "proxy") != 0) {
		ptah_exam_fault(exam, NULL, "%s wants the word \"exec\" behind the names, and not \"%.60s\"", line->key, line->words[1]);
		cure_line(exam, line, right);
	}
	if (!ptah_torcases_is_ours(exam, line))
		return;
	if (strcmp(ptah_torcases_value(exam, "Sandbox", "0"), "1") == 0) {
		ptah_exam_fault(exam, NULL, "Tor starts no program while its own sandbox is on");
		cure_line(exam, ptah_torrc_last(&exam->torrc, "Sandbox"), "Sandbox 0; AppArmor and systemd hold Tor without it");
	}
	if (server && strcmp(ptah_torcases_value(exam, "ORPort", "0"), "0") == 0) {
		ptah_exam_fault(exam, NULL, "a bridge needs an ORPort, which ptah hands its clients to");
		ptah_exam_cure(exam, "add: ORPort 127.0.0.1:auto");
		ptah_exam_cure(exam, "add: ExtORPort auto");
	} else if (!server && strcmp(ptah_torcases_value(exam, "UseBridges", "0"), "1") != 0) {
		ptah_exam_warn(exam, NULL, "Tor uses no bridges, so it will not start ptah");
		ptah_exam_cure(exam, "add: UseBridges 1");
	}
}

static void
look_at_listen(struct ptah_exam *exam, const struct ptah_torrc_line *line)
{
	struct ptah_addr addr;

	if (line->n_words < 2 || ptah_addr_parse(&addr, line->words[1]) != 0) {
		ptah_exam_fault(exam, NULL, "%s wants a transport and an IP address with a port: \"%.100s\"", line->key, line->value);
		cure_line(exam, line, "ServerTransportListenAddr NAME 0.0.0.0:443");
	} else if (!has_plugin(exam, "ServerTransportPlugin", line->words[0])) {
		ptah_exam_fault(exam, NULL, "%s is for \"%.60s\", which no ServerTransportPlugin starts", line->key, line->words[0]);
		cure_line(exam, line, "the name must be one of the ServerTransportPlugin line");
	}
}

static void
look_at_pairs(struct ptah_exam *exam, const struct ptah_torrc_line *line)
{
	bool wrong = line->n_words < 2;

	for (size_t i = 1; i < line->n_words; i++)
		wrong = wrong || !strchr(line->words[i], '=');
	if (wrong) {
		ptah_exam_fault(exam, NULL, "%s wants a transport and options, with a blank between: \"%.60s ...\"", line->key,
		    line->n_words > 0 ? line->words[0] : "");
		cure_line(exam, line, "ServerTransportOptions NAME KEY=VALUE KEY=VALUE");
	}
}

static bool
is_fingerprint(const char *text)
{
	size_t len = strspn(text, "0123456789abcdefABCDEF");

	return len == 40 && text[len] == '\0';
}

/* "Bridge NAME IP:PORT FINGERPRINT KEY=VALUE ..." */
static void
look_at_bridge(struct ptah_exam *exam, const struct ptah_torrc_line *line)
{
	static const char right[] = "Bridge NAME IP:PORT FINGERPRINT KEY=VALUE ...";
	struct ptah_addr addr;
	size_t at = 2;

	/* One without a transport is Tor's own. */
	if (line->n_words == 0 || !ptah_text_is_ptname(line->words[0], strlen(line->words[0])))
		return;
	if (!has_plugin(exam, "ClientTransportPlugin", line->words[0])) {
		ptah_exam_fault(exam, NULL, "no ClientTransportPlugin is for this bridge's transport \"%.60s\"", line->words[0]);
		ptah_exam_cure(exam, "add: ClientTransportPlugin %.60s exec %s", line->words[0], exam->self);
		return;
	}
	if (line->n_words < 2 || ptah_addr_parse(&addr, line->words[1]) != 0) {
		ptah_exam_fault(exam, NULL, "a Bridge line wants an IP address with a port behind its transport: \"%.80s\"",
		    line->n_words < 2 ? "" : line->words[1]);
		cure_line(exam, line, right);
		return;
	}
	if (at < line->n_words && !strchr(line->words[at], '=')) {
		if (!is_fingerprint(line->words[at])) {
			ptah_exam_fault(exam, NULL, "\"%.60s\" is no fingerprint: that has 40 hexadecimal digits", line->words[at]);
			cure_line(exam, line, right);
		}
		at++;
	}
	for (; at < line->n_words; at++)
		if (!strchr(line->words[at], '=')) {
			ptah_exam_fault(exam, NULL, "an option of a bridge is KEY=VALUE, which \"%.40s\" is not: was the line broken?", line->words[at]);
			cure_line(exam, line, right);
			return;
		}
}

bool
ptah_check_torrc(struct ptah_exam *exam)
{
	size_t before = exam->n_faults;
	bool ours = false;

	if (!exam->torrc_path)
		return false;
	for (size_t i = 0; i < exam->torrc.n; i++) {
		const struct ptah_torrc_line *line = &exam->torrc.lines[i];

		ours = ours || ptah_torcases_is_ours(exam, line);
		if (line->wrong) {
			ptah_exam_fault(exam, NULL, "%s: %s", line->key, line->wrong);
			cure_line(exam, line, "mend or remove it; tor --verify-config looks at the rest");
		} else if (ptah_torrc_is(line, "ClientTransportPlugin") || ptah_torrc_is(line, "ServerTransportPlugin")) {
			look_at_plugin(exam, line);
		} else if (ptah_torrc_is(line, "ServerTransportListenAddr")) {
			look_at_listen(exam, line);
		} else if (ptah_torrc_is(line, "ServerTransportOptions")) {
			look_at_pairs(exam, line);
		} else if (ptah_torrc_is(line, "Bridge")) {
			look_at_bridge(exam, line);
		}
	}
	/* What is malformed would only be said a second time by ptah. */
	if (exam->n_faults == before)
		(void)ptah_torcases_add(exam);
	if (!ours && exam->n_faults == before) {
		ptah_exam_warn(exam, NULL, "no line of it starts ptah");
		ptah_exam_cure(exam, "add: ClientTransportPlugin NAME exec %s", exam->self);
	}
	return true;
}

/* ---- options ---------------------------------------------------------------------------- */

struct judging {
	struct ptah_exam *exam;
	const struct ptah_case *one;
};

static void
on_fault(const struct ptah_judge_fault *fault, void *arg)
{
	struct judging *judging = arg;
	const struct ptah_case *one = judging->one;

	ptah_exam_fault(judging->exam, one, "%s", fault->text);
	if (one->bridge)
		ptah_exam_cure(judging->exam, "%s: the whole line is what ptah invite or the bridge's operator printed", one->where);
	else
		ptah_exam_cure(judging->exam, "ServerTransportOptions %s, or the words behind the program in %s", one->service->name, one->where);
	ptah_exam_cure(judging->exam, "ptah info %s lists its options", one->service->name);
}

bool
ptah_check_bridge(struct ptah_exam *exam)
{
	bool any = false;

	for (size_t i = 0; i < exam->n_cases && exam->rc == 0; i++) {
		const struct ptah_case *one = &exam->cases[i];
		struct judging judging = { exam, one };
		struct ptah_judged judged = { 0 };
		char bind[PTAH_ADDR_TEXT];
		const struct ptah_instance_wish wish = {
			.name = one->service->name, .role = (uint32_t)one->plan->role, .options = one->service->options,
			.state_folder = one->plan->state_dir,
			.bind = ptah_case_serves(one) ? ptah_addr_format(&one->service->listen, bind) : NULL,
			.has_proxy = one->plan->proxy.scheme != PTAH_PROXY_NONE, .alone = one->bridge,
		};

		if (!one->line || one->missing || !one->registry)
			continue;
		any = true;
		if (ptah_judge(one->registry, &wish, on_fault, &judging, &judged) < 0)
			exam->rc = -ENOMEM;
		ptah_judged_clear(&judged);
	}
	return any;
}

/* ---- the program tor ---------------------------------------------------------------------- */

/* What "tor --version" begins with; 0 where there is none. */
static unsigned
ask_version(const char *path, char text[static 64])
{
	char command[PATH_MAX + 32];
	unsigned a = 0, b = 0, c = 0;
	FILE *pipe;

	text[0] = '\0';
	if (strchr(path, '\''))
		return 0;
	snprintf(command, sizeof(command), "'%s' --version 2>/dev/null", path);
	pipe = popen(command, "re");
	if (!pipe)
		return 0;
	if (fgets(text, 64, pipe))
		text[strcspn(text, "\n")] = '\0';
	while (fgetc(pipe) != EOF)
		;
	pclose(pipe);
	if (sscanf(text, "Tor version %u.%u.%u", &a, &b, &c) != 3)
		return 0;
	snprintf(text, 64, "%u.%u.%u", a, b, c);
	return a * 10000 + b * 100 + c;
}

/* The first tor of PATH, or where Debian has it. */
static bool
find_tor(const struct ptah_exam *exam, char out[static PATH_MAX])
{
	const char *path = ptah_env_get(exam->envp, "PATH"), *item;
	size_t len;

	while (ptah_text_next(&path, ':', &item, &len)) {
		snprintf(out, PATH_MAX, "%.*s/tor", (int)len, item);
		if (len > 0 && access(out, X_OK) == 0)
			return true;
	}
	return access(ptah_exam_system(exam, "/usr/sbin/tor", out), X_OK) == 0;
}

bool
ptah_check_tor(struct ptah_exam *exam)
{
	char path[PATH_MAX], version[64];
	unsigned number;

	if (!exam->torrc_path)
		return false;
	if (!find_tor(exam, path)) {
		ptah_exam_warn(exam, NULL, "there is no program tor here");
		ptah_exam_cure(exam, "apt install tor");
		return true;
	}
	number = ask_version(path, version);
	if (number == 0) {
		ptah_exam_warn(exam, NULL, "%s does not say its version", path);
		ptah_exam_cure(exam, "%s --version", path);
	} else if (number < TOR_LEAST) {
		ptah_exam_fault(exam, NULL, "%s is version %s, which is too old: Extended ORPort and options came with 0.2.5", path, version);
		ptah_exam_cure(exam, "take the newest: https://support.torproject.org/apt/");
	} else if (number < TOR_KEPT) {
		ptah_exam_warn(exam, NULL, "%s is version %s, which nobody maintains any more", path, version);
		ptah_exam_cure(exam, "take the newest: https://support.torproject.org/apt/");
	}
	return true;
}
