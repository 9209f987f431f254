package sfu_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

var stage = []sfu.Offer{
	{SID: "MT1", Name: "cam", Kind: signaling.KindVideo, PublisherSID: "PA1", PublisherIdentity: "alice"},
	{SID: "MT2", Name: "mic", Kind: signaling.KindAudio, PublisherSID: "PA1", PublisherIdentity: "alice"},
	{SID: "MT3", Name: "cam", Kind: signaling.KindVideo, PublisherSID: "PA2", PublisherIdentity: "bob"},
	{SID: "MT4", Name: "chat", Kind: signaling.KindData, PublisherSID: "PA2", PublisherIdentity: "bob"},
	{SID: "MT5", Name: "cam", Kind: signaling.KindVideo, PublisherSID: "PA9", PublisherIdentity: "me"},
}

func TestEvaluate(t *testing.T) {
	include := func(r signaling.Rule) signaling.Rule { return r }
	exclude := func(r signaling.Rule) signaling.Rule { r.Exclude = true; return r }
	all := signaling.Rule{All: true}
	for name, test := range map[string]struct {
		rules []signaling.Rule
		want  string
	}{
		"nothing said":        {nil, ""},
		"everything":          {[]signaling.Rule{include(all)}, "MT1 MT2 MT3 MT4"},
		"nothing":             {[]signaling.Rule{exclude(all)}, ""},
		"a kind":              {[]signaling.Rule{{Kind: signaling.KindVideo}}, "MT1 MT3"},
		"an identity":         {[]signaling.Rule{{Publisher: "bob"}}, "MT3 MT4"},
		"a publisher's SID":   {[]signaling.Rule{{Publisher: "PA1"}}, "MT1 MT2"},
		"a track's SID":       {[]signaling.Rule{{Track: "MT4"}}, "MT4"},
		"a track's name":      {[]signaling.Rule{{Track: "cam"}}, "MT1 MT3"},
		"filters meet":        {[]signaling.Rule{{Track: "cam", Publisher: "alice"}}, "MT1"},
		"filters miss":        {[]signaling.Rule{{Track: "cam", Kind: signaling.KindAudio}}, ""},
		"all but":             {[]signaling.Rule{all, exclude(signaling.Rule{Publisher: "alice"})}, "MT3 MT4"},
		"order matters":       {[]signaling.Rule{exclude(signaling.Rule{Publisher: "alice"}), all}, "MT1 MT2 MT3 MT4"},
		"all but, and yet":    {[]signaling.Rule{all, exclude(signaling.Rule{Kind: signaling.KindVideo}), {Track: "MT3"}}, "MT2 MT3 MT4"},
		"nothing after all":   {[]signaling.Rule{all, exclude(all)}, ""},
		"own tracks never":    {[]signaling.Rule{{Publisher: "me"}, {Track: "MT5"}}, ""},
		"empty rule is mute":  {[]signaling.Rule{{}}, ""},
		"who is not there":    {[]signaling.Rule{{Publisher: "carol"}}, ""},
		"a kind is no name":   {[]signaling.Rule{{Track: "video"}}, ""},
		"names are exact":     {[]signaling.Rule{{Track: "CAM"}}, ""},
		"identity is no name": {[]signaling.Rule{{Track: "alice"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for i, in := range sfu.Evaluate(test.rules, stage, "PA9") {
				if in {
					if got != "" {
						got += " "
					}
					got += stage[i].SID
				}
			}
			require.Equal(t, test.want, got)
		})
	}
}

// The rules say what they say when they are applied one by one to a growing
// and shrinking set.
func TestEvaluateIsTheSetOfItsSteps(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	for range 5000 {
		var rules []signaling.Rule
		for range r.IntN(6) {
			rule := signaling.Rule{Exclude: r.IntN(2) == 0, All: r.IntN(4) == 0}
			if !rule.All {
				rule.Kind = signaling.Kind(pick("", "", "audio", "video", "data"))
				rule.Publisher = pick("", "", "PA1", "bob", "me", "nobody")
				rule.Track = pick("", "", "MT1", "cam", "chat")
			}
			rules = append(rules, rule)
		}
		set := map[string]bool{}
		for _, rule := range rules {
			for _, o := range stage {
				fits := rule.All || (rule.Kind != "" || rule.Publisher != "" || rule.Track != "") &&
					(rule.Kind == "" || rule.Kind == o.Kind) &&
					(rule.Publisher == "" || rule.Publisher == o.PublisherSID || rule.Publisher == o.PublisherIdentity) &&
					(rule.Track == "" || rule.Track == o.SID || rule.Track == o.Name)
				if fits && o.PublisherSID != "PA9" {
					set[o.SID] = !rule.Exclude
				}
			}
		}
		for i, in := range sfu.Evaluate(rules, stage, "PA9") {
			require.Equal(t, set[stage[i].SID], in, fmt.Sprintf("%+v %s", rules, stage[i].SID))
		}
	}
}
