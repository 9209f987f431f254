package faultnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/faultnet"
)

func observe(kinds ...faultnet.Kind) *faultnet.OrderChecker {
	c := new(faultnet.OrderChecker)
	for _, k := range kinds {
		c.Observe(faultnet.Fact{Kind: k, Participant: "PA1", Publication: "MT1"})
	}
	return c
}

func TestOrderCheckerAcceptsTheContract(t *testing.T) {
	for name, kinds := range map[string][]faultnet.Kind{
		"nothing": nil,
		"E6: a whole life, twice": {
			faultnet.Connected, faultnet.OfParticipant, faultnet.Published, faultnet.OfPublication,
			faultnet.Subscribed, faultnet.OfSubscription, faultnet.Unsubscribed, faultnet.Unpublished, faultnet.Gone,
			faultnet.Connected, faultnet.Published, faultnet.Subscribed, faultnet.Unsubscribed, faultnet.Gone, faultnet.Disconnected,
		},
		"E6: subscribed again": {
			faultnet.Connected, faultnet.Published, faultnet.Subscribed, faultnet.Unsubscribed,
			faultnet.Subscribed, faultnet.Unsubscribed, faultnet.Unpublished, faultnet.Published,
		},
		"E8: an own disconnect": {
			faultnet.Connected, faultnet.Published, faultnet.Subscribed, faultnet.Unsubscribed, faultnet.Disconnected,
		},
		"E10: reconnecting": {
			faultnet.Connected, faultnet.Reconnecting, faultnet.OfRoom, faultnet.Reconnected, faultnet.Reconnecting,
			faultnet.ParticipantReconnecting, faultnet.ParticipantReconnected, faultnet.ParticipantReconnecting, faultnet.Disconnected,
		},
	} {
		require.NoError(t, observe(kinds...).Err(), name)
	}
}

func TestOrderCheckerTellsViolations(t *testing.T) {
	for _, test := range []struct {
		clause, want string
		kinds        []faultnet.Kind
	}{
		{"E6", "event 2, Connected PA1/MT1: the participant is connected already", []faultnet.Kind{faultnet.Connected, faultnet.Connected}},
		{"E6", "the participant is not connected", []faultnet.Kind{faultnet.Gone}},
		{"E6", "the participant is not connected", []faultnet.Kind{faultnet.Published}},
		{"E6", "the participant is not connected", []faultnet.Kind{faultnet.Connected, faultnet.Gone, faultnet.OfParticipant}},
		{"E6", "the track is not published", []faultnet.Kind{faultnet.Connected, faultnet.Subscribed}},
		{"E6", "the track is not published", []faultnet.Kind{faultnet.Connected, faultnet.Unpublished}},
		{"E6", "the track is not published", []faultnet.Kind{faultnet.Connected, faultnet.OfPublication}},
		{"E6", "the track is published already", []faultnet.Kind{faultnet.Connected, faultnet.Published, faultnet.Published}},
		{"E6", "the track is not subscribed", []faultnet.Kind{faultnet.Connected, faultnet.Published, faultnet.Unsubscribed}},
		{"E6", "the track is not subscribed", []faultnet.Kind{faultnet.Connected, faultnet.Published, faultnet.OfSubscription}},
		{"E6", "the track is subscribed already", []faultnet.Kind{faultnet.Connected, faultnet.Published, faultnet.Subscribed, faultnet.Subscribed}},
		{"E6", "the track is still subscribed", []faultnet.Kind{faultnet.Connected, faultnet.Published, faultnet.Subscribed, faultnet.Unpublished}},
		{"E6", "track MT1 is still subscribed", []faultnet.Kind{faultnet.Connected, faultnet.Published, faultnet.Subscribed, faultnet.Gone}},
		{"E8", "participant PA1: track MT1 is still subscribed", []faultnet.Kind{faultnet.Connected, faultnet.Published, faultnet.Subscribed, faultnet.Disconnected}},
		{"E8", "after Disconnected", []faultnet.Kind{faultnet.Disconnected, faultnet.Disconnected}},
		{"E8", "after Disconnected", []faultnet.Kind{faultnet.Disconnected, faultnet.OfRoom}},
		{"E10", "it was reconnecting already", []faultnet.Kind{faultnet.Reconnecting, faultnet.Reconnecting}},
		{"E10", "it was not reconnecting", []faultnet.Kind{faultnet.Reconnecting, faultnet.Reconnected, faultnet.Reconnected}},
		{"E10", "it was not reconnecting", []faultnet.Kind{faultnet.Connected, faultnet.ParticipantReconnected}},
		{"", "Kind(99) PA1/MT1: of no known kind", []faultnet.Kind{faultnet.Connected, faultnet.Published, 99}},
	} {
		require.ErrorContains(t, observe(test.kinds...).Err(), test.want, test.clause)
	}
}

func TestOrderCheckerNeedsNames(t *testing.T) {
	c := observe(faultnet.Connected)
	c.Observe(faultnet.Fact{Kind: faultnet.Published, Participant: "PA1"})
	require.ErrorContains(t, c.Err(), "no publication is named")
	c = observe()
	c.Observe(faultnet.Fact{Kind: faultnet.Connected})
	require.ErrorContains(t, c.Err(), "no participant is named")
}

func TestOrderCheckerKeepsSeveralApart(t *testing.T) {
	c := observe(faultnet.Connected, faultnet.Published, faultnet.Subscribed)
	c.Observe(faultnet.Fact{Kind: faultnet.Connected, Participant: "PA2"})
	c.Observe(faultnet.Fact{Kind: faultnet.Published, Participant: "PA2", Publication: "MT1"})
	c.Observe(faultnet.Fact{Kind: faultnet.Published, Participant: "PA1", Publication: "MT2"})
	require.NoError(t, c.Err())
	require.Equal(t, []string{"PA1", "PA2"}, c.Present())
	require.False(t, c.Ended())
	c.Observe(faultnet.Fact{Kind: faultnet.Unsubscribed, Participant: "PA2", Publication: "MT1"})
	require.Error(t, c.Err())
}

func TestOrderCheckerIsBounded(t *testing.T) {
	c := observe(faultnet.Disconnected)
	for range 10_000 {
		c.Observe(faultnet.Fact{})
	}
	require.True(t, c.Ended())
	require.Less(t, len(c.Err().Error()), 2000)
}
