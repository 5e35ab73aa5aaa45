/* SPDX-License-Identifier: BSD-3-Clause */
/* replay: run the fuzz target on files, where there is no fuzzer. */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char *argv[])
{
	static uint8_t input[65536];
	int n = 0;

	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");

		if (file == NULL) {
			perror(argv[i]);
			return 1;
		}
		(void)LLVMFuzzerTestOneInput(input, fread(input, 1, sizeof(input), file));
		fclose(file);
		n++;
	}
	printf("%d inputs replayed\n", n);
	return n > 0 ? 0 : 1;
}
