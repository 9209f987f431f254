// Package accesstoken mints and verifies the tokens with which participants
// enter rooms: JSON Web Tokens in the hosted service's form, signed with HS256
// and the secret of an API key. Tokens of the service's own helper libraries
// verify here unchanged, and the other way around.
//
// An application's server mints a token for a participant it knows:
//
//	token, err := accesstoken.Token{Identity: "alice", Room: "daily"}.Sign(key)
//
// The media server verifies it and asks what it grants:
//
//	grants, err := verifier.Verify(token)
//	if err == nil && grants.AllowsRoom(name, roomSID) { … }
package accesstoken

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-rtc/parley/internal/names"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
)

const (
	// DefaultTTL is how long a token is good for when its TTL is zero.
	DefaultTTL = time.Hour
	// MaxTTL is the longest lifetime a token may have.
	MaxTTL = 24 * time.Hour
	// MaxMetadata is the most bytes of metadata a token may carry.
	MaxMetadata = 1024
	// MaxLen is the longest token there is, in bytes.
	MaxLen = 8 << 10
)

// contentType tells these tokens from other JSON Web Tokens.
const contentType = "twilio-fpa;v=1"

// The names of the grants this package reads and writes.
const (
	grantIdentity = "identity"
	grantVideo    = "video"
	grantParley   = "parley" // role and metadata; ignored by the hosted service
)

// Key is an API key of an account. [NewKey] makes one for a new server.
type Key struct {
	AccountSID string // "AC" and 32 hex digits
	SID        string // "SK" and 32 hex digits
	Secret     Secret
}

// NewKey returns a random key of a random account.
func NewKey() Key {
	var b [24]byte
	rand.Read(b[:]) // never fails: the program is ended instead
	return Key{
		AccountSID: sid.New(sid.Account),
		SID:        sid.New(sid.Key),
		Secret:     Secret(hex.EncodeToString(b[:])),
	}
}

// Token says what a token shall grant. Only Identity is required.
type Token struct {
	// Identity is who the participant is: 1 to 128 characters.
	Identity string
	// Room is the name or SID of the only room that may be entered.
	// Empty: any room.
	Room string
	// TTL is the lifetime; zero: [DefaultTTL], at most [MaxTTL].
	TTL time.Duration
	// NotBefore is when the token begins to be good; zero: at once. The
	// lifetime counts from the signing and not from here.
	NotBefore time.Time
	// Role is what the participant may do; empty: [RolePublisher].
	Role Role
	// Metadata is text for the other participants, at most [MaxMetadata]
	// bytes.
	Metadata string
	// Other holds grants for other products, by name, as they are to stand
	// in the token. It may not replace the grants above.
	Other map[string]any
	// IssuedAt is the time of signing; zero: now.
	IssuedAt time.Time
}

// Sign returns the token signed with the key. Its errors are
// [*signaling.Error] with the code that a server would refuse the token with.
func (t Token) Sign(key Key) (string, error) {
	if err := t.check(key); err != nil {
		return "", fmt.Errorf("accesstoken: %w", err)
	}
	issued := t.IssuedAt
	if issued.IsZero() {
		issued = time.Now()
	}
	ttl := t.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	claims := jwt.MapClaims{
		"jti":    tokenID(key.SID, issued),
		"iss":    key.SID,
		"sub":    key.AccountSID,
		"iat":    issued.Unix(),
		"exp":    issued.Unix() + int64(ttl/time.Second),
		"grants": t.grants(),
	}
	if !t.NotBefore.IsZero() {
		nbf := t.NotBefore.Unix()
		if exp := claims["exp"].(int64); nbf >= exp {
			return "", fmt.Errorf("accesstoken: %w", signaling.Errorf(signaling.CodeTokenNotYetValid,
				"the token would begin at %s and end at %s", t.NotBefore.UTC().Format(time.RFC3339), time.Unix(exp, 0).UTC().Format(time.RFC3339)))
		}
		claims["nbf"] = nbf
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	unsigned.Header["cty"] = contentType
	signed, err := unsigned.SignedString([]byte(key.Secret))
	if err != nil {
		return "", fmt.Errorf("accesstoken: %w", signaling.Errorf(signaling.CodeTokenInvalid, "encode the grants: %w", err))
	}
	if len(signed) > MaxLen {
		return "", fmt.Errorf("accesstoken: %w", signaling.Errorf(signaling.CodeTokenInvalid, "the token has %d bytes, at most %d are allowed", len(signed), MaxLen))
	}
	return signed, nil
}

func (t Token) check(key Key) error {
	switch {
	case !sid.Valid(key.SID, sid.Key):
		return signaling.Errorf(signaling.CodeTokenIssuerInvalid, "the key SID is not SK and 32 hex digits")
	case !sid.Valid(key.AccountSID, sid.Account):
		return signaling.Errorf(signaling.CodeTokenIssuerInvalid, "the account SID is not AC and 32 hex digits")
	case key.Secret == "":
		return signaling.Errorf(signaling.CodeTokenSignatureInvalid, "the key has no secret")
	case t.TTL != 0 && t.TTL < time.Second, t.TTL > MaxTTL:
		return signaling.Errorf(signaling.CodeTokenExpired, "a lifetime of %s is not within 1s and %s", t.TTL, MaxTTL)
	case !t.Role.valid():
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "no role is called %q", t.Role)
	case len(t.Metadata) > MaxMetadata:
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the metadata has %d bytes, at most %d are allowed", len(t.Metadata), MaxMetadata)
	case !utf8.ValidString(t.Metadata):
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the metadata is not valid UTF-8")
	}
	for name := range t.Other {
		if name == grantIdentity || name == grantVideo || name == grantParley {
			return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the grant %q has a field of its own", name)
		}
	}
	if err := names.Identity(t.Identity); err != nil {
		return err
	}
	if t.Room != "" {
		return names.Room(t.Room)
	}
	return nil
}

func (t Token) grants() map[string]any {
	video := map[string]any{}
	if t.Room != "" {
		video["room"] = t.Room
	}
	grants := make(map[string]any, len(t.Other)+3)
	maps.Copy(grants, t.Other)
	grants[grantIdentity] = t.Identity
	grants[grantVideo] = video
	if t.Role != "" || t.Metadata != "" {
		own := map[string]any{}
		if t.Role != "" {
			own["role"] = t.Role
		}
		if t.Metadata != "" {
			own["metadata"] = t.Metadata
		}
		grants[grantParley] = own
	}
	return grants
}

// tokenID begins as the customary "<key>-<time>" and goes on so that two tokens
// of the same second differ.
func tokenID(keySID string, issued time.Time) string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return keySID + "-" + strconv.FormatInt(issued.Unix(), 10) + "-" + hex.EncodeToString(b[:])
}
