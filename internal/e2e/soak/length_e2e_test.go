//go:build e2e

package soak_test

// How much of it there is where there is time for it: an hour, and 2000 visits.
const (
	people = 20
	rounds = 3
	round  = 20 // minutes

	rooms, warmUpRooms = 500, 100
)
