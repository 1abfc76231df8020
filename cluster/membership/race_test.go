//go:build race

package membership_test

// share divides what is done again and again only to meet rare cases: the race detector
// sees the same goroutines meet each time. It takes long with millions of meetings, and
// its runtime has failed on them (a CHECK of its own, tsan_rtl.cpp).
const share = 5
