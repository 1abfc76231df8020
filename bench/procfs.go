package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ticksPerSecond is the unit of /proc/<pid>/stat, 100 on every Linux.
const ticksPerSecond = 100

// cpuSeconds is what a process has used, user and system, all its threads.
// NaN where there is no /proc.
func cpuSeconds(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return math.NaN()
	}
	// The second field is the name in parentheses and may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return math.NaN()
	}
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		return math.NaN()
	}
	return (user + system) / ticksPerSecond
}

// statusField reads a number of /proc/<pid>/status: VmRSS, VmHWM (kB) or
// Threads. NaN where there is no /proc.
func statusField(pid int, name string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return math.NaN()
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				if v, err := strconv.ParseFloat(f[0], 64); err == nil {
					return v
				}
			}
		}
	}
	return math.NaN()
}

func residentMB(pid int) float64 { return statusField(pid, "VmRSS") / 1000 * 1.024 }
func peakMB(pid int) float64     { return statusField(pid, "VmHWM") / 1000 * 1.024 }

// machine describes where the figures come from.
func machine() (cpu string, memoryGB float64) {
	cpu, memoryGB = "unknown CPU", math.NaN()
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
				if kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64); err == nil {
					memoryGB = kb * 1024 / 1e9
				}
			}
		}
	}
	return cpu, memoryGB
}

// busySeconds is the CPU time that the whole machine has spent, all cores, since
// it started. NaN where there is no /proc.
func busySeconds() float64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return math.NaN()
	}
	first, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(first) // cpu user nice system idle iowait irq softirq steal guest …
	if len(fields) < 9 {
		return math.NaN()
	}
	sum := 0.0
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return math.NaN()
		}
		sum += v
	}
	return sum / ticksPerSecond
}

// ourSeconds is the CPU time of this process and of its children that ended.
func ourSeconds() float64 {
	sum := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		sum += usedSeconds(who)
	}
	return sum
}

// usedSeconds is the CPU time of one of getrusage's two. NaN where it is not told.
func usedSeconds(who int) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
