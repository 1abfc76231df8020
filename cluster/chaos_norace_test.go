//go:build !race

package cluster_test

// chaosSeeds is how many seeds run by default: about a minute on two cores.
const chaosSeeds = 150
