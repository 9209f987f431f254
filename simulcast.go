package parley

import (
	"encoding/json"
	"slices"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// maxLayers is how many sizes of one track can be sent.
const maxLayers = 3

// NewSimulcastVideoTrack returns a track that sends the same pictures in several
// sizes, so that each subscriber gets the one that suits it: two or three
// sources, the smallest first, of one codec. Each should have twice the width
// and height of the one before. One camera serves them all:
//
//	fan := media.NewVideoFanout(camera)
//	small := media.NewVideoSource(fan.Reader(), enc1, &media.VideoSourceOptions{MaxHeight: 180})
//	large := media.NewVideoSource(fan.Reader(), enc2, nil)
//	track, err := parley.NewSimulcastVideoTrack([]media.Source{small, large}, nil)
//
// A source whose size nobody needs at present is not read, and asked for a key
// frame when it is read again. A bitrate bound is shared out: each layer gets
// three times as much as the one below. The track ends when the first of its
// sources does, and closes all of them.
//
// Browsers take one size of any codec; to send them simulcast is to send it to
// the server.
func NewSimulcastVideoTrack(layers []media.Source, opts *TrackOptions) (*LocalVideoTrack, error) {
	if len(layers) < 1 || len(layers) > maxLayers {
		return nil, wrap("%w: %d layers, at most %d can be sent", ErrOption, len(layers), maxLayers)
	}
	var base *localMedia
	for i, src := range layers {
		if src == nil {
			return nil, wrap("%w: layer %d has no source", ErrOption, i)
		}
		m, err := newLocalMedia(KindVideo, src, opts)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			base = m
			continue
		}
		if m.codec != base.codec {
			return nil, wrap("%w: layers of %s and %s in one track", ErrOption, base.codec, m.codec)
		}
		m.index, m.base, m.patience = i, base, 0
		base.upper = append(base.upper, m)
	}
	return &LocalVideoTrack{base}, nil
}

// layers returns the track's layers, lowest first.
func (m *localMedia) layers() []*localMedia { return append([]*localMedia{m}, m.upper...) }

// share gives the upper layers the publications of the lowest.
func (m *localMedia) share() {
	m.mu.Lock()
	pubs := m.pubs
	m.mu.Unlock()
	for _, l := range m.upper {
		l.mu.Lock()
		l.pubs = pubs
		l.mu.Unlock()
	}
}

// cease ends an upper layer with its track.
func (m *localMedia) cease() {
	m.mu.Lock()
	m.stopped = true
	if m.cancel != nil {
		m.cancel()
	}
	m.mu.Unlock()
	_ = m.src.Close() // the track has ended either way
}

// best returns the index of the highest layer.
func (m *localMedia) best() int {
	if m.base != nil {
		m = m.base
	}
	return len(m.upper)
}

// sized notes the size of the track's pictures.
func (m *localMedia) sized(width, height int) {
	if m.base != nil {
		m = m.base
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.width, m.height = width, height
}

// layerShare is a layer's part of a bitrate.
func layerShare(bitrate, layer, layers int) int {
	part, sum := 0, 0
	for i, weight := 0, 1; i < layers; i, weight = i+1, weight*3 {
		sum += weight
		if i == layer {
			part = weight
		}
	}
	return bitrate * part / sum
}

const channelPublisherHints = "publisher_hints"

// applyHints takes what the server says about layers that nobody needs, and
// answers. It runs on the loop.
func (r *Room) applyHints(payload []byte) {
	const most = maxTracks // hints in one message
	var m struct {
		Type      string `json:"type"`
		Publisher struct {
			ID    int `json:"id"`
			Hints []struct {
				Track     string `json:"track"`
				Encodings []struct {
					Layer   int  `json:"layer_index"`
					Enabled bool `json:"enabled"`
				} `json:"encodings"`
			} `json:"hints"`
		} `json:"publisher"`
	}
	if json.Unmarshal(payload, &m) != nil || m.Type != channelPublisherHints || len(m.Publisher.Hints) > most {
		return
	}
	type result struct {
		Track  string `json:"track"`
		Result string `json:"result"`
	}
	results := []result{}
	for _, h := range m.Publisher.Hints {
		i := slices.IndexFunc(r.loop.publications, func(p *LocalTrackPublication) bool { return p.sid == h.Track && h.Track != "" })
		if i < 0 {
			results = append(results, result{h.Track, "UNKNOWN_TRACK"})
			continue
		}
		answer := "OK"
		for _, e := range h.Encodings {
			if !r.loop.publications[i].rest(e.Layer, !e.Enabled) {
				answer = "INVALID_HINT"
			}
		}
		results = append(results, result{h.Track, answer})
	}
	reply, err := json.Marshal(struct {
		Type  string   `json:"type"`
		ID    int      `json:"id"`
		Hints []result `json:"hints"`
	}{channelPublisherHints, m.Publisher.ID, results})
	if err != nil {
		return // it cannot
	}
	if l := &r.loop; len(l.replies) < most { // a server that asks faster than it listens
		l.replies = append(l.replies, signaling.Channel{Name: channelPublisherHints, Payload: reply})
	}
}
