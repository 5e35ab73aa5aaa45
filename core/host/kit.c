/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/kit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "config/flag.h"

#define WORD "sketch" /* what stands for the name in the templates */
#define WORD_LEN (sizeof(WORD) - 1)
#define NAME_MOST 64u

enum flag { CARRIER, LANGUAGE };

static const char *const languages[] = { "c", "c++", "rust", NULL };
static const char *const endings[] = { ".c", ".cc", ".rs" }; /* as the languages */

const struct ptah_ask ptah_kit_flags[] = {
	[CARRIER] = { .name = "carrier", .help = "one that makes its own streams; else a codec, which turns bytes into bytes" },
	[LANGUAGE] = { .name = "language", .value = "LANGUAGE", .type = PTAH_VALUE_WORD, .words = languages,
	    .help = "what it is written in" },
	{ .name = NULL },
};

struct kit {
	const char *name, *kind, *ending;
};

/* The file's path in the new folder's terms, or NULL where this kit leaves it out. */
static const char *
path_in(const struct kit *kit, const struct ptah_kit_file *file)
{
	const char *slash = strchr(file->path, '/'), *dot = strrchr(file->path, '.');
	size_t kind_len = (size_t)(slash - file->path);
	bool of_kind = strlen(kit->kind) == kind_len && memcmp(file->path, kit->kind, kind_len) == 0;

	if (!of_kind && strncmp(file->path, "common/", 7) != 0)
		return NULL;
	/* A source is in one language; the tests are C for all. */
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && !strchr(slash + 1, '/'); i++)
		if (dot && strcmp(dot, endings[i]) == 0 && strcmp(dot, kit->ending) != 0)
			return NULL;
	return slash + 1;
}

/* Add the text with the name where the word stood, in its case. */
static int
add_named(struct ptah_buf *out, const char *name, const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		bool whole = len - i >= WORD_LEN;

		if (whole && memcmp(text + i, WORD, WORD_LEN) == 0) {
			ptah_buf_puts(out, name);
			i += WORD_LEN;
		} else if (whole && memcmp(text + i, "SKETCH", WORD_LEN) == 0) {
			for (const char *at = name; *at != '\0'; at++) {
				char upper = (char)toupper((unsigned char)*at);

				ptah_buf_add(out, &upper, 1);
			}
			i += WORD_LEN;
		} else {
			ptah_buf_add(out, text + i++, 1);
		}
	}
	return out->rc;
}

/* "NAME/PATH" of a file. */
static int
add_path(struct ptah_buf *out, const struct kit *kit, const char *path)
{
	ptah_buf_printf(out, "%s/", kit->name);
	return add_named(out, kit->name, path, strlen(path));
}

/* Make the folders on the way to 'path', which are ours. */
static int
make_folders(char *path)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int rc = mkdir(path, 0777) == -1 && errno != EEXIST ? -errno : 0;

		*slash = '/';
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
write_file(char *path, const void *bytes, size_t len)
{
	int rc = make_folders(path);
	int fd = rc < 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd == -1)
		return rc < 0 ? rc : -errno;

	ssize_t n = ptah_write_full(fd, bytes, len);

	rc = n < 0 ? (int)n : n < (ssize_t)len ? -EIO : 0;
	if (close(fd) == -1 && rc == 0)
		rc = -errno;
	return rc;
}

static int
write_one(const struct kit *kit, const struct ptah_kit_file *file)
{
	const char *path = path_in(kit, file);
	struct ptah_buf where = { 0 }, text = { 0 };
	int rc = path ? add_path(&where, kit, path) : 0;

	if (path && rc == 0)
		rc = add_named(&text, kit->name, (const char *)file->at, file->len);
	if (path && rc == 0)
		rc = write_file((char *)where.at, text.at, text.len);
	if (rc < 0)
		fprintf(stderr, "ptah: new-module: cannot write %s: %s\n", where.at ? (const char *)where.at : kit->name,
		    strerror(-rc));
	ptah_buf_clear(&where);
	ptah_buf_clear(&text);
	return rc;
}

/* Half a folder would only stand in the way of the next attempt. */
static void
take_back(const struct kit *kit)
{
	for (const struct ptah_kit_file *file = ptah_kit_files; file->path; file++) {
		const char *path = path_in(kit, file);
		struct ptah_buf where = { 0 };

		if (path && add_path(&where, kit, path) == 0)
			(void)unlink((char *)where.at);
		/* Each folder goes with its last file. */
		for (char *slash = where.at ? strrchr((char *)where.at, '/') : NULL; slash;
		     slash = strrchr((char *)where.at, '/')) {
			*slash = '\0';
			(void)rmdir((char *)where.at);
		}
		ptah_buf_clear(&where);
	}
	(void)rmdir(kit->name);
}

static int
write_all(const struct kit *kit)
{
	if (mkdir(kit->name, 0777) == -1) {
		if (errno == EEXIST)
			fprintf(stderr, "ptah: new-module: there is a %s here already, and nothing is overwritten: "
			    "choose another name, or move it away\n", kit->name);
		else
			fprintf(stderr, "ptah: new-module: cannot make the folder %s here: %s\n", kit->name, strerror(errno));
		return EX_CANTCREAT;
	}
	for (const struct ptah_kit_file *file = ptah_kit_files; file->path; file++) {
		if (write_one(kit, file) < 0) {
			take_back(kit);
			return EX_CANTCREAT;
		}
	}
	return EX_OK;
}

static bool
name_is_good(const char *name)
{
	if (!ptah_text_is_ptname(name, strlen(name)))
		fprintf(stderr, "ptah: new-module: \"%.100s\" is no name of a transport: letters, digits and _, "
		    "and no digit first\n", name);
	else if (strlen(name) > NAME_MOST)
		fprintf(stderr, "ptah: new-module: the name is longer than %u characters\n", NAME_MOST);
	else if (strncmp(name, "ptah", 4) == 0)
		fprintf(stderr, "ptah: new-module: %s: names that begin with ptah are taken by the header files\n", name);
	else
		return true;
	return false;
}

int
ptah_kit_new_module(const struct ptah_asked *asked, char *envp[])
{
	struct kit kit = { .name = asked->operand, .kind = asked->value[CARRIER] ? "carrier" : "codec", .ending = endings[0] };
	char installed[sizeof(PTAH_MODULE_DIR) + NAME_MOST + 8];
	int rc;

	(void)envp;
	if (!name_is_good(kit.name))
		return EX_USAGE;
	for (size_t i = 0; asked->value[LANGUAGE] && languages[i]; i++)
		if (strcmp(asked->value[LANGUAGE], languages[i]) == 0)
			kit.ending = endings[i];
	if (asked->value[CARRIER] && kit.ending != endings[0]) {
		fprintf(stderr, "ptah: new-module: a carrier is there in c only: leave out --language\n");
		return EX_USAGE;
	}
	rc = write_all(&kit);
	if (rc != EX_OK)
		return rc;
	snprintf(installed, sizeof(installed), "%s/%s.so", PTAH_MODULE_DIR, kit.name);
	if (access(installed, F_OK) == 0)
		fprintf(stderr, "ptah: new-module: %s is there: make install would replace it\n", installed);
	printf("%s/ holds a transport that works.  Next:\n\n    cd %s\n    make && make check\n    make install && ptah info %s\n\n"
	    "and then draw your wire in README.md, and change %s%s.\n", kit.name, kit.name, kit.name, kit.name, kit.ending);
	return fflush(stdout) == 0 ? EX_OK : EX_OSERR;
}
