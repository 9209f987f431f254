//go:build !e2e

package soak_test

// How much of it there is in every run of the tests.
const (
	people = 4
	rounds = 3
	round  = 2 // minutes

	rooms, warmUpRooms = 12, 4
)
