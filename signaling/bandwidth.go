package signaling

// BandwidthProfile says how a client wants its downlink to be shared among the
// video tracks that it receives. Words that a server does not know count as
// the default.
type BandwidthProfile struct {
	// Mode; an empty one means grid.
	Mode BandwidthMode
	// MaxBitrate bounds all video together, in bits per second; 0: no bound.
	MaxBitrate int
	// MaxTracks bounds how many video tracks are sent; 0: no bound.
	MaxTracks int
	// SpeakerPriority is the least priority of the dominant speaker's tracks;
	// an empty one means standard.
	SpeakerPriority Priority
	// SwitchOff; an empty one means predicted.
	SwitchOff SwitchOffMode
	// RenderDimensions are the sizes in which tracks are shown, for those
	// without a hint of their own; nil: the best there is.
	RenderDimensions *RenderDimensions
}

// BandwidthMode is how bandwidth is shared.
type BandwidthMode string

// The modes of sharing.
const (
	BandwidthGrid          BandwidthMode = "grid"          // alike
	BandwidthCollaboration BandwidthMode = "collaboration" // quality goes to high priorities first
	BandwidthPresentation  BandwidthMode = "presentation"  // everything goes to high priorities first
)

// SwitchOffMode says when a track for which there is no bandwidth is switched
// off.
type SwitchOffMode string

// The modes of switching off.
const (
	SwitchOffPredicted SwitchOffMode = "predicted" // before there is too much
	SwitchOffDetected  SwitchOffMode = "detected"  // when there is too much
	SwitchOffDisabled  SwitchOffMode = "disabled"  // never
)

// RenderDimensions are sizes by the priority of tracks. One without a width is
// the server's default.
type RenderDimensions struct{ Low, Standard, High Dimensions }

// Dimensions are a size in pixels.
type Dimensions struct{ Width, Height int }
