package allocation

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

const (
	low      = signaling.PriorityLow
	standard = signaling.PriorityStandard
	high     = signaling.PriorityHigh
)

func of(p signaling.Priority, kilobits int, change ...func(*Track)) Track {
	t := Track{Published: p, Layers: []Layer{{Bitrate: kilobits * 1000}}}
	for _, c := range change {
		c(&t)
	}
	return t
}

func override(p signaling.Priority) func(*Track) { return func(t *Track) { t.Override = p } }
func spoke(n int) func(*Track)                   { return func(t *Track) { t.Spoke = n } }
func speaks(t *Track)                            { t.Speaks, t.Spoke = true, 9 }
func refused(t *Track)                           { t.Refused = true }
func disabled(t *Track)                          { t.Disabled = true }
func starved(t *Track)                           { t.Off, t.Starved = true, true }
func off(t *Track)                               { t.Off = true }
func held(t *Track)                              { starved(t); t.Held = true }

// simulcast has layers of 180, 360 and 720 lines and 150, 500 and 2500 kb/s.
func simulcast(p signaling.Priority, change ...func(*Track)) Track {
	t := of(p, 0, change...)
	size := func(w, h int) signaling.Dimensions { return signaling.Dimensions{Width: w, Height: h} }
	t.Layers = []Layer{{size(320, 180), 150_000}, {size(640, 360), 500_000}, {size(1280, 720), 2_500_000}}
	return t
}

func layer(n int) func(*Track) { return func(t *Track) { t.Layer = n } }
func showing(w, h int) func(*Track) {
	return func(t *Track) { t.Shown = signaling.Dimensions{Width: w, Height: h} }
}

// told writes verdicts as a word: the layer of what is on, - for off and s for
// what is starved.
func told(vs []Verdict) string {
	var b strings.Builder
	for _, v := range vs {
		switch {
		case v.Starved:
			b.WriteByte('s')
		case v.Off:
			b.WriteByte('-')
		default:
			b.WriteByte(byte('0' + v.Layer))
		}
	}
	return b.String()
}

