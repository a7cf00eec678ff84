package rules

// Raced is set where the race detector runs: sync.Pool then loses what it is
// given at random, and tests cannot count allocations.
var Raced bool
