// Package webhook receives the status callbacks that a server sends about its
// rooms: who came and left, which tracks began and ended.
//
//	hooks := &webhook.Receiver{
//		AuthToken: token, URL: "https://app.example.com/rooms",
//		Handle: func(_ context.Context, e webhook.Event) error { return presence.Apply(e) },
//	}
//	http.Handle("/rooms", hooks)
//
// The callbacks of a room come in their order, one after the other. What is not
// answered with 2xx comes again, so that a handler may meet an event twice.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the hosted service's signatures are made with it
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
)

// SignatureHeader carries the signature of a callback.
const SignatureHeader = "X-Twilio-Signature"

// maxBody is how large a form may be.
const maxBody = 64 << 10

// Sign returns the signature of a request: of its address as the sender knows
// it, query and all, and of the names and values of the form in its body, nil
// for a GET.
func Sign(authToken, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(authToken))
	mac.Write([]byte(address)) // never fails
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			mac.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Verify reports whether the signature is that of the request, in a time that
// tells nothing about it.
func Verify(authToken, address string, form url.Values, signature string) bool {
	return hmac.Equal([]byte(Sign(authToken, address, form)), []byte(signature))
}

// Receiver is an http.Handler that takes status callbacks: it checks their
// signature, parses them and hands them on. It answers 204, and 500 if Handle
// fails, so that the sender repeats the callback. Forged requests get 403,
// malformed ones 400, forms of more than 64 KiB 413. It may be used by many
// requests at once; its fields must not change meanwhile.
type Receiver struct {
	// AuthToken is the secret that the callbacks are signed with. Required:
	// without it every request is refused.
	AuthToken string
	// URL is the address that the server was given as StatusCallback, without
	// its query. Behind a proxy it is not what the request says. Default: the
	// scheme, host and path of the request.
	URL string
	// Handle gets each event. It may be called by several goroutines at once,
	// for different rooms, and delays the next event of the same.
	Handle func(context.Context, Event) error
	// Logger gets what is refused. Default: none.
	Logger *slog.Logger
}

func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, err := rc.serve(w, r)
	if err != nil && rc.Logger != nil {
		rc.Logger.Warn("status callback", "status", status, "remote", r.RemoteAddr, "err", err)
	}
	if err != nil {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.WriteHeader(status)
}

var (
	errSignature = errors.New("the signature is wrong")
	errForm      = errors.New("no form")
	errMethod    = errors.New("neither POST nor GET")
)

func (rc *Receiver) serve(w http.ResponseWriter, r *http.Request) (status int, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return http.StatusBadRequest, err
	}
	form, signed := query, url.Values(nil)
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
			return http.StatusBadRequest, errForm
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return http.StatusRequestEntityTooLarge, err
		case err != nil:
			return http.StatusBadRequest, err
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return http.StatusBadRequest, err
		}
		signed = form
	default:
		w.Header().Set("Allow", "GET, POST")
		return http.StatusMethodNotAllowed, errMethod
	}
	if rc.AuthToken == "" || !Verify(rc.AuthToken, rc.address(r), signed, r.Header.Get(SignatureHeader)) {
		return http.StatusForbidden, errSignature
	}
	e, err := Parse(form)
	if err != nil {
		return http.StatusBadRequest, err
	}
	if rc.Handle != nil {
		if err := rc.Handle(r.Context(), e); err != nil {
			return http.StatusInternalServerError, err
		}
	}
	return http.StatusNoContent, nil
}

// address is what the sender signed.
func (rc *Receiver) address(r *http.Request) string {
	address := rc.URL
	if address == "" {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		address = scheme + "://" + r.Host + r.URL.EscapedPath()
	}
	if r.URL.RawQuery != "" {
		address += "?" + r.URL.RawQuery
	}
	return address
}
