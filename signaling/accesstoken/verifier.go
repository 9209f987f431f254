package accesstoken

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
)

// DefaultLeeway is how far the clocks of issuer and server may be apart.
const DefaultLeeway = time.Minute

// VerifierOptions are the settings of a [Verifier].
type VerifierOptions struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Leeway is how far the issuer's clock may be off, both ways; zero:
	// [DefaultLeeway], negative: none.
	Leeway time.Duration
}

// Verifier judges the tokens of one account. It may be used by many goroutines.
type Verifier struct {
	account string
	secrets map[string][]byte // by key SID
	dummy   []byte            // signs for unknown keys, so that they take as long
	now     func() time.Time
	leeway  time.Duration
	parser  *jwt.Parser
}

// NewVerifier returns a verifier that accepts tokens of the account signed with
// one of the keys, given by their SIDs. The map is copied; opts may be nil.
func NewVerifier(accountSID string, keys map[string]Secret, opts *VerifierOptions) (*Verifier, error) {
	if !sid.Valid(accountSID, sid.Account) {
		return nil, errors.New("accesstoken: the account SID is not AC and 32 hex digits")
	}
	if len(keys) == 0 {
		return nil, errors.New("accesstoken: a verifier needs at least one key")
	}
	if opts == nil {
		opts = &VerifierOptions{}
	}
	v := &Verifier{
		account: accountSID,
		secrets: make(map[string][]byte, len(keys)),
		dummy:   make([]byte, 32),
		now:     opts.Now,
		leeway:  opts.Leeway,
		parser:  jwt.NewParser(jwt.WithJSONNumber(), jwt.WithStrictDecoding()),
	}
	for key, secret := range keys {
		if !sid.Valid(key, sid.Key) {
			return nil, fmt.Errorf("accesstoken: the key SID %q is not SK and 32 hex digits", key)
		}
		if secret == "" {
			return nil, fmt.Errorf("accesstoken: the key %s has no secret", key)
		}
		v.secrets[key] = []byte(secret)
	}
	rand.Read(v.dummy) // never fails
	if v.now == nil {
		v.now = time.Now
	}
	switch {
	case v.leeway == 0:
		v.leeway = DefaultLeeway
	case v.leeway < 0:
		v.leeway = 0
	}
	return v, nil
}

// Verify returns what the token grants. Its errors are [*signaling.Error] with,
// in the order in which they are found,
//
//	20101  not a JSON Web Token
//	20102  header other than HS256 and this content type
//	20103  unknown key, or another account
//	20107  wrong signature
//	20104  expired, no expiry, or a lifetime beyond [MaxTTL]
//	20105  not valid yet
//	20106  no identity or no video grant, or one in no form to understand
//	5320x  an identity that nobody may have
func (v *Verifier) Verify(token string) (Grants, error) {
	return v.verify(token, func(g *Grants) error { return g.checkTimes(v.now(), v.leeway) })
}

// VerifyResume is Verify without a look at the clock: it is for a client that
// takes up a session it holds already, whose token may have expired meanwhile.
// The caller bounds how long ago the session was lost.
func (v *Verifier) VerifyResume(token string) (Grants, error) {
	return v.verify(token, func(*Grants) error { return nil })
}

func (v *Verifier) verify(token string, clock func(*Grants) error) (Grants, error) {
	claims, err := v.authenticate(token)
	if err != nil {
		return Grants{}, err
	}
	g := Grants{AccountSID: v.account}
	g.KeySID, _ = claims["iss"].(string)
	g.ID, _ = claims["jti"].(string)
	for _, step := range []func() error{
		func() error { return g.readTimes(claims) },
		func() error { return clock(&g) },
		func() error { return g.readGrants(claims) },
	} {
		if err := step(); err != nil {
			return Grants{}, err // nothing is granted by halves
		}
	}
	return g, nil
}

// authenticate does everything up to the signature, which it computes once for
// every token that could be parsed, whatever else is wrong with it.
func (v *Verifier) authenticate(token string) (jwt.MapClaims, error) {
	if len(token) > MaxLen {
		return nil, signaling.Errorf(signaling.CodeTokenInvalid, "the token has %d bytes, at most %d are allowed", len(token), MaxLen)
	}
	claims := jwt.MapClaims{}
	parsed, parts, err := v.parser.ParseUnverified(token, claims)
	if errors.Is(err, jwt.ErrTokenMalformed) {
		return nil, signaling.NewError(signaling.CodeTokenInvalid) // the cause could quote the token
	}
	iss, _ := claims["iss"].(string)
	secret, known := v.secrets[iss]
	if !known {
		secret = v.dummy
	}
	signature := jwt.SigningMethodHS256.Verify(parts[0]+"."+parts[1], parsed.Signature, secret)

	if err != nil || !headerOK(parsed.Header) {
		return nil, signaling.NewError(signaling.CodeTokenHeaderInvalid)
	}
	if sub, _ := claims["sub"].(string); !known || sub != v.account {
		return nil, signaling.NewError(signaling.CodeTokenIssuerInvalid)
	}
	if signature != nil {
		return nil, signaling.NewError(signaling.CodeTokenSignatureInvalid)
	}
	return claims, nil
}

// headerOK allows exactly one algorithm, whatever the key could be used for.
// Other fields (twr, kid) are ignored, but critical extensions that we do not
// understand must be refused (RFC 7515, 4.1.11).
func headerOK(header map[string]any) bool {
	_, critical := header["crit"]
	return header["typ"] == "JWT" && header["alg"] == "HS256" && header["cty"] == contentType && !critical
}
