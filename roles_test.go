package parley_test

import (
	"context"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// withRole makes tokens of the lab carry a role.
func (l *lab) withRole(role accesstoken.Role) {
	l.mint = func(identity string) string {
		return l.token(identity, func(token *accesstoken.Token) { token.Role, token.TTL = role, time.Minute })
	}
}

// Each role against each action: the room says what may be done, and the server
// refuses the rest to a program that tries all the same.
func TestEachRoleMayWhatItMay(t *testing.T) {
	for role, may := range map[accesstoken.Role]parley.Capabilities{
		"":                            {Publish: true, PublishData: true, Subscribe: true},
		accesstoken.RolePublisher:     {Publish: true, PublishData: true, Subscribe: true},
		accesstoken.RoleModerator:     {Publish: true, PublishData: true, Subscribe: true, Moderate: true},
		accesstoken.RoleSubscriber:    {Subscribe: true},
		accesstoken.RolePublisherOnly: {Publish: true},
	} {
		t.Run(string(role), func(t *testing.T) {
			inLab(t, 1, func(l *lab) {
				alice := l.join("alice", tone(l.t))
				l.withRole(role)
				bob := l.join("bob")
				require.Equal(l.t, may, bob.room.Capabilities())

				published := 0
				publish := func(track parley.LocalTrack, allowed bool) {
					_, err := bob.room.LocalParticipant().PublishTrack(l.t.Context(), track, nil)
					if !allowed {
						require.ErrorIs(l.t, err, parley.ErrTokenGrants)
						return
					}
					require.NoError(l.t, err)
					published++
				}
				publish(tone(l.t), may.Publish)
				publish(dataTrack(l.t, "chat"), may.PublishData)
				time.Sleep(time.Minute)

				require.Len(l.t, alice.room.Participant("bob").Tracks(), published, "nobody hears of the rest")
				pub := bob.room.Participant("alice").Tracks()[0]
				require.Equal(l.t, may.Subscribe, pub.IsSubscribed())
			})
		})
	}
}

// A room that is joined anew is joined with another token.
func TestCapabilitiesFollowTheToken(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		l.withRole(accesstoken.RoleModerator)
		bob := l.joinWith("bob", func(o *parley.ConnectOptions) {
			o.RefreshToken = func(context.Context) (string, error) { return l.mint("bob"), nil }
		})
		l.withRole(accesstoken.RoleSubscriber)
		mark := bob.log.mark()
		bob.lines.reset()
		await[parley.Reconnected](bob, mark)
		require.True(l.t, bob.room.Capabilities().Moderate, "it is the same session")

		time.Sleep(2 * time.Minute) // the first token expires
		mark = bob.log.mark()
		l.kill()
		l.start()
		await[parley.Reconnected](bob, mark)
		require.Equal(l.t, parley.Capabilities{Subscribe: true}, bob.room.Capabilities())
	})
}

func TestAServerThatSaysNothingAllowsAllButModerating(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{})
		require.Equal(t, parley.Capabilities{Publish: true, PublishData: true, Subscribe: true}, room.Capabilities())
	})
}
