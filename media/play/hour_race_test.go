//go:build race

package play_test

import "time"

// hour is as long as races take to show: the detector makes the real one last
// for minutes.
const hour = 2 * time.Minute
