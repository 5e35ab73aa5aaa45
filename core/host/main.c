/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("ptah %s\n", PACKAGE_VERSION);
		return 0;
	}
	fprintf(stderr, "usage: ptah --version\n");
	return 64;
}
