package javaregex

import "testing"

func BenchmarkRoute(b *testing.B) {
	for _, c := range []struct{ name, pattern, replacement string }{
		{"linear", "(.*)-(\\d+)", "$2.$1"},
		{"backtracking", "(?!x)(.*)-(\\d+)", "$2.$1"},
		{"no match", "other-.*", "x"},
	} {
		p := MustCompile(c.pattern)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := p.Route("orders-eu-2024", c.replacement); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
