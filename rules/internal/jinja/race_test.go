//go:build race

package jinja_test

func init() { raced = true }
