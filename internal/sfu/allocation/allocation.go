// Package allocation decides which of the video tracks that a subscriber wants
// are sent to it, and how large, when it does not want, or cannot have, all of
// all of them. It is a function of what is known at one moment; who calls it
// again and again holds the rest still in between.
package allocation

import (
	"cmp"
	"slices"

	"github.com/parley-rtc/parley/signaling"
)

// The sizes in which tracks are shown where a profile leaves one out.
var defaultDimensions = signaling.RenderDimensions{
	High:     signaling.Dimensions{Width: 1280, Height: 720},
	Standard: signaling.Dimensions{Width: 640, Height: 480},
	Low:      signaling.Dimensions{Width: 176, Height: 144},
}

// Track is a video track that is subscribed to.
type Track struct {
	// Published is the priority that its publisher gave it. Override is the
	// subscriber's own; an empty one is none.
	Published, Override signaling.Priority
	// Speaks: its publisher is the dominant speaker.
	Speaks bool
	// Spoke orders publishers by when each last became the dominant speaker;
	// 0 is never.
	Spoke int
	// Disabled: its publisher holds it back.
	Disabled bool
	// Refused: the subscriber asked to have it switched off.
	Refused bool
	// Shown is the size in which the subscriber shows it; zero: it did not say.
	Shown signaling.Dimensions
	// Layers are what can be sent, the smallest first, one at least.
	Layers []Layer

	// What was decided last. Held: it is too early to switch it on again.
	Verdict
	Held bool
}

// Layer is one encoding of a track.
type Layer struct {
	signaling.Dimensions     // zero where unknown
	Bitrate              int // bits per second as measured; 0: none yet
}

// Verdict is what becomes of a track.
type Verdict struct {
	Off     bool
	Starved bool // it is off only because there is no room for it
	// Layer is the index of the one to send, at most.
	Layer int
	// Size is what to ask for, zero for the best.
	Size signaling.Dimensions
}

// Room is what there is to share.
type Room struct {
	// Bitrate bounds all tracks together, in bits per second; 0: no bound.
	Bitrate int
	// Firm: it is what the network takes, so that not even the first track can
	// be on beyond it.
	Firm bool
	// Patient: what is on stays on, even if there is too much of it.
	Patient bool
}

// spare is what has to be left over for something that is not sent yet: a
// fifth of it. Without that it would come and go with every bit more or less.
const spare = 5

// Decide gives each track its verdict. Tracks are in the order of their age.
//
// Those that the subscriber refused are off. The others have a rank: enabled
// before disabled, then by priority, then whose publisher spoke last, then the
// oldest. The subscriber's own priority overrides the publisher's; without one
// the dominant speaker's tracks have at least the profile's speaker priority.
// The first MaxTracks of them can be on.
//
// Of these, in their order, each is on if there is room for its smallest
// layer; the first always is, unless the room is firm. What room is left makes them larger, up to the
// size in which they are shown: all in turn (grid), or higher priorities first
// (collaboration). In the mode presentation a lower priority gets only what
// the higher ones leave after that.
func Decide(profile *signaling.BandwidthProfile, room Room, tracks []Track) []Verdict {
	if profile == nil {
		profile = &signaling.BandwidthProfile{}
	}
	d := decision{
		profile: profile, room: room, tracks: tracks,
		verdicts: make([]Verdict, len(tracks)), wanted: make([]int, len(tracks)),
	}
	var ranked []int
	for i := range tracks {
		t := &tracks[i]
		size := shown(profile, t)
		d.verdicts[i] = Verdict{Off: true, Size: size}
		d.wanted[i] = layerFor(t.Layers, size)
		if !t.Refused {
			ranked = append(ranked, i)
		}
	}
	slices.SortStableFunc(ranked, func(a, b int) int { return d.compare(&tracks[a], &tracks[b]) })
	if most := profile.MaxTracks; most > 0 && len(ranked) > most {
		ranked = ranked[:most]
	}
	classes := d.classes(ranked)
	switch profile.Mode {
	case signaling.BandwidthPresentation:
		for _, class := range classes {
			d.switchOn(class)
			d.enlarge(class)
		}
	case signaling.BandwidthCollaboration:
		d.switchOn(ranked)
		for _, class := range classes {
			d.enlarge(class)
		}
	default:
		d.switchOn(ranked)
		d.enlarge(ranked)
	}
	for i := range d.verdicts {
		if v, t := &d.verdicts[i], &tracks[i]; !v.Off && v.Layer < d.wanted[i] {
			v.Size = t.Layers[v.Layer].Dimensions
			v.Size.Width, v.Size.Height = max(v.Size.Width, 1), max(v.Size.Height, 1)
		}
	}
	return d.verdicts
}

