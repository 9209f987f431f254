package accesstoken_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

const (
	accountSID = "AC00112233445566778899aabbccddeeff"
	keySID     = "SKffeeddccbbaa99887766554433221100"
	otherKey   = "SK00000000000000000000000000000001"
	secret     = "an example of thirty-two letters"
)

var now = time.Unix(1_800_000_000, 0)

func newVerifier(t testing.TB, clock time.Time) *accesstoken.Verifier {
	t.Helper()
	v, err := accesstoken.NewVerifier(accountSID, map[string]accesstoken.Secret{keySID: secret, otherKey: "the secret of the other key"},
		&accesstoken.VerifierOptions{Now: func() time.Time { return clock }})
	require.NoError(t, err)
	return v
}

func codeOf(err error) signaling.Code {
	var e *signaling.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// The helpers below build tokens from nothing but the standard library, so that
// a mistake in the package cannot cancel itself out.

const goodHeader = `{"typ":"JWT","alg":"HS256","cty":"twilio-fpa;v=1"}`

func segment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func handmade(newHash func() hash.Hash, key, header, payload string) string {
	unsigned := segment(header) + "." + segment(payload)
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(unsigned))
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

type fields map[string]any

// payload is a good one with changes; a nil value removes the field.
func payload(changes fields) string {
	p := fields{
		"jti": keySID + "-1800000000", "iss": keySID, "sub": accountSID,
		"iat": now.Unix(), "exp": now.Unix() + 3600,
		"grants": fields{"identity": "alice", "video": fields{"room": "daily"}},
	}
	for k, v := range changes {
		if v == nil {
			delete(p, k)
		} else {
			p[k] = v
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func token(changes fields) string {
	return handmade(sha256.New, secret, goodHeader, payload(changes))
}

func withHeader(header string) string {
	return handmade(sha256.New, secret, header, payload(nil))
}

func grants(g fields) string { return token(fields{"grants": g}) }

// R26: every token is answered with the right code.
func TestR26TokenMatrix(t *testing.T) {
	good := token(nil)
	parts := strings.Split(good, ".")
	hour := func(h int64) int64 { return now.Unix() + h*3600 }
	video := fields{}
	for _, c := range []struct {
		name  string
		token string
		want  signaling.Code
	}{
		{"good", good, 0},
		{"region in the header", withHeader(`{"typ":"JWT","alg":"HS256","cty":"twilio-fpa;v=1","twr":"us1"}`), 0},
		{"kid is not looked at", withHeader(`{"typ":"JWT","alg":"HS256","cty":"twilio-fpa;v=1","kid":"../../../dev/null"}`), 0},
		{"any room", grants(fields{"identity": "alice", "video": video}), 0},
		{"null room", grants(fields{"identity": "alice", "video": fields{"room": nil}}), 0},
		{"more grants", grants(fields{"identity": "a", "video": video, "chat": fields{"service_sid": "IS1"}, "voice": true}), 0},
		{"lifetime of a day", token(fields{"exp": hour(24)}), 0},
		{"no time of issue", token(fields{"iat": nil}), 0},
		{"no id", token(fields{"jti": nil}), 0},
		{"fractions of seconds", token(fields{"exp": float64(now.Unix()) + 0.5}), 0},
		{"not before now", token(fields{"nbf": now.Unix()}), 0},

		{"empty", "", 20101},
		{"not a token", "hello", 20101},
		{"two parts", parts[0] + "." + parts[1], 20101},
		{"four parts", good + ".x", 20101},
		{"header not base64", "!!." + parts[1] + "." + parts[2], 20101},
		{"header not JSON", handmade(sha256.New, secret, "JWT", payload(nil)), 20101},
		{"payload not JSON", handmade(sha256.New, secret, goodHeader, "x"), 20101},
		{"payload a list", handmade(sha256.New, secret, goodHeader, "[]"), 20101},
		{"signature not base64", parts[0] + "." + parts[1] + ".!", 20101},
		{"too long", token(fields{"pad": strings.Repeat("x", accesstoken.MaxLen)}), 20101},

		{"header empty", withHeader(`{}`), 20102},
		{"header null", withHeader(`null`), 20102},
		{"no content type", withHeader(`{"typ":"JWT","alg":"HS256"}`), 20102},
		{"other content type", withHeader(`{"typ":"JWT","alg":"HS256","cty":"twilio-fpa;v=2"}`), 20102},
		{"no type", withHeader(`{"alg":"HS256","cty":"twilio-fpa;v=1"}`), 20102},
		{"critical extension", withHeader(`{"typ":"JWT","alg":"HS256","cty":"twilio-fpa;v=1","crit":["exp"]}`), 20102},
		{"header before issuer", handmade(sha256.New, secret, `{"typ":"JWT","alg":"HS512","cty":"twilio-fpa;v=1"}`, payload(fields{"iss": "SK0"})), 20102},

		{"unknown key", token(fields{"iss": "SK00000000000000000000000000000099"}), 20103},
		{"no issuer", token(fields{"iss": nil}), 20103},
		{"issuer a number", token(fields{"iss": 7}), 20103},
		{"issuer a path", token(fields{"iss": "../../secret"}), 20103},
		{"other account", token(fields{"sub": "AC00000000000000000000000000000099"}), 20103},
		{"no account", token(fields{"sub": nil}), 20103},
		{"issuer before signature", handmade(sha256.New, "wrong", goodHeader, payload(fields{"iss": "SK00000000000000000000000000000099"})), 20103},

		{"wrong secret", handmade(sha256.New, "wrong", goodHeader, payload(nil)), 20107},
		{"secret of another key", handmade(sha256.New, "the secret of the other key", goodHeader, payload(nil)), 20107},
		{"no signature", parts[0] + "." + parts[1] + ".", 20107},
		{"payload exchanged", parts[0] + "." + segment(payload(fields{"exp": hour(2)})) + "." + parts[2], 20107},
		{"signature before times", handmade(sha256.New, "wrong", goodHeader, payload(fields{"exp": 1})), 20107},

		{"expired", token(fields{"iat": hour(-3), "exp": hour(-2)}), 20104},
		{"no expiry", token(fields{"exp": nil}), 20104},
		{"expiry a text", token(fields{"exp": "1900000000"}), 20104},
		{"expiry huge", token(fields{"exp": json.Number("1e300")}), 20104},
		{"lifetime beyond a day", token(fields{"exp": hour(24) + 1}), 20104},
		{"lifetime beyond a day, issue untold", token(fields{"iat": nil, "exp": hour(25)}), 20104},
		{"expiry in milliseconds", token(fields{"exp": hour(1) * 1000}), 20104},
		{"issue a text", token(fields{"iat": "now"}), 20104},
		{"times before grants", token(fields{"exp": 1, "iat": 0, "grants": fields{}}), 20104},

		{"begins later", token(fields{"nbf": now.Unix() + 600}), 20105},
		{"begins in milliseconds", token(fields{"nbf": now.UnixMilli()}), 20105},
		{"begin a text", token(fields{"nbf": "now"}), 20105},
		{"issued later", token(fields{"iat": now.Unix() + 600}), 20105},

		{"no grants", token(fields{"grants": nil}), 20106},
		{"grants a list", token(fields{"grants": []int{}}), 20106},
		{"no identity", grants(fields{"video": video}), 20106},
		{"identity a number", grants(fields{"identity": 7, "video": video}), 20106},
		{"no video", grants(fields{"identity": "alice"}), 20106},
		{"video null", grants(fields{"identity": "alice", "video": nil}), 20106},
		{"video true", grants(fields{"identity": "alice", "video": true}), 20106},
		{"room a number", grants(fields{"identity": "alice", "video": fields{"room": 7}}), 20106},
		{"room empty", grants(fields{"identity": "alice", "video": fields{"room": ""}}), 20106},
		{"unknown role", grants(fields{"identity": "a", "video": video, "parley": fields{"role": "king"}}), 20106},
		{"role a number", grants(fields{"identity": "a", "video": video, "parley": fields{"role": 1}}), 20106},
		{"own grant a text", grants(fields{"identity": "a", "video": video, "parley": "x"}), 20106},
		{"metadata too long", grants(fields{"identity": "a", "video": video, "parley": fields{"metadata": strings.Repeat("x", 1025)}}), 20106},

		{"identity empty", grants(fields{"identity": "", "video": video}), 53200},
		{"identity too long", grants(fields{"identity": strings.Repeat("a", 129), "video": video}), 53201},
		{"identity with a line break", grants(fields{"identity": "a\nb", "video": video}), 53202},
		{"identity not UTF-8", handmade(sha256.New, secret, goodHeader, strings.Replace(payload(nil), "alice", "ali\xffe", 1)), 53202},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := newVerifier(t, now).Verify(c.token)
			if c.want == 0 {
				require.NoError(t, err)
				require.NotEmpty(t, g.Identity)
				return
			}
			require.Equal(t, c.want, codeOf(err), "%v", err)
			require.Zero(t, g, "a refused token grants nothing")
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// T1: thirteen tokens that claim another algorithm. Each is also signed as the
// header says where that is possible with the shared secret.
func TestT01Algorithms(t *testing.T) {
	header := func(alg string) string {
		return fmt.Sprintf(`{"typ":"JWT","alg":%s,"cty":"twilio-fpa;v=1"}`, alg)
	}
	unsigned := func(alg string) string { return segment(header(alg)) + "." + segment(payload(nil)) + "." }
	for _, c := range []struct{ name, token string }{
		{"none", unsigned(`"none"`)},
		{"nOnE", unsigned(`"nOnE"`)},
		{"NONE", unsigned(`"NONE"`)},
		{"none, signed", handmade(sha256.New, secret, header(`"none"`), payload(nil))},
		{"empty", handmade(sha256.New, secret, header(`""`), payload(nil))},
		{"null", handmade(sha256.New, secret, header(`null`), payload(nil))},
		{"number", handmade(sha256.New, secret, header(`256`), payload(nil))},
		{"list", handmade(sha256.New, secret, header(`["HS256"]`), payload(nil))},
		{"hs256", handmade(sha256.New, secret, header(`"hs256"`), payload(nil))},
		{"HS512", handmade(sha512.New, secret, header(`"HS512"`), payload(nil))},
		{"HS384", handmade(sha512.New384, secret, header(`"HS384"`), payload(nil))},
		{"RS256 over the secret", handmade(sha256.New, secret, header(`"RS256"`), payload(nil))},
		{"ES256 over the secret", handmade(sha256.New, secret, header(`"ES256"`), payload(nil))},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newVerifier(t, now).Verify(c.token)
			require.Equal(t, signaling.Code(20102), codeOf(err), "%v", err)
		})
	}
}

// T2: a minute of difference between the clocks is forgiven, both ways.
func TestT02Leeway(t *testing.T) {
	tok := token(fields{"nbf": now.Unix(), "exp": now.Unix() + 3600})
	for _, c := range []struct {
		clock time.Duration
		want  signaling.Code
	}{
		{-61 * time.Second, 20105},
		{-59 * time.Second, 0},
		{0, 0},
		{time.Hour + 59*time.Second, 0},
		{time.Hour + 61*time.Second, 20104},
	} {
		_, err := newVerifier(t, now.Add(c.clock)).Verify(tok)
		require.Equal(t, c.want, codeOf(err), "%s: %v", c.clock, err)
	}

	strict, err := accesstoken.NewVerifier(accountSID, map[string]accesstoken.Secret{keySID: secret},
		&accesstoken.VerifierOptions{Now: func() time.Time { return now.Add(-time.Second) }, Leeway: -1})
	require.NoError(t, err)
	_, err = strict.Verify(tok)
	require.Equal(t, signaling.Code(20105), codeOf(err), "%v", err)
}

// E-1: dates in milliseconds are told apart from a clock that is off.
func TestE1Milliseconds(t *testing.T) {
	_, err := newVerifier(t, now).Verify(token(fields{"nbf": now.UnixMilli()}))
	require.ErrorContains(t, err, "milliseconds")
}

// T4: a token for one room opens no other.
func TestT04RoomGrant(t *testing.T) {
	const roomSID, otherSID = "RM00112233445566778899aabbccddeeff", "RM99112233445566778899aabbccddeeff"
	for _, c := range []struct {
		granted, name, sid string
		want               bool
	}{
		{"", "daily", roomSID, true},
		{"", "", "", true},
		{"daily", "daily", roomSID, true},
		{"daily", "daily", "", true},
		{"daily", "Daily", roomSID, false},
		{"daily", "daily ", roomSID, false},
		{"daily", "dail", roomSID, false},
		{"daily", "weekly", roomSID, false},
		{"daily", "", roomSID, false},
		{"daily", "", "", false},
		{roomSID, "daily", roomSID, true},
		{roomSID, "daily", otherSID, false},
		{roomSID, "daily", "", false},
		{roomSID, roomSID, "", true}, // asked for by its SID
	} {
		g := fields{"identity": "alice", "video": fields{"room": c.granted}}
		if c.granted == "" {
			g["video"] = fields{}
		}
		got, err := newVerifier(t, now).Verify(grants(g))
		require.NoError(t, err)
		require.Equal(t, c.want, got.AllowsRoom(c.name, c.sid), "%+v", c)
	}
}

// T6: taking up a session again works after the expiry, but never without the
// right signature, and joining anew does not.
func TestT06ResumeAfterExpiry(t *testing.T) {
	v := newVerifier(t, now.Add(5*time.Hour))
	tok := token(nil)
	_, err := v.Verify(tok)
	require.Equal(t, signaling.Code(20104), codeOf(err))
	g, err := v.VerifyResume(tok)
	require.NoError(t, err)
	require.Equal(t, "alice", g.Identity)
	require.Equal(t, keySID, g.KeySID)

	for want, tok := range map[signaling.Code]string{
		20107: handmade(sha256.New, "wrong", goodHeader, payload(nil)),
		20103: token(fields{"iss": nil}),
		20102: withHeader(`{"typ":"JWT","alg":"none","cty":"twilio-fpa;v=1"}`),
		20104: token(fields{"exp": nil}),
		20106: token(fields{"grants": nil}),
		53200: grants(fields{"identity": "", "video": fields{}}),
	} {
		g, err := v.VerifyResume(tok)
		require.Equal(t, want, codeOf(err), "%v", err)
		require.Zero(t, g)
	}
}

func TestOtherGrantsArePreserved(t *testing.T) {
	g, err := newVerifier(t, now).Verify(grants(fields{
		"identity": "alice", "video": fields{}, "chat": fields{"service_sid": "IS1"}, "data_sync": fields{"n": int64(12345678901234567)},
	}))
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"chat":      map[string]any{"service_sid": "IS1"},
		"data_sync": map[string]any{"n": json.Number("12345678901234567")},
	}, g.Other)
}

func TestNewVerifierRefuses(t *testing.T) {
	for name, keys := range map[string]map[string]accesstoken.Secret{
		"no keys": {}, "key SID": {"SK1": secret}, "path": {"SK../../../../../../../../../../../x": secret}, "no secret": {keySID: ""},
	} {
		_, err := accesstoken.NewVerifier(accountSID, keys, nil)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), secret)
	}
	_, err := accesstoken.NewVerifier("AC1", map[string]accesstoken.Secret{keySID: secret}, nil)
	require.ErrorContains(t, err, "account SID")
}

func FuzzVerify(f *testing.F) {
	f.Add(token(nil))
	f.Add(withHeader(`{"alg":"none","typ":"JWT","kid":"/etc/passwd"}`))
	f.Add("a.b.c")
	f.Add("..")
	f.Add(segment("null") + "." + segment("null") + ".")
	v := newVerifier(f, now)
	f.Fuzz(func(t *testing.T, tok string) {
		g, err := v.Verify(tok)
		if err == nil {
			require.Equal(t, "alice", g.Identity, "the secret is unknown to the fuzzer: %q", tok)
			return
		}
		require.NotZero(t, codeOf(err))
		require.Zero(t, g)

		// What comes behind the signature, with a right signature.
		g, err = v.Verify(handmade(sha256.New, secret, goodHeader, tok))
		if err != nil {
			require.NotZero(t, codeOf(err))
			require.Zero(t, g)
		}
	})
}
