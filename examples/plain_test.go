//go:build unix && !e2e

package examples_test

import "github.com/parley-rtc/parley/media"

// buildTags are those that the examples are built with: none, as on a machine
// with nothing but Go.
const buildTags = ""

// spoken is what speak encodes in such a build.
const spoken = media.PCMU
