package accesstoken_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

func key() accesstoken.Key {
	return accesstoken.Key{AccountSID: accountSID, SID: keySID, Secret: secret}
}

func decode(t *testing.T, part string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(b, &m))
	return m
}

func TestSignWritesTheServicesForm(t *testing.T) {
	tok, err := accesstoken.Token{
		Identity: "alice", Room: "daily", TTL: 10 * time.Minute, NotBefore: now, IssuedAt: now,
		Other: map[string]any{"chat": map[string]any{"service_sid": "IS1"}},
	}.Sign(key())
	require.NoError(t, err)
	parts := strings.Split(tok, ".")
	require.Len(t, parts, 3)
	require.Equal(t, map[string]any{"typ": "JWT", "alg": "HS256", "cty": "twilio-fpa;v=1"}, decode(t, parts[0]))

	claims := decode(t, parts[1])
	require.Regexp(t, "^"+keySID+"-1800000000-[0-9a-f]{16}$", claims["jti"])
	delete(claims, "jti")
	require.Equal(t, map[string]any{
		"iss": keySID, "sub": accountSID, "iat": 1.8e9, "nbf": 1.8e9, "exp": 1.8e9 + 600,
		"grants": map[string]any{"identity": "alice", "video": map[string]any{"room": "daily"}, "chat": map[string]any{"service_sid": "IS1"}},
	}, claims, "nothing else, and no grant of our own when it is not used")

	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	require.Equal(t, handmade(sha256.New, secret, string(header), string(body)), tok, "signature")
}

func TestSignDefaults(t *testing.T) {
	tok, err := accesstoken.Token{Identity: "alice", IssuedAt: now}.Sign(key())
	require.NoError(t, err)
	claims := decode(t, strings.Split(tok, ".")[1])
	require.Equal(t, 1.8e9+3600, claims["exp"])
	require.NotContains(t, claims, "nbf")
	require.Equal(t, map[string]any{"identity": "alice", "video": map[string]any{}}, claims["grants"])

	again, err := accesstoken.Token{Identity: "alice", IssuedAt: now}.Sign(key())
	require.NoError(t, err)
	require.NotEqual(t, claims["jti"], decode(t, strings.Split(again, ".")[1])["jti"], "two tokens of one second differ")
}

func TestSignedTokensVerify(t *testing.T) {
	k := accesstoken.NewKey()
	v, err := accesstoken.NewVerifier(k.AccountSID, map[string]accesstoken.Secret{k.SID: k.Secret}, nil)
	require.NoError(t, err)
	tok, err := accesstoken.Token{
		Identity: "alice@example.com", Room: "My Cool Room", Role: accesstoken.RoleModerator,
		Metadata: `{"seat":4}`, TTL: accesstoken.MaxTTL, Other: map[string]any{"voice": true},
	}.Sign(k)
	require.NoError(t, err)
	g, err := v.Verify(tok)
	require.NoError(t, err)
	require.Equal(t, "alice@example.com", g.Identity)
	require.Equal(t, "My Cool Room", g.Room)
	require.Equal(t, accesstoken.RoleModerator, g.Role)
	require.Equal(t, `{"seat":4}`, g.Metadata)
	require.Equal(t, map[string]any{"voice": true}, g.Other)
	require.Equal(t, k.AccountSID, g.AccountSID)
	require.Equal(t, k.SID, g.KeySID)
	require.Equal(t, accesstoken.MaxTTL, g.Expires.Sub(g.IssuedAt))
	require.True(t, strings.HasPrefix(g.ID, k.SID+"-"))
}

