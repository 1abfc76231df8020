package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestForgetProgram: pages of the program that nobody uses are not resident any more, and
// the program goes on.
func TestForgetProgram(t *testing.T) {
	resident := func() (kb int) {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "RssFile:")
		if _, err := fmt.Sscan(rest, &kb); err != nil {
			t.Fatal(err)
		}
		return kb
	}
	before := resident()
	forgetProgram()
	if after := resident(); after > before*3/4 {
		t.Errorf("%d kB of files are resident, of %d before", after, before)
	}
	if _, err := registry(); err != nil { // much of the program
		t.Error(err)
	}
}
