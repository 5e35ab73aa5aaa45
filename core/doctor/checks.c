/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

const struct ptah_check ptah_checks[] = {
	{ "torrc", "the lines of the torrc that concern ptah", "they are well-formed, and go together", ptah_check_torrc },
	{ "tor", "the version of tor", "it can do what the torrc asks", ptah_check_tor },
	{ "folders", "the folders of modules: there, and writable by no stranger", "they are there, and safe", ptah_check_folders },
	{ "modules", "the modules that are asked for: there, with their libraries, and taken", "each can be loaded", ptah_check_modules },
	{ "configuration", "the configuration file and the options of its transports, as ptah check does",
	    "nothing is wrong in it", ptah_check_configuration },
	{ "bridge", "the options of bridge lines, and of the bridge itself, against what their transports want",
	    "each has what its transport needs", ptah_check_bridge },
	{ "program", "the program that Tor starts: there, and open to Tor's user", "it can be started", ptah_check_program },
	{ "exec", "the programs that a transport starts", "each can be started", ptah_check_started },
	{ "apparmor", "the profiles of AppArmor for Tor and ptah", "no profile is in the way", ptah_check_apparmor },
	{ "state", "the state folders: readable, writable, and of the right user", "they are there or can be made, and are ours", ptah_check_state },
	{ "cookie", "the cookie of the Extended ORPort", "it can be read, and is one", ptah_check_cookie },
	{ "reading", "the configuration file, the files of options, and the files of services: open to who will run ptah", "they can be read", ptah_check_reading },
	{ "writing", "where the log, the control socket and the metrics socket go", "they can be made", ptah_check_writing },
	{ "unit", "the unit of systemd that runs the file: does it let ptah write where the file says?", "it does", ptah_check_unit },
	{ "bind", "the addresses to listen on: of this machine, free and permitted", "each can be taken", ptah_check_bind },
	{ "activation", "the sockets that systemd hands over", "a socket unit opens each", ptah_check_activation },
	{ "ipv6", "IPv6, where an address asks for it", "the machine has it", ptah_check_ipv6 },
	{ "outbound", "the addresses to connect from", "they are of this machine", ptah_check_outbound },
	{ "target", "what a server hands its clients to: it must answer within 3 seconds", "it answers", ptah_check_target },
	{ "proxy", "the upstream proxy, likewise", "it answers", ptah_check_proxy },
	{ "identity", "a client whose server is on this machine: do their modes, transports and secrets fit?", "they fit", ptah_check_identity },
	{ "clock", "the clock: not before this program was made, and not jumping", "it can be right", ptah_check_clock },
	{ "dates", "the dates of files: none in the future, as after a clock that was wrong", "none is in the future", ptah_check_files_time },
	{ "synchronised", "does something keep the clock right?", "the kernel calls it synchronised", ptah_check_synchronised },
	{ "descriptors", "the limit of descriptors, against the links that are asked for", "it is high enough", ptah_check_descriptors },
	{ "random", "the random numbers of the kernel", "they can be had", ptah_check_random },
	{ "isolation", "seccomp and Landlock of the kernel", "the kernel has both", ptah_check_isolation },
	{ NULL, NULL, NULL, NULL },
};

int
ptah_checks_run(struct ptah_exam *exam)
{
	for (const struct ptah_check *check = ptah_checks; check->name && exam->rc == 0; check++) {
		size_t n = exam->n_findings;

		exam->check = check->name;
		ptah_guise_wear(&exam->guise);

		bool looked = check->run(exam);

		ptah_guise_drop(&exam->guise);
		if (looked && exam->n_findings == n)
			ptah_exam_fine(exam, NULL, "%s", check->fine);
	}
	return exam->rc;
}
