//go:build race

package cluster_test

// chaosSeeds is how many seeds run by default; the race detector takes its time.
const chaosSeeds = 10
