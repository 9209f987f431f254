//go:build !race

package play_test

import "time"

// hour is how long clocks are compared.
const hour = time.Hour
