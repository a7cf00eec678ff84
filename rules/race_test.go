//go:build race

package rules

func init() { Raced = true }
