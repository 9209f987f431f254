package parley_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// How rooms end, and who is not let in.

func TestR36EveryEndingIsExplained(t *testing.T) {
	for _, story := range []struct {
		name   string
		end    func(c *call)
		err    error
		code   int
		reason parley.DisconnectReason
	}{
		{"duplicate identity", func(c *call) { c.join("bob") }, parley.ErrDuplicateIdentity, 53205, parley.ReasonDuplicate},
		{"room completed", func(c *call) { c.srv.Complete("lab") }, parley.ErrRoomCompleted, 53118, parley.ReasonCompleted},
		{"removed", func(c *call) { c.srv.Remove("lab", "bob") }, parley.ErrParticipantNotFound, 53204, parley.ReasonRemoved},
	} {
		t.Run(story.name, func(t *testing.T) {
			inCall(t, 36, func(c *call) {
				mark, others, start := c.bob.log.mark(), c.alice.log.mark(), time.Now()
				story.end(c)
				end, at := await[parley.Disconnected](c.bob, mark)
				require.ErrorIs(c.t, end.Err, story.err)
				require.Equal(c.t, end.Err, c.bob.room.Err())
				var coded *parley.Error
				require.ErrorAs(c.t, end.Err, &coded)
				require.EqualValues(c.t, story.code, coded.Code)
				require.Equal(c.t, story.reason, end.Reason)
				require.Less(c.t, at.Sub(start), time.Second)
				require.NotContains(c.t, c.bob.log.since(mark), "Reconnecting")
				if story.code == 53118 {
					await[parley.Disconnected](c.alice, others)
					return
				}
				gone, _ := await[parley.ParticipantDisconnected](c.alice, others)
				require.Equal(c.t, story.reason, gone.Reason)
				time.Sleep(time.Minute)
				require.Equal(c.t, parley.StateDisconnected, c.bob.room.State(), "it does not come back by itself")
			})
		})
	}
}

// Who is away while its stay is ended learns it when it comes back, and stays
// out: its token would let it in again.
func TestR36EndingsAreToldToWhoeverComesBack(t *testing.T) {
	for _, story := range []struct {
		name   string
		end    func(c *call)
		err    error
		reason parley.DisconnectReason
	}{
		{"duplicate identity", func(c *call) { c.join("bob") }, parley.ErrDuplicateIdentity, parley.ReasonDuplicate},
		{"room completed", func(c *call) { c.srv.Complete("lab") }, parley.ErrRoomCompleted, parley.ReasonCompleted},
		{"removed", func(c *call) { c.srv.Remove("lab", "bob") }, parley.ErrParticipantNotFound, parley.ReasonRemoved},
		{"stay over", func(*call) { time.Sleep(20 * time.Second) }, parley.ErrParticipantNotFound, parley.ReasonDuration},
	} {
		t.Run(story.name, func(t *testing.T) {
			inCall(t, 36, func(c *call) {
				mark := c.bob.log.mark()
				time.Sleep(38 * time.Second)
				c.bob.host.SetBlackhole(true)
				time.Sleep(time.Second)
				story.end(c)
				time.Sleep(3 * time.Second)
				c.bob.lines.reset()
				c.bob.host.SetBlackhole(false)
				end, _ := await[parley.Disconnected](c.bob, mark)
				require.ErrorIs(c.t, end.Err, story.err)
				require.Equal(c.t, story.reason, end.Reason)
				time.Sleep(time.Minute)
				require.Equal(c.t, parley.StateDisconnected, c.bob.room.State())
			}, func(cfg *sfu.Config) {
				if story.reason == parley.ReasonDuration {
					cfg.MaxParticipantDuration = time.Minute
				}
			})
		})
	}
}

