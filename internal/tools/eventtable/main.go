// Command eventtable writes docs/events.md, the table of package
// internal/migration. Run it in the top folder, by
//
//	go generate .
package main

import (
	"fmt"
	"os"

	"github.com/parley-rtc/parley/internal/migration"
)

func main() {
	if err := os.WriteFile("docs/events.md", []byte(migration.Markdown()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "eventtable:", err)
		os.Exit(1)
	}
}