// Load is the bitrate of what is on.
func Load(tracks []Track) (bitrate int) {
	for i := range tracks {
		if t := &tracks[i]; !t.Off {
			bitrate += t.Layers[min(t.Layer, len(t.Layers)-1)].Bitrate
		}
	}
	return bitrate
}

type decision struct {
	profile  *signaling.BandwidthProfile
	room     Room
	tracks   []Track
	verdicts []Verdict
	wanted   []int // the layer that suits the size in which each is shown
	spent    int
	began    bool // something is on
}

// switchOn switches on what there is room for.
func (d *decision) switchOn(list []int) {
	for _, i := range list {
		t, v := &d.tracks[i], &d.verdicts[i]
		cost := d.cost(t, 0)
		fits := d.fits(cost) && !t.Held
		forced := !d.began && !d.room.Firm || d.profile.SwitchOff == signaling.SwitchOffDisabled || d.room.Patient && !t.Off
		d.began = true
		if v.Off, v.Starved = !fits && !forced, !fits && !forced; !v.Off {
			d.spent += t.Layers[0].Bitrate
		}
	}
}

// enlarge gives the tracks larger layers in turn, as long as there is room.
func (d *decision) enlarge(list []int) {
	for more := true; more; {
		more = false
		for _, i := range list {
			t, v := &d.tracks[i], &d.verdicts[i]
			if v.Off || v.Layer >= d.wanted[i] {
				continue
			}
			now := t.Layers[v.Layer].Bitrate
			if d.fits(d.cost(t, v.Layer+1) - now) {
				v.Layer++
				d.spent += t.Layers[v.Layer].Bitrate - now
				more = true
			}
		}
	}
}

// cost is the room that a layer needs. One that is not sent yet needs more.
func (d *decision) cost(t *Track, layer int) int {
	bitrate := t.Layers[layer].Bitrate
	if t.Off && t.Starved || !t.Off && layer > t.Layer {
		bitrate += bitrate / spare
	}
	return bitrate
}

func (d *decision) fits(cost int) bool { return d.room.Bitrate <= 0 || d.spent+cost <= d.room.Bitrate }

// compare orders by rank.
func (d *decision) compare(a, b *Track) int {
	if a.Disabled != b.Disabled {
		if a.Disabled {
			return 1
		}
		return -1
	}
	return cmp.Or(
		cmp.Compare(level(Priority(d.profile, b)), level(Priority(d.profile, a))),
		cmp.Compare(b.Spoke, a.Spoke),
	)
}

// classes cuts the ranked list where the priority changes.
func (d *decision) classes(ranked []int) (classes [][]int) {
	for len(ranked) > 0 {
		n := 1
		for n < len(ranked) && d.level(ranked[n]) == d.level(ranked[0]) {
			n++
		}
		classes, ranked = append(classes, ranked[:n]), ranked[n:]
	}
	return classes
}

func (d *decision) level(i int) int { return level(Priority(d.profile, &d.tracks[i])) }

// Priority is what counts for the track in the end.
func Priority(profile *signaling.BandwidthProfile, t *Track) signaling.Priority {
	switch {
	case t.Override != "":
		return t.Override
	case t.Speaks && level(profile.SpeakerPriority) > level(t.Published):
		return profile.SpeakerPriority
	}
	return t.Published
}

func level(p signaling.Priority) int {
	switch p {
	case signaling.PriorityLow:
		return 0
	case signaling.PriorityHigh:
		return 2
	}
	return 1
}

// shown is the size in which the subscriber shows the track; zero: as large as
// it comes.
func shown(profile *signaling.BandwidthProfile, t *Track) signaling.Dimensions {
	r := profile.RenderDimensions
	if t.Shown.Width > 0 || r == nil {
		return t.Shown
	}
	said, def := r.Standard, defaultDimensions.Standard
	switch level(Priority(profile, t)) {
	case 0:
		said, def = r.Low, defaultDimensions.Low
	case 2:
		said, def = r.High, defaultDimensions.High
	}
	if said.Width > 0 {
		return said
	}
	return def
}

// layerFor is the smallest layer that fills the size in one direction: the
// picture is fitted into it.
func layerFor(layers []Layer, size signaling.Dimensions) int {
	if size.Width > 0 {
		for i, l := range layers {
			if l.Width >= size.Width || l.Height >= size.Height {
				return i
			}
		}
	}
	return len(layers) - 1
}
