package rules

import "unicode/utf8"

// entities are the named character references that occur in links and labels.
// The rest of HTML's two thousand stay as they are: no join address has one.
var entities = map[string]rune{
	"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "nbsp": ' ', "shy": 0xAD,
	"colon": ':', "sol": '/', "period": '.', "commat": '@', "quest": '?', "equals": '=', "num": '#',
	"percnt": '%', "lowbar": '_', "hyphen": 0x2010, "dash": 0x2010, "semi": ';', "comma": ',', "Tab": '\t', "NewLine": '\n',
	"lpar": '(', "rpar": ')', "lsqb": '[', "rsqb": ']', "plus": '+', "excl": '!', "ast": '*', "dollar": '$', "bsol": '\\',
	"ensp": ' ', "emsp": ' ', "thinsp": ' ', "hairsp": ' ', "numsp": ' ', "puncsp": ' ',
	"zwnj": 0x200C, "zwj": 0x200D, "lrm": 0x200E, "rlm": 0x200F, "ZeroWidthSpace": 0x200B, "NoBreak": 0x2060,
	"ndash": 0x2013, "mdash": 0x2014, "bull": 0x2022, "middot": 0xB7, "rarr": 0x2192, "hellip": 0x2026,
	"lsquo": 0x2018, "rsquo": 0x2019, "ldquo": 0x201C, "rdquo": 0x201D, "laquo": 0xAB, "raquo": 0xBB,
	"auml": 'ä', "ouml": 'ö', "uuml": 'ü', "Auml": 'Ä', "Ouml": 'Ö', "Uuml": 'Ü', "szlig": 'ß', "eacute": 'é', "egrave": 'è', "ecirc": 'ê',
	"agrave": 'à', "aacute": 'á', "atilde": 'ã', "acirc": 'â', "aring": 'å', "aelig": 'æ', "ccedil": 'ç', "iacute": 'í', "ntilde": 'ñ',
	"oacute": 'ó', "ocirc": 'ô', "otilde": 'õ', "oslash": 'ø', "uacute": 'ú', "ugrave": 'ù',
}

// bare are the references that HTML also knows without a semicolon and that
// occur so in mail.
var bare = [...]string{"amp", "nbsp", "lt", "gt", "quot", "shy"}

// entity decodes the character reference at the start of s, which begins with
// "&". The width is 0 if there is none.
func entity(s string) (r rune, width int) {
	if len(s) < 3 {
		return 0, 0
	}
	if s[1] == '#' {
		i, base := 2, rune(10)
		if s[2]|0x20 == 'x' {
			i, base = 3, 16
		}
		start := i
		for i < len(s) && i < start+7 {
			d := rune(hexval(s[i]))
			if d < 0 || d >= base {
				break
			}
			r = r*base + d
			i++
		}
		if i == start || r == 0 || r > utf8.MaxRune || 0xD800 <= r && r < 0xE000 {
			return 0, 0
		}
		if i < len(s) && s[i] == ';' {
			i++
		}
		return r, i
	}
	if len(s) >= 5 && s[4] == ';' && s[1:4] == "amp" {
		return '&', 5
	}
	if len(s) >= 6 && s[5] == ';' && s[1:5] == "nbsp" {
		return ' ', 6
	}
	i := 1
	for i < len(s) && i < 16 && isAlnum(s[i]) {
		i++
	}
	if i < len(s) && s[i] == ';' {
		if r, ok := entities[s[1:i]]; ok {
			return r, i + 1
		}
		return 0, 0
	}
	for _, name := range bare {
		if s[1:i] == name && (i == len(s) || s[i] != '=') {
			return entities[name], i
		}
		// A number may follow at once: "123&nbsp456".
		if name == "nbsp" && len(s) > 5 && s[1:5] == name && isDigit(s[5]) {
			return ' ', 5
		}
	}
	return 0, 0
}

// invisible reports whether a rune has no width: soft hyphens, zero-width
// blanks and joiners, direction marks and byte order marks.
func invisible(r rune) bool {
	switch {
	case r == 0xAD, r == 0xFEFF, r == 0x061C, r == 0x180E, r == 0x034F:
		return true
	case 0x200B <= r && r <= 0x200F, 0x202A <= r && r <= 0x202E, 0x2060 <= r && r <= 0x2069:
		return true
	}
	return false
}

// blank reports whether a rune is a space of some width.
func blank(r rune) bool {
	switch {
	case r == ' ', r == '\t', r == 0xA0, r == 0x1680, r == 0x202F, r == 0x205F, r == 0x3000:
		return true
	case 0x2000 <= r && r <= 0x200A:
		return true
	}
	return false
}
