package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
)

// joinTime bounds joining and publishing.
const joinTime = 15 * time.Second

// roomSettings are the flags of rooms that the environment can set too.
var roomSettings = append([]string{"url", "token"}, keySettings...)

// roomFlags say into which room a command goes, as whom, and for how long.
type roomFlags struct {
	url, token, identity, room string
	keys                       keyFlags
	duration                   time.Duration
	log                        logFlags

	role accesstoken.Role // of tokens that the command makes itself
	own  string           // who it is by default, with %s for the machine's name
}

func (r *roomFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.url, "url", "", "the signaling endpoint, as in ws://127.0.0.1:7880/signaling (or PARLEY_URL)")
	f.StringVar(&r.token, "token", "", "the access token (or PARLEY_TOKEN)")
	identity := "without a token: who to be, with a token made from the API key"
	if r.own != "" {
		identity += " (default " + fmt.Sprintf(r.own, "this machine's name") + ")"
	}
	f.StringVar(&r.identity, "identity", "", identity)
	f.StringVar(&r.room, "room", "", "the room (default the one that the token names)")
	f.DurationVar(&r.duration, "duration", 0, "how long to stay; 0: until the end")
	r.keys.register(cmd)
	r.log.register(cmd, "off")
}

// check refuses what no server could make good, and makes the token if there is
// none.
func (r *roomFlags) check() error {
	if r.url == "" {
		return usagef("no server: pass --url or set PARLEY_URL, as in ws://127.0.0.1:7880/signaling")
	}
	if u, err := url.Parse(r.url); err != nil || (u.Scheme != "ws" && u.Scheme != "wss") || u.Host == "" {
		return usagef("--url %q: it has to be like ws://127.0.0.1:7880/signaling, or wss:// behind TLS", r.url)
	}
	if r.duration < 0 {
		return usagef("--duration %v: it cannot be negative", r.duration)
	}
	if r.token != "" {
		if r.identity != "" {
			return usagef("--token and --identity exclude each other: the token says who it is for")
		}
		return nil
	}
	if r.identity == "" && r.own != "" && !r.keys.empty() {
		if host, err := os.Hostname(); err == nil {
			r.identity = fmt.Sprintf(r.own, host)
		}
	}
	if r.identity == "" {
		return usagef("no access token: pass --token or set PARLEY_TOKEN; 'parley token --identity NAME' prints one")
	}
	var err error
	r.token, err = r.mint()
	return err
}

func (r *roomFlags) mint() (string, error) {
	return mint(&r.keys, accesstoken.Token{Identity: r.identity, Room: r.room, Role: r.role, TTL: accesstoken.DefaultTTL})
}

// options are what all who join have in common. check comes first.
func (r *roomFlags) options(stderr io.Writer) (*parley.ConnectOptions, error) {
	logger, err := r.log.logger(stderr)
	if err != nil {
		return nil, err
	}
	opts := &parley.ConnectOptions{URL: r.url, Name: r.room, Logger: logger}
	if r.identity != "" {
		opts.RefreshToken = func(context.Context) (string, error) { return r.mint() }
	}
	return opts, nil
}

// connect joins the room.
func (r *roomFlags) connect(ctx context.Context, opts *parley.ConnectOptions) (*parley.Room, error) {
	joining, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	room, err := parley.ConnectContext(joining, r.token, opts)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, errors.New("interrupted while joining")
	case err != nil:
		return nil, mend(err, r.url)
	}
	return room, nil
}

// bound ends ctx when --duration is over.
func (r *roomFlags) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.duration == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, r.duration)
}

// mend adds to what a server or the way to it said what can be done about it.
func mend(err error, endpoint string) error {
	hint := ""
	switch {
	case errors.Is(err, parley.ErrTokenExpired):
		hint = "make a new token with 'parley token'"
	case errors.Is(err, parley.ErrTokenNotYetValid):
		hint = "compare this machine's clock with the server's"
	case errors.Is(err, parley.ErrTokenIssuer), errors.Is(err, parley.ErrTokenSignature):
		hint = "the token was made with another key than the server has; compare PARLEY_ACCOUNT_SID, PARLEY_API_KEY and PARLEY_API_SECRET"
	case errors.Is(err, parley.ErrTokenInvalid), errors.Is(err, parley.ErrTokenHeader):
		hint = "this is no access token; 'parley token --identity NAME' prints one"
	case errors.Is(err, parley.ErrTokenGrants):
		hint = "the token does not let into this room; make one with 'parley token --room ROOM'"
	case errors.Is(err, parley.ErrRoomNotFound):
		hint = "the server makes no rooms by itself; create the room first, or check --room"
	case errors.Is(err, parley.ErrDuplicateIdentity):
		hint = "somebody else joined with the same identity; use another one"
	case errors.Is(err, parley.ErrNoSupportedCodec):
		hint = "the server does not take this codec; publish another one"
	case errors.As(err, new(tls.RecordHeaderError)):
		hint = "the server speaks without TLS; use ws:// instead of wss://"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		hint = "this machine does not trust the server's certificate; SSL_CERT_FILE names another one to trust"
	case errors.Is(err, parley.ErrSignalingConnection), errors.Is(err, context.DeadlineExceeded):
		hint = "is the server running at " + endpoint + "? 'parley serve' starts one, with /signaling in its URL"
	}
	text := strings.TrimPrefix(oneLine(err), "parley: ")
	if hint != "" {
		text += "; " + hint
	}
	return &mended{text: text, err: err}
}

// mended is an error with a way out.
type mended struct {
	text string
	err  error
}

func (e *mended) Error() string { return e.text }
func (e *mended) Unwrap() error { return e.err }
