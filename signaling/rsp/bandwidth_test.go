package rsp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
)

func TestBandwidthProfileBothWays(t *testing.T) {
	p := &signaling.BandwidthProfile{
		Mode: signaling.BandwidthPresentation, MaxBitrate: 2_500_000, MaxTracks: 3,
		SpeakerPriority: signaling.PriorityHigh, SwitchOff: signaling.SwitchOffDetected,
		RenderDimensions: &signaling.RenderDimensions{
			High: signaling.Dimensions{Width: 1280, Height: 720}, Low: signaling.Dimensions{Width: 176, Height: 144},
		},
	}
	body, err := NewTransport(Options{}).encodeJoin(signaling.Join{BandwidthProfile: p})
	require.NoError(t, err)
	m, err := decodeClientMessage(body)
	require.NoError(t, err)
	require.Equal(t, p, m.join().BandwidthProfile)

	o := newOutbox()
	o.begin("s", false, signaling.Capabilities{}, signaling.LocalParticipant{})
	require.True(t, o.merge(signaling.Update{BandwidthProfile: &signaling.BandwidthProfile{MaxTracks: 9}}))
	require.True(t, o.merge(signaling.Update{BandwidthProfile: p}), "the newest counts")
	frames, _, err := o.take()
	require.NoError(t, err)
	require.Len(t, frames, 1)
	f, err := decodeFrame(frames[0])
	require.NoError(t, err)
	m, err = decodeClientMessage(f.Body)
	require.NoError(t, err)
	require.Equal(t, p, m.clientUpdate().BandwidthProfile)
	frames, _, err = o.take()
	require.NoError(t, err)
	require.Empty(t, frames, "it was said")
}

func TestBandwidthProfileOfABrowser(t *testing.T) {
	size := func(w, h int) signaling.Dimensions { return signaling.Dimensions{Width: w, Height: h} }
	for body, want := range map[string]*signaling.BandwidthProfile{
		`null`:              nil,
		`{}`:                {},
		`{"video":null}`:    {},
		`{"video":{}}`:      {},
		`{"audio":{"x":1}}`: {},
		`{"video":{"max_tracks":-1,"max_subscription_bandwidth":-5e3}}`:                             {},
		`{"video":{"max_tracks":1.5,"max_subscription_bandwidth":0.25}}`:                            {MaxTracks: 2, MaxBitrate: 1},
		`{"video":{"max_tracks":1e300,"max_subscription_bandwidth":1e300}}`:                         {MaxTracks: mostTracks, MaxBitrate: mostBitrate},
		`{"video":{"mode":"later","active_speaker_priority":"x"}}`:                                  {Mode: "later", SpeakerPriority: "x"},
		`{"video":{"render_dimensions":{"low":{"width":1e9,"height":-1},"high":null}}}`:             {RenderDimensions: &signaling.RenderDimensions{Low: size(mostPixels, 0)}},
		`{"video":{"render_dimensions":{"standard":{"width":640,"height":480}},"max_tracks":null}}`: {RenderDimensions: &signaling.RenderDimensions{Standard: size(640, 480)}},
	} {
		m, err := decodeClientMessage([]byte(`{"type":"update","bandwidth_profile":` + body + `}`))
		require.NoError(t, err, body)
		require.Equal(t, want, m.clientUpdate().BandwidthProfile, body)
	}
	for _, body := range []string{
		`[]`, `7`, `{"video":7}`, `{"video":{"mode":7}}`, `{"video":{"max_tracks":"1"}}`, `{"video":{"max_tracks":1e999}}`,
		`{"video":{"render_dimensions":[]}}`, `{"video":{"render_dimensions":{"low":{"width":"1"}}}}`,
		`{"video":{"mode":"` + strings.Repeat("x", maxText+1) + `"}}`,
		`{"video":{"active_speaker_priority":"` + strings.Repeat("x", maxText+1) + `"}}`,
		`{"video":{"track_switch_off":"` + strings.Repeat("x", maxText+1) + `"}}`,
	} {
		_, err := decodeClientMessage([]byte(`{"type":"connect","participant":{},"bandwidth_profile":` + body + `}`))
		require.Error(t, err, body)
	}
}
