package workerconfig

import "maps"

// WithoutEffect returns the known settings that are accepted and change nothing,
// each with the reason, for the documentation.
func WithoutEffect() map[string]string { return maps.Clone(withoutEffect) }