func TestSignRefuses(t *testing.T) {
	alice := func(t accesstoken.Token) accesstoken.Token { t.Identity = "alice"; t.IssuedAt = now; return t }
	for _, c := range []struct {
		name  string
		token accesstoken.Token
		want  signaling.Code
	}{
		{"no identity", accesstoken.Token{}, 53200},
		{"identity too long", accesstoken.Token{Identity: strings.Repeat("a", 129)}, 53201},
		{"wide identity too long", accesstoken.Token{Identity: strings.Repeat("é", 65)}, 53201},
		{"identity with a bell", accesstoken.Token{Identity: "a\a"}, 53202},
		{"room with a line break", alice(accesstoken.Token{Room: "a\n"}), 53102},
		{"lifetime negative", alice(accesstoken.Token{TTL: -time.Hour}), 20104},
		{"lifetime below a second", alice(accesstoken.Token{TTL: 3600}), 20104}, // a bare number of seconds
		{"lifetime beyond a day", alice(accesstoken.Token{TTL: 24*time.Hour + 1}), 20104},
		{"begins at the end", alice(accesstoken.Token{NotBefore: now.Add(time.Hour)}), 20105},
		{"begins in milliseconds", alice(accesstoken.Token{NotBefore: time.Unix(now.UnixMilli(), 0)}), 20105},
		{"unknown role", alice(accesstoken.Token{Role: "king"}), 20106},
		{"metadata too long", alice(accesstoken.Token{Metadata: strings.Repeat("x", 1025)}), 20106},
		{"metadata not UTF-8", alice(accesstoken.Token{Metadata: "\xff"}), 20106},
		{"identity through the back door", alice(accesstoken.Token{Other: map[string]any{"identity": "bob"}}), 20106},
		{"room through the back door", alice(accesstoken.Token{Other: map[string]any{"video": map[string]any{}}}), 20106},
		{"grant no JSON can hold", alice(accesstoken.Token{Other: map[string]any{"x": make(chan int)}}), 20101},
		{"too long", alice(accesstoken.Token{Other: map[string]any{"x": strings.Repeat("x", accesstoken.MaxLen)}}), 20101},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := c.token.Sign(key())
			require.Equal(t, c.want, codeOf(err), "%v", err)
			require.Empty(t, tok)
		})
	}
	for want, k := range map[signaling.Code]accesstoken.Key{
		20103: {AccountSID: accountSID, SID: "SK1", Secret: secret},
		20107: {AccountSID: accountSID, SID: keySID},
	} {
		_, err := accesstoken.Token{Identity: "alice"}.Sign(k)
		require.Equal(t, want, codeOf(err), "%v", err)
	}
	_, err := accesstoken.Token{Identity: "alice"}.Sign(accesstoken.Key{SID: keySID, Secret: secret})
	require.Equal(t, signaling.Code(20103), codeOf(err), "%v", err)
}

func TestRoles(t *testing.T) {
	type may struct{ subscribe, publish, data, moderate bool }
	for role, want := range map[accesstoken.Role]may{
		"":                            {true, true, true, false},
		accesstoken.RoleSubscriber:    {subscribe: true},
		accesstoken.RolePublisher:     {true, true, true, false},
		accesstoken.RolePublisherOnly: {publish: true},
		accesstoken.RoleModerator:     {true, true, true, true},
		"king":                        {},
	} {
		require.Equal(t, want, may{role.CanSubscribe(), role.CanPublish(), role.CanSendData(), role.CanModerate()}, "%q", role)
	}
}

// T27: whatever is done to a secret on the way to a log, it stays one.
func TestT27SecretsAreRedacted(t *testing.T) {
	k := key()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%20s"} {
		for _, a := range []any{k, &k, k.Secret, map[string]accesstoken.Secret{keySID: k.Secret}, []any{k.Secret}} {
			fmt.Fprintf(&out, verb+"\n", a)
		}
	}
	fmt.Fprintln(&out, k, k.Secret)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("key", "key", k, "secret", k.Secret, "keys", map[string]accesstoken.Secret{"a": k.Secret})
	}
	require.NoError(t, json.NewEncoder(&out).Encode(k))
	text, err := k.Secret.MarshalText()
	require.NoError(t, err)
	out.Write(text)
	require.NotContains(t, out.String(), secret)
	require.NotContains(t, out.String(), fmt.Sprintf("%x", secret))
	require.Contains(t, out.String(), "[redacted]")
	require.Equal(t, secret, string(k.Secret))
}
