//go:build e2e

// Package interop_test has the npm package twilio-video, unmodified, live in
// our rooms beside programs of this library. It needs Chromium, Node and the
// packages of package-lock.json:
//
//	apt-get install chromium nodejs npm
//	npm ci --prefix internal/e2e/interop
//	go test -tags e2e ./internal/e2e/interop/
//
// CHROMIUM names another browser than /usr/bin/chromium. Screenshots are kept
// in the directory PARLEY_ARTIFACTS, if that is set.
//
// All tests share one browser; every page has a process of its own in it. A
// test makes a world, opens pages in it, and waits for what they show. Those
// that mostly wait run side by side, after the others.
package interop_test
