// Package transforms holds the single message transforms and predicates of
// Kafka Connect 4.1, under the class names by which configurations know them.
// It imports connectors, codec and what is beneath.
//
// A transform is a value that belongs to one stage of one task. Apply changes
// the record's slot in place: it replaces what the slot refers to and never
// writes to a key, a value, a schema or a list of headers. What follows from a
// schema (the schema of the result, which field goes where) is worked out once
// and found again by the schema's pointer.
package transforms
