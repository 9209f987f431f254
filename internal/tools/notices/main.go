// Command notices writes THIRD_PARTY_NOTICES.md: the modules that a program of
// this repository links, with their licenses. Run it in the top folder:
//
//	go run ./internal/tools/notices            # writes the file
//	go run ./internal/tools/notices -check     # fails when the file is out of date
//
// It fails for a module without a license file, or with one that it does not
// know: somebody has to read it then.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const output = "THIRD_PARTY_NOTICES.md"

// builds are those in which programs are released: what they link differs by
// the system, and with a C compiler.
var builds = func() (list []build) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		list = append(list, build{system, "0"}, build{system, "1"})
	}
	return list
}()

type build struct{ system, cgo string }

func main() {
	log.SetFlags(0)
	log.SetPrefix("notices: ")
	check := flag.Bool("check", false, "compare with the file instead of writing it")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./cmd/parley"}
	}
	if err := run(packages, *check); err != nil {
		log.Fatal(err)
	}
}

func run(packages []string, check bool) error {
	modules, err := linked(packages)
	if err != nil {
		return err
	}
	var doc bytes.Buffer
	if err := write(&doc, modules); err != nil {
		return err
	}
	if !check {
		return os.WriteFile(output, doc.Bytes(), 0o644)
	}
	have, err := os.ReadFile(output)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, doc.Bytes()) {
		return fmt.Errorf("%s is out of date: go run ./internal/tools/notices", output)
	}
	return nil
}

// A module is one that is linked, and where its sources are.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// linked asks the go command for the modules behind the packages.
func linked(packages []string) ([]module, error) {
	found := map[string]module{}
	for _, b := range builds {
		cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Module", "-tags=codecs,x264"}, packages...)...)
		cmd.Env = append(os.Environ(), "GOOS="+b.system, "GOARCH=amd64", "CGO_ENABLED="+b.cgo)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list packages for %s: %w", b.system, err)
		}
		for dec := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct{ Module *module }
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if p.Module != nil && !p.Module.Main {
				found[p.Module.Path] = *p.Module
			}
		}
	}
	list := make([]module, 0, len(found))
	for _, m := range found {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

func write(w io.Writer, modules []module) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find the Go installation: %w", err)
	}
	all := append([]module{{Path: "Go standard library", Dir: strings.TrimSpace(string(root))}}, modules...)
	fmt.Fprint(w, "# Third-party notices\n\nWhat the programs of this repository link, on any system, and under which license.\n"+
		"This file is written by `go run ./internal/tools/notices`.\n\n| Module | Version | License |\n|---|---|---|\n")
	var texts strings.Builder
	for _, m := range all {
		text, err := licenseOf(m.Dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		name := identify(text)
		if name == "" {
			return fmt.Errorf("%s: a license nobody has read yet", m.Path)
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", m.Path, m.Version, name)
		fmt.Fprintf(&texts, "\n## %s\n\n```text\n%s\n```\n", m.Path, tidy(text))
		if notice, err := os.ReadFile(filepath.Join(m.Dir, "NOTICE")); err == nil {
			fmt.Fprintf(&texts, "\nNOTICE:\n\n```text\n%s\n```\n", tidy(string(notice)))
		}
	}
	_, err = io.WriteString(w, texts.String())
	return err
}

// licenseOf returns the text of the license in a module's top folder.
func licenseOf(dir string) (string, error) {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING", "License"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return string(text), nil
		}
	}
	return "", errors.New("no license file")
}

// tidy makes the text the same on every machine.
func tidy(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
