package rtc

import (
	"fmt"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// carries requires that what is sent in a section arrives in it.
func carries(t *testing.T, out *Outlet, to *side, time int) {
	t.Helper()
	pt, ok := out.PayloadType(Codec{Codec: media.VP8})
	require.True(t, ok)
	require.Equal(t, out.Mid(), arrives(t, out, pt, to).Mid(), "time %d", time)
}

// A section that has ended may be used again however many offers have said since
// that it has.
func TestSectionsAreUsedAgainAfterManyOffers(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	out, err := client.AddOutlet(media.Video, OutletConfig{Codec: media.VP8, ID: "first"})
	require.NoError(t, err)
	for i := range 4 {
		join(t, client, server)
		carries(t, out, server, i)
		require.NoError(t, client.FreeOutlet(out))
		for range i + 1 {
			join(t, client, server)
		}
		again, err := client.ReuseOutlet(out, OutletConfig{ID: fmt.Sprint(i)})
		require.NoError(t, err)
		require.Equal(t, out.Mid(), again.Mid())
		out = again
	}
}

// A sender is kept that was put into a section which the other side, in an offer
// that comes first, still calls inactive.
func TestOfferThatComesFirstKeepsANewSender(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	out, err := client.AddOutlet(media.Video, OutletConfig{Codec: media.VP8, ID: "first"})
	require.NoError(t, err)
	for i := range 3 {
		join(t, client, server)
		carries(t, out, server, i)
		require.NoError(t, client.FreeOutlet(out))
		join(t, client, server)
		out, err = client.ReuseOutlet(out, OutletConfig{ID: fmt.Sprint(i)})
		require.NoError(t, err)
		join(t, server, client)
		for _, section := range server.RemoteSections() {
			if section.Mid == out.Mid() {
				require.Equal(t, "inactive", section.Direction, "as it was offered")
			}
		}
	}
}

// A section is used again that an answer has ended, and then an offer once more.
func TestSectionsEndInAnswersToo(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	out, err := client.AddOutlet(media.Video, OutletConfig{Codec: media.VP8, ID: "first"})
	require.NoError(t, err)
	for i := range 3 {
		join(t, client, server)
		carries(t, out, server, i)
		require.NoError(t, client.FreeOutlet(out))
		join(t, server, client)
		join(t, client, server)
		join(t, client, server)
		out, err = client.ReuseOutlet(out, OutletConfig{ID: fmt.Sprint(i)})
		require.NoError(t, err)
	}
}
