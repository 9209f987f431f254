//go:build unix && e2e

package examples_test

import "github.com/parley-rtc/parley/media"

// buildTags are those that the examples are built with: all that they can use.
const buildTags = "codecs"

// spoken is what speak encodes in such a build.
const spoken = media.Opus
