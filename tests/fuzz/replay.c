/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feed a fuzz target what its corpus holds: each file whole, and cut short at
 * every place near its beginning.  Without libFuzzer, so that any compiler
 * and "make check" can.
 *
 * The corpus of the program NAME is tests/fuzz/corpus/NAME in the source
 * folder (PTAH_SOURCE); arguments are files to feed instead.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CUTS 256
#define MOST_BYTES (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A copy of its own for each call: a read past the end is then seen. */
static void
feed(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);

	if (copy == NULL && len > 0)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static int
feed_file(const char *path)
{
	uint8_t *data = malloc(MOST_BYTES);
	FILE *file = fopen(path, "rb");

	if (data == NULL || file == NULL) {
		perror(path);
		exit(1);
	}
	size_t len = fread(data, 1, MOST_BYTES, file);

	fclose(file);
	feed(data, len);
	for (size_t cut = 0; cut < len && cut < MOST_CUTS; cut++)
		feed(data, cut);
	free(data);
	return 1;
}

static int
feed_folder(const char *path)
{
	DIR *folder = opendir(path);
	int n = 0;

	if (folder == NULL) {
		perror(path);
		exit(1);
	}
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path,
			entry->d_name) >= (int)sizeof(name))
			exit(1);
		n += feed_file(name);
	}
	closedir(folder);
	return n;
}

int
main(int argc, char **argv)
{
	int n = 0;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			n += feed_file(argv[i]);
	} else {
		const char *source = getenv("PTAH_SOURCE");
		const char *slash = strrchr(argv[0], '/');
		char folder[4096];

		snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
		    source != NULL ? source : ".",
		    slash != NULL ? slash + 1 : argv[0]);
		n = feed_folder(folder);
	}
	printf("%d inputs\n", n);
	return n > 0 ? 0 : 1;
}
