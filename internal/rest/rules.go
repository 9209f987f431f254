package rest

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/parley-rtc/parley/signaling"
)

// maxRules is how many rules of a kind there may be.
const maxRules = 20

// codeRecordingRules is that of recording rules that make no sense.
const codeRecordingRules = 53120

// grammar is what rules of a kind may say.
type grammar struct {
	code  signaling.Code
	kinds []signaling.Kind
}

var (
	recordingGrammar = grammar{codeRecordingRules, []signaling.Kind{signaling.KindAudio, signaling.KindVideo}}
	subscribeGrammar = grammar{
		signaling.CodeSubscribeRulesInvalid,
		[]signaling.Kind{signaling.KindAudio, signaling.KindVideo, signaling.KindData},
	}
)

// ruleJSON is a rule in answers.
type ruleJSON struct {
	Type      string `json:"type"`
	All       bool   `json:"all,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Publisher string `json:"publisher,omitempty"`
	Track     string `json:"track,omitempty"`
}

// read takes a JSON list of rules.
func (g grammar) read(text string) ([]signaling.Rule, error) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, signaling.Errorf(g.code, "Rules is not a list of rules")
	}
	if len(list) == 0 || len(list) > maxRules {
		return nil, signaling.Errorf(g.code, "there have to be 1 to %d rules", maxRules)
	}
	rules := make([]signaling.Rule, len(list))
	for i, raw := range list {
		fields, problem := readFields(raw)
		if problem == "" {
			rules[i], problem = g.rule(fields)
		}
		if problem != "" {
			return nil, signaling.Errorf(g.code, "rule %d %s", i, problem)
		}
	}
	return rules, nil
}

// readFields reads an object of texts and truths. Go's own decoding would take
// the last of several values of a filter, and say nothing.
func readFields(raw json.RawMessage) (fields map[string]any, problem string) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, "is not an object"
	}
	fields = map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, "is not an object"
		}
		key, _ := name.(string) // names always are
		value, err := d.Token()
		if _, there := fields[key]; there {
			return nil, "has a filter twice"
		}
		switch value.(type) {
		case string, bool:
			fields[key] = value
		default:
			return nil, "has a filter that is no text"
		}
		if err != nil {
			return nil, "is not an object"
		}
	}
	return fields, ""
}

func (g grammar) rule(fields map[string]any) (rule signaling.Rule, problem string) {
	switch fields["type"] {
	case "include":
	case "exclude":
		rule.Exclude = true
	default:
		return rule, "neither includes nor excludes"
	}
	delete(fields, "type")
	if len(fields) == 0 {
		return rule, "has no filter"
	}
	for name, value := range fields {
		text, _ := value.(string)
		switch {
		case name == "all" && (value == true || value == "true"): // some clients write it as a text
			rule.All = true
		case name == "all":
			return rule, "can only say of all that it is true"
		case text == "":
			return rule, "has a filter without a text"
		case name == "kind" && slices.Contains(g.kinds, signaling.Kind(text)):
			rule.Kind = signaling.Kind(text)
		case name == "publisher":
			rule.Publisher = text
		case name == "track":
			rule.Track = text
		default:
			return rule, "has a filter that is not known, or a kind that is not"
		}
	}
	if rule.All && len(fields) > 1 {
		return rule, "has filters beside all"
	}
	return rule, ""
}

func rulesJSON(rules []signaling.Rule) []ruleJSON {
	list := []ruleJSON{}
	for _, r := range rules {
		j := ruleJSON{Type: "include", All: r.All, Kind: string(r.Kind), Publisher: r.Publisher, Track: r.Track}
		if r.Exclude {
			j.Type = "exclude"
		}
		list = append(list, j)
	}
	if len(list) == 0 { // nothing is chosen
		list = append(list, ruleJSON{Type: "exclude", All: true})
	}
	return list
}