func TestDecide(t *testing.T) {
	type profile = signaling.BandwidthProfile
	for name, c := range map[string]struct {
		profile *profile
		room    Room
		tracks  []Track
		want    string
	}{
		"no profile: everything":       {nil, Room{}, []Track{of(low, 100), of(high, 9000)}, "00"},
		"nothing at all":               {nil, Room{}, nil, ""},
		"refused without a profile":    {nil, Room{}, []Track{of(low, 100, refused), of(high, 100)}, "-0"},
		"zero tracks are no bound":     {&profile{MaxTracks: 0}, Room{}, []Track{of(low, 1), of(low, 1)}, "00"},
		"high stays, low goes":         {&profile{MaxTracks: 1}, Room{}, []Track{of(low, 1), of(high, 1)}, "-0"},
		"as many as there may be":      {&profile{MaxTracks: 2}, Room{}, []Track{of(low, 1), of(standard, 1), of(high, 1)}, "-00"},
		"an empty one is standard":     {&profile{MaxTracks: 1}, Room{}, []Track{of(low, 1), of("", 1)}, "-0"},
		"equal: the oldest stays":      {&profile{MaxTracks: 1}, Room{}, []Track{of(low, 1), of(low, 1)}, "0-"},
		"equal: who spoke last":        {&profile{MaxTracks: 1}, Room{}, []Track{of(low, 1, spoke(1)), of(low, 1, spoke(2)), of(low, 1)}, "-0-"},
		"override raises":              {&profile{MaxTracks: 1}, Room{}, []Track{of(low, 1, override(high)), of(standard, 1)}, "0-"},
		"override lowers":              {&profile{MaxTracks: 1}, Room{}, []Track{of(high, 1, override(low)), of(standard, 1)}, "-0"},
		"refused are not counted":      {&profile{MaxTracks: 1}, Room{}, []Track{of(high, 1, refused), of(low, 1)}, "-0"},
		"disabled come last":           {&profile{MaxTracks: 1}, Room{}, []Track{of(high, 1, disabled), of(low, 1)}, "-0"},
		"disabled count":               {&profile{MaxTracks: 1}, Room{}, []Track{of(high, 1, disabled), of(low, 1, disabled)}, "0-"},
		"the speaker is standard":      {&profile{MaxTracks: 1}, Room{}, []Track{of(standard, 1), of(low, 1, speaks)}, "-0"},
		"the speaker is not lowered":   {&profile{MaxTracks: 1, SpeakerPriority: low}, Room{}, []Track{of(standard, 1), of(high, 1, speaks)}, "-0"},
		"the speaker can stay low":     {&profile{MaxTracks: 1, SpeakerPriority: low}, Room{}, []Track{of(standard, 1), of(low, 1, speaks)}, "0-"},
		"the speaker is high":          {&profile{MaxTracks: 1, SpeakerPriority: high}, Room{}, []Track{of(high, 1), of(low, 1, speaks)}, "-0"},
		"the override beats speaking":  {&profile{MaxTracks: 1, SpeakerPriority: high}, Room{}, []Track{of(standard, 1), of(high, 1, speaks, override(low))}, "0-"},
		"all fit":                      {&profile{}, Room{Bitrate: 600_000}, []Track{of(low, 300), of(low, 300)}, "00"},
		"low goes for bandwidth":       {&profile{}, Room{Bitrate: 600_000}, []Track{of(low, 301), of(high, 300)}, "s0"},
		"the first is on regardless":   {&profile{}, Room{Bitrate: 400}, []Track{of(low, 300), of(high, 300)}, "s0"},
		"a small one takes the rest":   {&profile{}, Room{Bitrate: 600_000}, []Track{of(high, 400), of(standard, 300), of(low, 100)}, "0s0"},
		"what is not measured is on":   {&profile{}, Room{Bitrate: 100_000}, []Track{of(high, 100), of(low, 0)}, "00"},
		"never for bandwidth":          {&profile{SwitchOff: signaling.SwitchOffDisabled}, Room{Bitrate: 100_000}, []Track{of(low, 300), of(high, 300)}, "00"},
		"never, but by number":         {&profile{SwitchOff: signaling.SwitchOffDisabled, MaxTracks: 1}, Room{}, []Track{of(low, 300), of(high, 300)}, "-0"},
		"patience":                     {&profile{}, Room{Bitrate: 100_000, Patient: true}, []Track{of(low, 300), of(high, 300)}, "00"},
		"patience has nothing to give": {&profile{}, Room{Bitrate: 500_000, Patient: true}, []Track{of(low, 300, starved), of(high, 300)}, "s0"},
		"more room to come back":       {&profile{}, Room{Bitrate: 600_000}, []Track{of(high, 300), of(low, 260, starved)}, "0s"},
		"enough to come back":          {&profile{}, Room{Bitrate: 600_000}, []Track{of(high, 300), of(low, 250, starved)}, "00"},
		"off for its number, back":     {&profile{}, Room{Bitrate: 600_000}, []Track{of(high, 300), of(low, 300, off)}, "00"},
		"too early":                    {&profile{}, Room{Bitrate: 600_000}, []Track{of(high, 300), of(low, 10, held)}, "0s"},

		"layers: the best":               {nil, Room{}, []Track{simulcast(low)}, "2"},
		"layers: as shown":               {nil, Room{}, []Track{simulcast(low, showing(640, 360)), simulcast(low, showing(1, 1))}, "10"},
		"layers: fitted":                 {nil, Room{}, []Track{simulcast(low, showing(640, 480)), simulcast(low, showing(641, 361))}, "12"},
		"layers: larger than any":        {nil, Room{}, []Track{simulcast(low, showing(4000, 3000))}, "2"},
		"layers: by priority":            {&profile{RenderDimensions: &signaling.RenderDimensions{}}, Room{}, []Track{simulcast(low), simulcast(standard), simulcast(high)}, "012"},
		"layers: by priority, as said":   {&profile{RenderDimensions: &signaling.RenderDimensions{Low: signaling.Dimensions{Width: 1280, Height: 720}}}, Room{}, []Track{simulcast(low), simulcast(high, showing(10, 10))}, "20"},
		"grid: alike":                    {&profile{}, Room{Bitrate: 1_100_000}, []Track{simulcast(low), simulcast(high)}, "11"},
		"grid: the lowest of all first":  {&profile{}, Room{Bitrate: 650_000}, []Track{simulcast(low), simulcast(high, layer(1))}, "01"},
		"collaboration: high is large":   {&profile{Mode: signaling.BandwidthCollaboration}, Room{Bitrate: 2_650_000}, []Track{simulcast(low, layer(2)), simulcast(high, layer(2))}, "02"},
		"collaboration: all are on":      {&profile{Mode: signaling.BandwidthCollaboration}, Room{Bitrate: 2_649_000}, []Track{simulcast(low, layer(2)), simulcast(high, layer(2))}, "11"},
		"presentation: high is all":      {&profile{Mode: signaling.BandwidthPresentation}, Room{Bitrate: 2_600_000}, []Track{simulcast(low, layer(2)), simulcast(high, layer(2))}, "s2"},
		"presentation: equals are equal": {&profile{Mode: signaling.BandwidthPresentation}, Room{Bitrate: 1_000_000}, []Track{simulcast(high, layer(2)), simulcast(high, layer(2))}, "11"},
		"layers: never off":              {&profile{SwitchOff: signaling.SwitchOffDisabled}, Room{Bitrate: 100}, []Track{simulcast(low), simulcast(low)}, "00"},
		"layers: room to grow":           {&profile{}, Room{Bitrate: 599_000}, []Track{simulcast(low, layer(0))}, "0"},
		"layers: grown":                  {&profile{}, Room{Bitrate: 500_000}, []Track{simulcast(low, layer(1))}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, told(Decide(c.profile, c.room, c.tracks)))
		})
	}
}

