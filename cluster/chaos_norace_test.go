//go:build !race

package cluster_test

// chaosSeeds is how many seeds run by default: each takes about a second of one core.
const chaosSeeds = 200
