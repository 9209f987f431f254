package rsp

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The most entries of each list that a message may hold. A message that holds
// more is invalid. The limits bound memory; what a room allows is smaller and
// the server's policy.
const (
	maxParticipants = 1000
	maxTracks       = 256  // of one participant
	maxSubscribed   = 8192 // subscribed and warned-about tracks
	maxConnections  = 64
	maxCandidates   = 1024 // of one peer connection
	maxICEServers   = 64
	maxURLs         = 16
	maxChannels     = 64  // names
	maxMessages     = 512 // channel messages in one update
	maxRules        = 256
	maxText         = 4096 // bytes of an id, a name or a label
	maxErrorText    = 1024 // bytes of an error's text that are kept
	maxRevision     = 1<<53 - 1
)

// bounded is an entry of a list and knows how many of its kind there may be.
type bounded interface{ most() int }

func (remoteParticipant) most() int { return maxParticipants }
func (remoteTrack) most() int       { return maxTracks }
func (localTrack) most() int        { return maxTracks }
func (publishedTrack) most() int    { return maxTracks }
func (subscribedTrack) most() int   { return maxSubscribed }
func (peerConnection) most() int    { return maxConnections }
func (candidate) most() int         { return maxCandidates }
func (iceServer) most() int         { return maxICEServers }
func (channelTransport) most() int  { return maxChannels }
func (extensionChannel) most() int  { return maxMessages }
func (rule) most() int              { return maxRules }
func (name) most() int              { return maxChannels }

// name is a string in a bounded list.
type name string

// list is a JSON array whose entries are counted before they are allocated.
type list[T bounded] []T

func (l *list[T]) UnmarshalJSON(data []byte) error {
	var entry T
	if err := checkCount(data, entry.most()); err != nil {
		return err
	}
	return json.Unmarshal(data, (*[]T)(l))
}

// channelMap is the object media_signaling.
type channelMap map[string]mediaChannel

func (m *channelMap) UnmarshalJSON(data []byte) error {
	if err := checkCount(data, maxChannels); err != nil {
		return err
	}
	return json.Unmarshal(data, (*map[string]mediaChannel)(m))
}

// warningMap holds warnings by track SID.
type warningMap map[string]trackWarning

func (m *warningMap) UnmarshalJSON(data []byte) error {
	if err := checkCount(data, maxSubscribed); err != nil {
		return err
	}
	return json.Unmarshal(data, (*map[string]trackWarning)(m))
}

// urls is a list of addresses that browsers also accept as one string.
type urls []string

func (u *urls) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		var one string
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		*u = urls{one}
		return nil
	}
	if err := checkCount(data, maxURLs); err != nil {
		return err
	}
	return json.Unmarshal(data, (*[]string)(u))
}

// checkCount counts the entries of the JSON array or object in data, which the
// decoder has already found to be well-formed, without allocating anything.
func checkCount(data []byte, most int) error {
	depth, commas, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			commas++
			if commas >= most {
				return fmt.Errorf("more than %d entries", most)
			}
		}
	}
	return nil
}
