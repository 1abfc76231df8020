//go:build !race

package membership_test

// share divides what is done again and again only to meet rare cases.
const share = 1
