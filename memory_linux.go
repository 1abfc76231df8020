package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// forgetProgram has the kernel unmap the pages of the program's file, of which the start
// has touched most: those that are still in use come back from the page cache with the
// next touch. What stays mapped counts as this process's memory.
func forgetProgram() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close() //nolint:errcheck // it was only read
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// Only what can't be written: a written page exists nowhere else.
		line := lines.Text()
		if !strings.HasSuffix(line, " "+self) || !strings.Contains(line, " r-xp ") && !strings.Contains(line, " r--p ") {
			continue
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x ", &from, &to); err == nil {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED) // a refusal costs nothing but the memory
		}
	}
}
