/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As /proc/net/tcp has it. */
#define STATE_LISTEN 0x0A
#define INODES_MOST 16

/* Rows of one table whose port is this one.  A process that holds the port on any address is who is looked for: which
 * addresses collide is the kernel's to say, and it has said so. */
static size_t
find_inodes(const char *table, unsigned port, bool udp, unsigned long *inodes, size_t n)
{
	char line[512];
	FILE *file = fopen(table, "re");

	if (!file)
		return n;
	while (n < INODES_MOST && fgets(line, sizeof(line), file)) {
		unsigned local, state;
		unsigned long inode;

		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
		    &local, &state, &inode) == 3 && local == port && (udp || state == STATE_LISTEN) && inode != 0)
			inodes[n++] = inode;
	}
	fclose(file);
	return n;
}

static bool
has_one_of(const char *pid, const unsigned long *inodes, size_t n)
{
	char path[600], link[64];
	bool found = false;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	folder = opendir(path);
	for (struct dirent *entry = folder ? readdir(folder) : NULL; entry && !found; entry = readdir(folder)) {
		unsigned long inode;
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		len = readlink(path, link, sizeof(link) - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		if (sscanf(link, "socket:[%lu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < n; i++)
			found = found || inodes[i] == inode;
	}
	if (folder)
		closedir(folder);
	return found;
}

static void
name_it(struct ptah_holder *holder)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)holder->pid);
	file = fopen(path, "re");
	if (file && fgets(holder->name, sizeof(holder->name), file))
		holder->name[strcspn(holder->name, "\n")] = '\0';
	if (file)
		fclose(file);
}

void
ptah_holder_find(struct ptah_holder *holder, const struct ptah_addr *addr, bool udp)
{
	unsigned long inodes[INODES_MOST];
	size_t n = 0;
	DIR *proc;

	*holder = (struct ptah_holder){ 0 };
	n = find_inodes(udp ? "/proc/net/udp" : "/proc/net/tcp", ptah_addr_port(addr), udp, inodes, n);
	n = find_inodes(udp ? "/proc/net/udp6" : "/proc/net/tcp6", ptah_addr_port(addr), udp, inodes, n);
	proc = n > 0 ? opendir("/proc") : NULL;
	for (struct dirent *entry = proc ? readdir(proc) : NULL; entry && holder->pid == 0; entry = readdir(proc))
		if (isdigit((unsigned char)entry->d_name[0]) && has_one_of(entry->d_name, inodes, n))
			holder->pid = (pid_t)strtol(entry->d_name, NULL, 10);
	if (proc)
		closedir(proc);
	if (holder->pid != 0)
		name_it(holder);
}
