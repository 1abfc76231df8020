package kafkaclient

import (
	"maps"
	"strings"
	"testing"
)

func TestJAAS(t *testing.T) {
	for _, row := range []struct {
		name, text, class string
		options           map[string]string
	}{
		{"plain", `a.B required username="u" password="p";`, "a.B", map[string]string{"username": "u", "password": "p"}},
		{"lines and blanks", " a.B \n required\n\tusername = \"u\"\n;\n", "a.B", map[string]string{"username": "u"}},
		{"single quotes", `a.B required p='x"y';`, "a.B", map[string]string{"p": `x"y`}},
		{"escapes", `a.B required p="a\"b\\c\td\101\0=;";`, "a.B", map[string]string{"p": "a\"b\\c\tdA\x00=;"}},
		{"bare values", `a.B optional useKeyTab=true n=12 path=/etc/x.keytab;`, "a.B", map[string]string{"useKeyTab": "true", "n": "12", "path": "/etc/x.keytab"}},
		{"no options", `a.B Sufficient;`, "a.B", map[string]string{}},
		{"comments", "/* x; */ a.B // y\n requisite p=\"//\";", "a.B", map[string]string{"p": "//"}},
		{"not only ASCII", `a.B required p="pässwörd€";`, "a.B", map[string]string{"p": "pässwörd€"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, err := parseJAAS(row.text)
			if err != nil {
				t.Fatal(err)
			}
			if m.class != row.class || !maps.Equal(m.options, row.options) {
				t.Errorf("have %q %q", m.class, m.options)
			}
		})
	}
}

func TestJAASErrors(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"empty", " ", "Login module not specified in JAAS config"},
		{"no flag", "a.B", "Login module control flag not specified in JAAS config"},
		{"no flag but an option", `a.B password="secret";`, "Invalid login module control flag in JAAS config: it must be required, requisite, sufficient or optional"},
		{"no semicolon", `a.B required password="secret"`, "JAAS config entry not terminated by semi-colon"},
		{"no value", `a.B required secret;`, "Value not specified for option 1 in JAAS config"},
		{"not closed", `a.B required password="secret;`, "a quoted value in JAAS config is not closed"},
		{"not closed in its line", "a.B required password=\"secret\n\";", "a quoted value in JAAS config is not closed in its line"},
		{"two modules", `a.B required p="secret"; a.B required;`, "JAAS config property contains 2 login modules, should be 1 module"},
		{"bad quoting", `a.B required password="sec"ret;`, "Value not specified for option 2 in JAAS config"},
		{"equals only", `a.B required ="secret";`, "option 1 has no name in JAAS config"},
		{"comment", `a.B /* secret`, "a comment in JAAS config is not closed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := parseJAAS(row.text)
			if err == nil || err.Error() != row.want {
				t.Errorf("have %v, want %s", err, row.want)
			}
			_, err = Options(Producer, with("security.protocol", "SASL_SSL", "sasl.mechanism", "PLAIN", jaasName, row.text), Env{})
			if err == nil || !strings.Contains(err.Error(), jaasName) || strings.Contains(err.Error(), "secret") {
				t.Errorf("from Options: %v", err)
			}
		})
	}
}

// FuzzJAAS: nothing panics, and what was parsed survives being written and read again.
func FuzzJAAS(f *testing.F) {
	for _, seed := range []string{`a.B required username="u" password="p\"\\";`, "a.B required;", `a.B required p='\377\8';`, "/**/ // \n", `"a" "required" "k"="v";`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseJAAS(text)
		if err != nil {
			return
		}
		var out strings.Builder
		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`)
		out.WriteString(`"` + quote.Replace(m.class) + `" required`)
		for k, v := range m.options {
			out.WriteString(` "` + quote.Replace(k) + `"="` + quote.Replace(v) + `"`)
		}
		again, err := parseJAAS(out.String() + ";")
		if err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		if again.class != m.class || !maps.Equal(again.options, m.options) {
			t.Fatalf("%q became %q", m, again)
		}
	})
}
