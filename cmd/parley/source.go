package main

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/spf13/cobra"
)

// The kinds of sources are the flags that name one.
const (
	fromCamera = "camera"
	fromMic    = "mic"
	fromScreen = "screen"
	fromFile   = "file"
	fromExec   = "exec"
	fromRTP    = "rtp"
	fromRTSP   = "rtsp"
)

var sourceKinds = []string{fromCamera, fromMic, fromScreen, fromFile, fromExec, fromRTP, fromRTSP}

// ownDefault stands for the system's choice of a device.
const ownDefault = "default"

// spec is one thing to publish, as the command line has it. Zero values are
// not given.
type spec struct {
	kind, value   string
	name          string
	priority      parley.Priority
	width, height int
	fps           float64
	bitrate       int
	codec         media.Codec
	format        string
	given         map[string]bool // the settings it has
	used          bool            // a track has the name
}

// String is how the source stands on the command line, without a password.
func (s *spec) String() string {
	if s.kind == fromRTSP {
		if u, err := url.Parse(s.value); err == nil {
			return "--rtsp " + u.Redacted()
		}
		return "--rtsp"
	}
	return "--" + s.kind + " " + s.value
}

// setting is a flag about sources.
type setting struct {
	flag, arg, usage string
	kinds            []string // of sources that it is for
	set              func(*spec, string) error
	own              bool // it is for one source, even when it is given once
}

var sourceSettings = []setting{
	{"name", "NAME", "what the track before it is called (default the flag of the source, or the camera)", sourceKinds, setName, true},
	{"priority", "low|standard|high", "what the network is for first when it is short, for the source before it", sourceKinds, setPriority, true},
	{"size", "WxH", "pictures of this size, as in 1280x720", []string{fromCamera, fromScreen}, setSize, false},
	{"fps", "RATE", "so many pictures a second; for raw H.264 and H.265, which do not say", []string{fromCamera, fromScreen, fromFile, fromExec}, setRate, false},
	{"bitrate", "BITS", "bits a second of pictures, as in 1.5M", []string{fromCamera, fromScreen}, setBitrate, false},
	{"audio-bitrate", "BITS", "bits a second of sound, as in 32k", []string{fromMic}, setBitrate, false},
	{"codec", "CODEC", "what pictures are encoded as, vp8, vp9 or h264; what --rtp carries", []string{fromCamera, fromScreen, fromRTP}, setCodec, false},
	{"format", "FORMAT", "what --exec prints, where that is not to be found out", []string{fromExec}, setFormat, false},
}

// sourceFlags keep the sources and their settings in the order of the command
// line, which flags otherwise forget.
type sourceFlags struct{ args []sourceArg }

type sourceArg struct {
	flag, value string
	setting     *setting // nil: it names a source
}

// argValue is one flag of sourceFlags.
type argValue struct {
	list    *[]sourceArg
	flag    string
	arg     string
	setting *setting
}

func (v *argValue) String() string { return "" }
func (v *argValue) Type() string   { return v.arg }

func (v *argValue) Set(text string) error {
	if v.setting != nil {
		if err := v.setting.set(&spec{}, text); err != nil {
			return err
		}
	} else if text == "" {
		return errors.New("it is empty")
	}
	*v.list = append(*v.list, sourceArg{flag: v.flag, value: text, setting: v.setting})
	return nil
}

func (s *sourceFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	add := func(flag, arg, usage string) {
		f.Var(&argValue{list: &s.args, flag: flag, arg: arg}, flag, usage)
	}
	add(fromCamera, "DEVICE", "a camera: 'default', or an id or a part of a label of --list-devices")
	add(fromMic, "DEVICE", "a microphone: 'default', or an id or a part of a label of --list-devices")
	add(fromScreen, "DISPLAY", "what an X11 display shows (--screen=:1; default $DISPLAY)")
	f.Lookup(fromScreen).NoOptDefVal = ownDefault
	add(fromFile, "FILE", "a file: IVF, Ogg Opus, WAV, or Annex B H.264 or H.265; 'test' for a test picture, 'tone' for a tone")
	add(fromExec, "'COMMAND …'", "what a program prints, see --format")
	add(fromRTP, "HOST:PORT", "RTP that arrives there, see --codec")
	add(fromRTSP, "URL", "a camera on the network; nothing is transcoded")
	for i := range sourceSettings {
		set := &sourceSettings[i]
		f.Var(&argValue{list: &s.args, flag: set.flag, arg: set.arg, setting: set}, set.flag, set.usage)
	}
}

// specs tells what is to be published. A setting that is given once is for all
// sources that know it; one that is given several times is for the source that
// it stands behind, and before all sources for those without one.
func (s *sourceFlags) specs() ([]*spec, error) {
	var all []*spec
	for _, a := range s.args {
		if a.setting == nil {
			all = append(all, &spec{kind: a.flag, value: a.value, given: map[string]bool{}})
		}
	}
	if len(all) == 0 {
		return nil, usagef("nothing to publish: pass --camera, --mic, --screen, --file, --exec, --rtp or --rtsp; --list-devices tells what there is")
	}
	for i := range sourceSettings {
		if err := s.apply(&sourceSettings[i], all); err != nil {
			return nil, err
		}
	}
	return all, name(all)
}

