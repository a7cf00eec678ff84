package markup

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIsHTML(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "hello": false, "a < b > c": false, "Join <https://x.example/1> now": false, "<ada@example.com>": false, "<sip:1@x.example>": false,
		"a<br>b": true, "a<BR />b": true, `<a href="https://x.example">x</a>`: true, "<p>x": true, "x</span>": true, `<div class="a">`: true, "<b>bold</b>": true,
	} {
		assert.Equal(t, want, IsHTML(s), s)
	}
}

func TestBeginsHTML(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "hello<br>": false, "<https://x.example>": false, "<ada@example.com>": false,
		"<!DOCTYPE html>": true, "<html lang=en>": true, "<!-- x -->": true, "<div>": true, `<a href="x">`: true,
	} {
		assert.Equal(t, want, BeginsHTML(s), s)
	}
}
