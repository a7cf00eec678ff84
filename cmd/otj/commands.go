package main

// commands returns the commands in the order in which somebody gets to know
// them.
func commands() []command {
	return []command{
		{"demo", "[--json] [--ics FILE|DIR]", "three rooms with simulated devices: the whole path", demo},
		{"extract", "[--rules F] [--json] FILE… | -", "how the meetings in invites are joined", extract},
		{"explain", "[--rules F] FILE…", "which rules were tried, what matched where, why not", explain},
		{"replay", "[--rules F] [--update] DIR", "run rules over a corpus of invites", replay},
		{"lint", "RULES…", "check rule files", lint},
		{"serve", "--config F [--check] [--json]", "the service, until it is interrupted", serve},
	}
}