func TestSizesToAskFor(t *testing.T) {
	size := func(w, h int) signaling.Dimensions { return signaling.Dimensions{Width: w, Height: h} }
	v := Decide(nil, Room{}, []Track{simulcast(low), simulcast(low, showing(500, 300))})
	require.Zero(t, v[0].Size, "the best")
	require.Equal(t, size(500, 300), v[1].Size)
	v = Decide(nil, Room{Bitrate: 600_000}, []Track{simulcast(low), simulcast(low, showing(500, 300))})
	require.Equal(t, size(320, 180), v[0].Size, "what there is room for")
	unknown := simulcast(low)
	for i := range unknown.Layers {
		unknown.Layers[i].Dimensions = signaling.Dimensions{}
	}
	require.Equal(t, size(1, 1), Decide(nil, Room{Bitrate: 1}, []Track{unknown})[0].Size, "the smallest")
}

func TestLoadIsWhatIsOn(t *testing.T) {
	require.Zero(t, Load(nil))
	require.Equal(t, 800_000, Load([]Track{of(low, 300), of(low, 100, off), simulcast(low, layer(1))}))
	require.Equal(t, 300_000, Load([]Track{of(low, 300, layer(2))}), "layers can go away")
}

// TestDecisionsHold plays rooms at random. There is never more than allowed,
// nobody is off behind one of a lower rank, and to decide again without any
// news changes nothing.
func TestDecisionsHold(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	priorities := []signaling.Priority{low, standard, high}
	modes := []signaling.BandwidthMode{"", signaling.BandwidthCollaboration, signaling.BandwidthPresentation}
	for range 3000 {
		p := &signaling.BandwidthProfile{
			Mode: modes[r.IntN(3)], MaxTracks: r.IntN(4), SpeakerPriority: priorities[r.IntN(3)],
		}
		room := Room{Bitrate: r.IntN(3) * r.IntN(3_000_000)}
		tracks := make([]Track, r.IntN(8))
		for i := range tracks {
			tracks[i] = simulcast(priorities[r.IntN(3)])
			t := &tracks[i]
			t.Layers = t.Layers[:1+r.IntN(3)]
			t.Speaks, t.Spoke, t.Refused = i == 0, r.IntN(3), r.IntN(5) == 0
			t.Verdict = Verdict{Off: r.IntN(3) == 0, Layer: r.IntN(3)}
			t.Starved = t.Off && r.IntN(2) == 0
		}
		verdicts := Decide(p, room, tracks)
		on := 0
		for i := range tracks {
			if verdicts[i].Off {
				continue
			}
			on++
			require.False(t, tracks[i].Refused)
			require.Less(t, verdicts[i].Layer, len(tracks[i].Layers))
		}
		if p.MaxTracks > 0 {
			require.LessOrEqual(t, on, p.MaxTracks)
		}
		for i := range tracks {
			tracks[i].Verdict = verdicts[i]
		}
		if room.Bitrate > 0 && on > 1 {
			require.LessOrEqual(t, Load(tracks), room.Bitrate)
		}
		for i := range tracks {
			if !verdicts[i].Off || verdicts[i].Starved || tracks[i].Refused {
				continue
			}
			for j := range tracks {
				if !verdicts[j].Off {
					require.GreaterOrEqual(t, level(Priority(p, &tracks[j])), level(Priority(p, &tracks[i])))
				}
			}
		}
		again := Decide(p, room, tracks)
		for i := range tracks {
			require.Equal(t, verdicts[i].Off, again[i].Off, "%+v %+v", room, tracks)
		}
	}
}