// apply gives the sources one setting.
func (s *sourceFlags) apply(set *setting, all []*spec) error {
	uses := 0
	for _, a := range s.args {
		if a.setting == set {
			uses++
		}
	}
	last := -1
	var rest *sourceArg // for those without one
	for i, a := range s.args {
		switch {
		case a.setting == nil:
			last++
		case a.setting != set:
		case uses == 1 && !set.own, last < 0 && !set.own:
			if rest != nil {
				return usagef("--%s is given twice before all sources: %s and %s", set.flag, rest.value, a.value)
			}
			rest = &s.args[i]
		case last < 0:
			return usagef("--%s %s: it stands behind the source that it is for", set.flag, a.value)
		default:
			src := all[last]
			if !slices.Contains(set.kinds, src.kind) {
				return usagef("--%s %s: %s knows none; it is for %s", set.flag, a.value, src, flags(set.kinds))
			}
			if src.given[set.flag] {
				return usagef("--%s %s: %s has one already", set.flag, a.value, src)
			}
			if err := src.take(set, a.value); err != nil {
				return err
			}
		}
	}
	if rest == nil {
		return nil
	}
	taken := false
	for _, src := range all {
		if !slices.Contains(set.kinds, src.kind) {
			continue
		}
		taken = true
		if src.given[set.flag] {
			continue
		}
		if err := src.take(set, rest.value); err != nil {
			return err
		}
	}
	if !taken {
		return usagef("--%s %s: it is for %s, and there is none", set.flag, rest.value, flags(set.kinds))
	}
	return nil
}

func (s *spec) take(set *setting, value string) error {
	s.given[set.flag] = true
	return set.set(s, value)
}

func flags(kinds []string) string { return "--" + strings.Join(kinds, ", --") }

// word is a name as people give to cameras.
var word = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]*$`)

// name gives each source a name of its own.
func name(all []*spec) error {
	taken := map[string]*spec{}
	for _, s := range all {
		if s.name == "" {
			continue
		}
		if other := taken[s.name]; other != nil {
			return usagef("--name %s: %s and %s cannot both be called so", s.name, other, s)
		}
		taken[s.name] = s
	}
	for _, s := range all {
		if s.name != "" {
			continue
		}
		base := s.kind
		if s.kind == fromCamera && s.value != ownDefault && len(s.value) <= 64 && word.MatchString(s.value) {
			base = s.value
		}
		s.name = base
		for n := 2; taken[s.name] != nil; n++ {
			s.name = fmt.Sprintf("%s-%d", base, n)
		}
		taken[s.name] = s
	}
	return nil
}

func setName(s *spec, text string) error {
	if text == "" || len(text) > 128 {
		return errors.New("it has to have 1 to 128 bytes")
	}
	s.name = text
	return nil
}

func setPriority(s *spec, text string) error {
	s.priority = parley.Priority(text)
	switch s.priority {
	case parley.PriorityLow, parley.PriorityStandard, parley.PriorityHigh:
		return nil
	}
	return errors.New("it is low, standard or high")
}

func setSize(s *spec, text string) error {
	w, h, ok := strings.Cut(strings.ToLower(text), "x")
	width, err := strconv.ParseUint(w, 10, 14)
	height, err2 := strconv.ParseUint(h, 10, 14)
	if !ok || err != nil || err2 != nil || width < 16 || height < 16 {
		return errors.New("it has to be like 1280x720, each from 16 to 16383")
	}
	s.width, s.height = int(width), int(height)
	return nil
}

func setRate(s *spec, text string) error {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate <= 240) {
		return errors.New("it has to be a number up to 240, as in 30 or 29.97")
	}
	s.fps = rate
	return nil
}

func setBitrate(s *spec, text string) error {
	digits, unit := strings.TrimSuffix(text, "bps"), 1.0
	switch {
	case strings.HasSuffix(digits, "k"), strings.HasSuffix(digits, "K"):
		digits, unit = digits[:len(digits)-1], 1e3
	case strings.HasSuffix(digits, "M"):
		digits, unit = digits[:len(digits)-1], 1e6
	}
	rate, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(rate*unit >= 1000 && rate*unit <= 1e9) {
		return errors.New("it has to be like 1500k, 1.5M or 800000, at least 1k")
	}
	s.bitrate = int(math.Round(rate * unit))
	return nil
}

func setCodec(s *spec, text string) error {
	codec, ok := media.ParseCodec(text)
	if !ok {
		return errors.New("it is vp8, vp9, h264, h265, av1, opus, pcmu or pcma")
	}
	s.codec = codec
	return nil
}

func setFormat(s *spec, text string) error {
	s.format = strings.ToLower(text)
	return nil
}
