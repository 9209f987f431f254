package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// envPrefix stands before the name of a setting in the environment.
const envPrefix = "PARLEY_"

// configFlag names the YAML file.
const configFlag = "config"

// settle gives the named flags of a command their values. A flag on the command
// line wins over the environment, and that over the YAML file: --api-key over
// PARLEY_API_KEY over api_key. It returns the file's values, which may have
// more than flags can say; nil without a file.
func settle(cmd *cobra.Command, names []string) (map[string]any, error) {
	path := os.Getenv(envName(configFlag))
	if f := cmd.Flags().Lookup(configFlag); f != nil && f.Changed {
		path = f.Value.String()
	}
	file, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f := cmd.Flags().Lookup(name)
		if f.Changed {
			continue
		}
		if text, ok := os.LookupEnv(envName(name)); ok && text != "" {
			if err := f.Value.Set(text); err != nil {
				return nil, invalid(envName(name), f, text, err)
			}
			f.Changed = true
			continue
		}
		value, ok := file[fileName(name)]
		if !ok || value == nil {
			continue
		}
		texts, err := scalars(value)
		if err != nil {
			return nil, usagef("%s: %s: %w", path, fileName(name), err)
		}
		for _, text := range texts {
			if err := f.Value.Set(text); err != nil {
				return nil, invalid(path+": "+fileName(name), f, text, err)
			}
			f.Changed = true
		}
	}
	return file, nil
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func fileName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// hide keeps secrets out of messages.
func hide(name, text string, err error) error {
	if strings.Contains(name, "secret") || strings.Contains(name, "keys") {
		return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), text, "…"))
	}
	return err
}

// readConfig reads the YAML file. Keys that nobody knows are refused: they are
// misspelled.
func readConfig(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("reading the configuration: %w", err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, usagef("%s: not a YAML file of settings: %s", path, firstLine(err))
	}
	for _, key := range slices.Sorted(maps.Keys(file)) {
		if !slices.Contains(fileKeys(), key) {
			return nil, usagef("%s: unknown setting %q; the settings are %s", path, key, strings.Join(fileKeys(), ", "))
		}
	}
	return file, nil
}

// fileKeys lists what may stand in the YAML file: the settings of the server.
func fileKeys() []string {
	keys := []string{iceServersKey}
	for _, name := range serveSettings {
		keys = append(keys, fileName(name))
	}
	slices.Sort(keys)
	return keys
}

// scalars turns a value of the file into the texts that flags take: one, or one
// for each element of a list or pair of a map.
func scalars(value any) ([]string, error) {
	switch v := value.(type) {
	case []any:
		var texts []string
		for _, e := range v {
			t, err := scalar(e)
			if err != nil {
				return nil, err
			}
			texts = append(texts, t)
		}
		return texts, nil
	case map[string]any:
		var texts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			t, err := scalar(v[k])
			if err != nil {
				return nil, err
			}
			texts = append(texts, k+"="+t)
		}
		return texts, nil
	}
	t, err := scalar(value)
	return []string{t}, err
}

func scalar(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool, int64, uint64, float64, int:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("it has to be a text, a number, or a list or map of them")
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return cmp.Or(line, "it cannot be read")
}
