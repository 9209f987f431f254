package main

import "strings"

// identify returns the SPDX name of a license by the sentences that only it
// has, or "".
func identify(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	has := func(sentence string) bool { return strings.Contains(text, sentence) }
	switch {
	case has("two different licenses: MIT and Apache"):
		return "MIT and Apache-2.0"
	case has("Apache License") && has("Version 2.0, January 2004"):
		return "Apache-2.0"
	case has("free and unencumbered software released into the public domain"):
		return "Unlicense"
	case has("Mozilla Public License") && has("2.0"):
		return "MPL-2.0"
	case has("Permission is hereby granted, free of charge, to any person obtaining a copy"):
		return "MIT"
	case has("Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"),
		has("Permission to use, copy, modify, and distribute this software for any purpose with or without fee"):
		return "ISC"
	case has("Redistribution and use in source and binary forms") && (has("Neither the name") || has("names of its contributors") || has("endorse or promote products")):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	}
	return ""
}
