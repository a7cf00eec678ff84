package main

// commands returns the commands in the order in which somebody gets to know
// them.
func commands() []command {
	return []command{
		{name: "demo", usage: "[--json] [--ics FILE|DIR]", summary: "three rooms with simulated devices: the whole path", run: demo, tidies: true},
		{name: "extract", usage: "[--rules F] [--json] FILE… | -", summary: "how the meetings in invites are joined", run: extract},
		{name: "explain", usage: "[--rules F] [options] FILE… | -", summary: "which rules were tried, what matched where, why not", run: explain},
		{name: "replay", usage: "[--rules F] [--update] [options] DIR", summary: "run rules over a corpus of invites", run: replay},
		{name: "lint", usage: "[--json] RULES…", summary: "check rule files", run: lint},
		{name: "serve", usage: "[--config F | --data DIR | --demo] [--check]", summary: "the service, until it is interrupted", run: serve, tidies: true},
		{name: "setup", usage: "--config F [--device HOST] [--apply] ROOM", summary: "what has to be done at the device of a room", run: setup, tidies: true},
		{name: "doctor", usage: "--config F [--import REPORT] [--ports]", summary: "what calendars, devices and Exchange lack", run: doctor, tidies: true},
		{name: "admin", usage: "link [EMAIL] | backup FILE | restore FILE | rotate-keys", summary: "the data of the control centre", run: admin, tidies: true},
		{name: "secret", usage: "", summary: "a new password for a device that calls", run: secret},
	}
}
