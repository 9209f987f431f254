package accesstoken

import (
	"encoding/json"
	"maps"
	"math"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-rtc/parley/internal/names"
	"github.com/parley-rtc/parley/signaling"
)

// Grants is what a verified token says.
type Grants struct {
	ID         string // of the token, unique among those of a careful issuer
	AccountSID string
	KeySID     string
	Identity   string
	// Room is the name or SID of the only room that may be entered; empty:
	// any room. Ask [Grants.AllowsRoom].
	Room     string
	Role     Role // never unknown; empty: RolePublisher
	Metadata string
	// Other holds the grants for other products as they were decoded, with
	// numbers as json.Number.
	Other map[string]any

	Expires   time.Time
	IssuedAt  time.Time // zero: not told
	NotBefore time.Time // zero: at once
}

// AllowsRoom reports whether the token lets its holder into the room with the
// name and the SID. Either may be empty when it is not known (yet); they are
// compared exactly. Ask again when a name has been resolved to a room.
func (g Grants) AllowsRoom(name, roomSID string) bool {
	return g.Room == "" || g.Room == name || g.Room == roomSID
}

// readTimes reads the three dates; their forms are judged whatever the clock
// says.
func (g *Grants) readTimes(claims jwt.MapClaims) error {
	var ok bool
	if g.Expires, ok = seconds(claims["exp"]); !ok {
		return signaling.Errorf(signaling.CodeTokenExpired, "the token has no expiry, or one that is not a number of seconds")
	}
	if raw, present := claims["iat"]; present {
		if g.IssuedAt, ok = seconds(raw); !ok {
			return signaling.Errorf(signaling.CodeTokenExpired, "the time of issue is not a number of seconds")
		}
		if g.Expires.Sub(g.IssuedAt) > MaxTTL {
			return signaling.Errorf(signaling.CodeTokenExpired, "the token's lifetime is longer than %s", MaxTTL)
		}
	}
	if raw, present := claims["nbf"]; present {
		if g.NotBefore, ok = seconds(raw); !ok {
			return signaling.Errorf(signaling.CodeTokenNotYetValid, "the time of beginning is not a number of seconds")
		}
	}
	return nil
}

// seconds reads a numeric date. Fractions are allowed and cut.
func seconds(raw any) (time.Time, bool) {
	number, ok := raw.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := number.Float64()
	// Beyond the year 9999 as milliseconds, no mistake explains the number.
	if err != nil || math.IsNaN(f) || math.Abs(f) > 253402300799_000 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

func (g *Grants) checkTimes(now time.Time, leeway time.Duration) error {
	if !now.Before(g.Expires.Add(leeway)) {
		return signaling.NewError(signaling.CodeTokenExpired)
	}
	for _, t := range []time.Time{g.NotBefore, g.IssuedAt} {
		if t.IsZero() || !t.After(now.Add(leeway)) {
			continue
		}
		if t.Year() > 9999 {
			return signaling.Errorf(signaling.CodeTokenNotYetValid, "the token begins in the year %d: milliseconds where seconds belong?", t.Year())
		}
		return signaling.NewError(signaling.CodeTokenNotYetValid)
	}
	if g.Expires.Sub(now) > MaxTTL+leeway {
		return signaling.Errorf(signaling.CodeTokenExpired, "the token's lifetime is longer than %s", MaxTTL)
	}
	return nil
}

// readGrants takes the grants apart.
func (g *Grants) readGrants(claims jwt.MapClaims) error {
	refuse := func(what string) error {
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "%s", what)
	}
	grants, ok := claims["grants"].(map[string]any)
	if !ok {
		return refuse("the token has no grants")
	}
	if g.Identity, ok = grants[grantIdentity].(string); !ok {
		return refuse("the token grants no identity")
	}
	video, ok := grants[grantVideo].(map[string]any)
	if !ok {
		return refuse("the token grants no video")
	}
	if room, present := video["room"]; present && room != nil {
		// An empty room is more likely a mistake than a wish for all rooms.
		if g.Room, ok = room.(string); !ok || g.Room == "" {
			return refuse("the granted room is not a name")
		}
	}
	if own, present := grants[grantParley]; present {
		if err := g.readOwn(own); err != nil {
			return err
		}
	}
	if err := names.Identity(g.Identity); err != nil {
		return err
	}
	g.Other = maps.Clone(grants)
	for _, name := range []string{grantIdentity, grantVideo, grantParley} {
		delete(g.Other, name)
	}
	return nil
}

func (g *Grants) readOwn(raw any) error {
	own, ok := raw.(map[string]any)
	if !ok {
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the %s grant is not an object", grantParley)
	}
	role, isText := own["role"].(string)
	if _, present := own["role"]; present && !isText || !Role(role).valid() {
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the token grants an unknown role")
	}
	g.Role = Role(role)
	if g.Metadata, isText = own["metadata"].(string); !isText && own["metadata"] != nil || len(g.Metadata) > MaxMetadata {
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the metadata is not a text of at most %d bytes", MaxMetadata)
	}
	return nil
}