func TestOthersSeeWhoReconnects(t *testing.T) {
	inCall(t, 1, func(c *call) {
		mark := c.alice.log.mark()
		bob := c.alice.room.Participant("bob")
		c.bob.host.SetBlackhole(true)
		await[parley.ParticipantReconnecting](c.alice, mark)
		require.Equal(c.t, parley.StateReconnecting, bob.State())
		c.bob.host.SetBlackhole(false)
		await[parley.ParticipantReconnected](c.alice, mark)
		require.Equal(c.t, parley.StateConnected, bob.State())
		time.Sleep(5 * time.Second)
		require.Equal(c.t, []string{"ParticipantReconnecting bob", "ParticipantReconnected bob"}, c.alice.log.since(mark))
		require.Same(c.t, bob, c.alice.room.Participant("bob"))
	})
}

func TestMaxParticipantsRace(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		var mu sync.Mutex
		in, full := 0, 0
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := l.dial(l.t.Context(), fmt.Sprintf("client%d", i))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					in++
				} else if assert.ErrorIs(l.t, err, parley.ErrRoomFull) {
					full++
				}
			})
		}
		all.Wait()
		require.Equal(l.t, 7, in)
		require.Equal(l.t, 13, full)
		require.Len(l.t, l.srv.Participants("lab"), 7)
	}, func(c *sfu.Config) { c.MaxParticipants = 7 })
}

func TestTokensThatAreRefused(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		other := accesstoken.NewKey()
		for name, story := range map[string]struct {
			token string
			want  error
		}{
			"expired":        {l.token("ann", func(t *accesstoken.Token) { t.IssuedAt, t.TTL = time.Now().Add(-3*time.Hour), time.Hour }), parley.ErrTokenExpired},
			"not yet valid":  {l.token("ann", func(t *accesstoken.Token) { t.NotBefore, t.TTL = time.Now().Add(time.Hour), 2*time.Hour }), parley.ErrTokenNotYetValid},
			"another room":   {l.token("ann", func(t *accesstoken.Token) { t.Room = "attic" }), parley.ErrTokenGrants},
			"not a token":    {"nonsense", parley.ErrTokenInvalid},
			"unknown issuer": {signed(l.t, other), parley.ErrTokenIssuer},
		} {
			l.mint = func(string) string { return story.token }
			start := time.Now()
			_, err := l.dial(l.t.Context(), name, func(o *parley.ConnectOptions) { o.Name = "lab" })
			require.ErrorIs(l.t, err, story.want, name)
			require.Less(l.t, time.Since(start), time.Second)
		}
	})
}

func signed(t *testing.T, key accesstoken.Key) string {
	t.Helper()
	token, err := accesstoken.Token{Identity: "ann", Room: "lab"}.Sign(key)
	require.NoError(t, err)
	return token
}

func TestRefreshTokenIsAskedOnce(t *testing.T) {
	for _, refreshes := range []bool{true, false} {
		t.Run(fmt.Sprint(refreshes), func(t *testing.T) {
			inLab(t, 1, func(l *lab) {
				l.mint = func(identity string) string {
					return l.token(identity, func(t *accesstoken.Token) { t.TTL = time.Minute })
				}
				asked := 0
				bob, err := l.dial(l.t.Context(), "bob", func(o *parley.ConnectOptions) {
					if refreshes {
						o.RefreshToken = func(context.Context) (string, error) {
							asked++
							return l.token("bob"), nil
						}
					}
				})
				require.NoError(l.t, err)
				time.Sleep(5 * time.Minute)
				// The old token is good for resuming.
				mark := bob.log.mark()
				bob.lines.reset()
				await[parley.Reconnected](bob, mark)
				require.Zero(l.t, asked)
				// It is not for joining anew.
				mark = bob.log.mark()
				l.kill()
				time.Sleep(3 * time.Second)
				l.start()
				if !refreshes {
					end, _ := await[parley.Disconnected](bob, mark)
					require.ErrorIs(l.t, end.Err, parley.ErrTokenExpired)
					return
				}
				await[parley.Reconnected](bob, mark)
				require.Equal(l.t, 1, asked)
			})
		})
	}
}
