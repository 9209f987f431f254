// Package rest is the HTTP API by which programs run the rooms of a server:
// calls, parameters, answers and error codes are those of the hosted service's
// Rooms API, as far as they go.
//
//	POST /v1/Rooms                   make a room
//	GET  /v1/Rooms                   list: Status (in-progress, completed), UniqueName,
//	                                 DateCreatedAfter, DateCreatedBefore
//	GET  /v1/Rooms/{NameOrSid}       read one; a name while it is in progress
//	POST /v1/Rooms/{NameOrSid}       Status=completed: end it
//
// A room that is made with StatusCallback, and StatusCallbackMethod (POST or
// GET), tells its application what happens: see package callback.
//
// Below a room:
//
//	GET  RecordingRules              read what is to be recorded
//	POST RecordingRules              Rules: say what is to be recorded
//	POST Signals                     Type, Data, To: send a signal, to all or one
//	POST Mute                        Active=true or false, Except: mute all audio tracks and those
//	                                 that come later, or no longer these
//	GET  Participants                list: Status (connected, reconnecting, disconnected), Identity,
//	                                 DateCreatedAfter, DateCreatedBefore
//	GET  Participants/{IdOrSid}      read one; the last 200 that have left are known
//	POST Participants/{IdOrSid}      Status=disconnected: remove it
//
// Below a participant:
//
//	GET  PublishedTracks             list
//	GET  PublishedTracks/{NameOrSid} read one
//	POST PublishedTracks/{NameOrSid} Status=muted or unpublished
//	GET  SubscribedTracks            list
//	GET  SubscribedTracks/{Sid}      read one
//	POST SubscribedTracks            Track, Status=subscribe or unsubscribe
//	GET  SubscribeRules              read the rules that choose what it receives
//	POST SubscribeRules              Rules: replace them
//
// Lists are told newest first, tracks oldest first, in pages: PageSize (1 to
// 1000, 50), and Page and PageToken as the URLs in meta have them.
//
// Requests carry an API key and its secret as HTTP Basic credentials, and form
// bodies. Answers are JSON; an error is {code, message, more_info, status}. A
// parameter that is not known is ignored; one that is given twice, is too long
// or has a wrong value and no code of its own gets 20001, and nothing happens.
package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

// What a client can cost.
const (
	bodyBytes    = 64 << 10
	addressBytes = 8 << 10
	bodyTime     = 5 * time.Second
	readRate     = 80 // calls a second of one network
	writeRate    = 20
	wrongKeys    = 10 // a minute of one network; then no key of it is looked at
)

// Config says whose rooms are served. AccountSID and Keys are required.
type Config struct {
	AccountSID string
	// Keys are the secrets of the account's API keys, by key SID.
	Keys map[string]accesstoken.Secret
	// Region is the server's place, the only one that rooms can be in.
	Region string
	// MaxParticipants is the most that a room may have, 50.
	MaxParticipants int
	// Recorded allows recording rules. The server records nothing itself: the
	// rules make it tell participants that they are recorded, by something else.
	Recorded bool
	// CheckCallback decides about the address of a status callback; nil: there
	// are none.
	CheckCallback func(url string) error
	// CheckOrigin decides about browsers on foreign pages; nil: none.
	CheckOrigin func(*http.Request) bool
}

// Handler serves the API. It is safe for concurrent use.
type Handler struct {
	cfg    Config
	rooms  *sfu.Server
	mux    *http.ServeMux
	reads  admission.Rate
	writes admission.Rate
	wrong  admission.Rate
}

// New returns the API of the server's rooms, to be mounted at /v1/.
func New(rooms *sfu.Server, cfg Config) *Handler {
	if cfg.MaxParticipants == 0 {
		cfg.MaxParticipants = 50
	}
	h := &Handler{
		cfg: cfg, rooms: rooms, mux: http.NewServeMux(),
		reads:  admission.Rate{PerSecond: readRate, Burst: 2 * readRate},
		writes: admission.Rate{PerSecond: writeRate, Burst: 5 * writeRate},
		wrong:  admission.Rate{PerSecond: wrongKeys / 60., Burst: wrongKeys},
	}
	h.handle("/v1/Rooms", calls{http.MethodGet: h.listRooms, http.MethodPost: h.createRoom})
	h.handle("/v1/Rooms/{room}", calls{http.MethodGet: h.readRoom, http.MethodPost: h.updateRoom})
	h.handle("/v1/Rooms/{room}/RecordingRules", calls{
		http.MethodGet: h.readRecordingRules, http.MethodPost: h.updateRecordingRules,
	})
	h.handle("/v1/Rooms/{room}/Signals", calls{http.MethodPost: h.signal})
	h.handle("/v1/Rooms/{room}/Mute", calls{http.MethodPost: h.mute})
	h.handle("/v1/Rooms/{room}/Participants", calls{http.MethodGet: h.listParticipants})
	const one = "/v1/Rooms/{room}/Participants/{participant}"
	h.handle(one, calls{http.MethodGet: h.readParticipant, http.MethodPost: h.updateParticipant})
	h.handle(one+"/PublishedTracks", calls{http.MethodGet: h.listPublished})
	h.handle(one+"/PublishedTracks/{track}", calls{http.MethodGet: h.readPublished, http.MethodPost: h.updatePublished})
	h.handle(one+"/SubscribedTracks", calls{http.MethodGet: h.listSubscribed, http.MethodPost: h.subscribe})
	h.handle(one+"/SubscribedTracks/{track}", calls{http.MethodGet: h.readSubscribed})
	h.handle(one+"/SubscribeRules", calls{http.MethodGet: h.readSubscribeRules, http.MethodPost: h.updateSubscribeRules})
	h.handle("/", nil)
	return h
}

// call answers a request with a status and what becomes its JSON.
type call func(r *http.Request) (status int, answer any, err error)

type calls map[string]call // by method

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// handle serves the calls of one path.
func (h *Handler) handle(path string, c calls) {
	h.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if !h.admitOrigin(w, r) {
			return
		}
		if err := h.admit(r); err != nil {
			fail(w, err)
			return
		}
		do, ok := c[r.Method]
		switch {
		case c == nil:
			fail(w, notFound(r.URL.Path))
			return
		case !ok:
			fail(w, &apiError{http.StatusMethodNotAllowed, codeMethod, "method not allowed", 0})
			return
		}
		if err := readForm(w, r); err != nil {
			fail(w, err)
			return
		}
		status, body, err := do(r)
		if err != nil {
			fail(w, err)
			return
		}
		answer(w, status, body)
	})
}

// admitOrigin answers the questions that browsers ask before they let a page
// call us, and refuses the calls of pages that may not.
func (h *Handler) admitOrigin(w http.ResponseWriter, r *http.Request) (ok bool) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	w.Header().Add("Vary", "Origin")
	if !h.allowed(r, origin) {
		fail(w, &apiError{http.StatusForbidden, codeForbidden, "this web origin may not use the API", 0})
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return true
	}
	head := w.Header()
	head.Set("Access-Control-Allow-Methods", "GET, POST")
	head.Set("Access-Control-Allow-Headers", "authorization, content-type")
	head.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return false
}

func (h *Handler) allowed(r *http.Request, origin string) bool {
	if h.cfg.CheckOrigin != nil {
		return h.cfg.CheckOrigin(r)
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// admit lets a request with a known key through, at a bounded rate. Who tries
// one key after the other is not told any more when it has found one.
func (h *Handler) admit(r *http.Request) error {
	rate := &h.reads
	if r.Method != http.MethodGet {
		rate = &h.writes
	}
	remote, _ := netip.ParseAddrPort(r.RemoteAddr) // the invalid address is one of its own
	if ok, after := rate.Allow(remote.Addr(), time.Now()); !ok {
		return &apiError{http.StatusTooManyRequests, codeTooMany, "too many requests", after}
	}
	if spent, after := h.wrong.Spent(remote.Addr(), time.Now()); spent {
		return &apiError{http.StatusTooManyRequests, codeTooMany, "too many requests with a wrong key", after}
	}
	key, secret, given := r.BasicAuth()
	known := h.cfg.Keys[key] // of an unknown key, the empty secret
	want, got := sha256.Sum256([]byte(known)), sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 || !given || known == "" {
		if given { // who gives none does not guess
			h.wrong.Allow(remote.Addr(), time.Now()) // counts it
		}
		return &apiError{http.StatusUnauthorized, codeUnauthorized, "the API key or its secret is wrong", 0}
	}
	return nil
}

// readForm reads the parameters: of a POST the bounded body, otherwise the
// query.
func readForm(w http.ResponseWriter, r *http.Request) error {
	if len(r.URL.Path)+len(r.URL.RawQuery) > addressBytes {
		return &apiError{http.StatusRequestURITooLong, codeParameter, "the address is too long", 0}
	}
	if r.Method != http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return invalidf("the query is not a form")
		}
		return onceEach(r.Form)
	}
	// Without deadlines, as in some tests, the size alone is bounded.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	r.Body = http.MaxBytesReader(w, r.Body, bodyBytes)
	var tooBig *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &tooBig):
		return &apiError{http.StatusRequestEntityTooLarge, codeParameter, "the body is too big", 0}
	case err != nil:
		return invalidf("the body is not a form")
	}
	return onceEach(r.PostForm)
}

// onceEach refuses parameters that are given twice.
func onceEach(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 && name != "VideoCodecs" { // a list
			return invalidf("%.40s is given twice", name)
		}
	}
	return nil
}

func answer(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // the client has gone otherwise
}

// The codes of what is no matter of rooms.
const (
	codeParameter    = 20001
	codeUnauthorized = 20003
	codeMethod       = 20004
	codeForbidden    = 20403
	codeTooMany      = 20429
	codeInternal     = 20500
)

// apiError is an answer that is not the wanted one.
type apiError struct {
	status  int
	code    int
	message string
	retry   time.Duration
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.message, e.code) }

func invalidf(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, codeParameter, fmt.Sprintf(format, args...), 0}
}

func notFound(path string) error {
	return &apiError{http.StatusNotFound, int(signaling.CodeNotFound), fmt.Sprintf("there is nothing at %.200s", path), 0}
}

// absent makes of an error about what is named in the path that there is
// nothing.
func absent(r *http.Request, err error) error {
	if errors.Is(err, signaling.NewError(signaling.CodeRoomNotFound)) || errors.Is(err, signaling.NewError(signaling.CodeParticipantNotFound)) {
		return notFound(r.URL.Path)
	}
	return err
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	var refusal *signaling.Error
	var e *apiError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &refusal):
		e = &apiError{http.StatusBadRequest, int(refusal.Code), refusal.Message, 0}
		if refusal.Code == signaling.CodeNotFound {
			e.status = http.StatusNotFound
		}
	default:
		e = &apiError{http.StatusInternalServerError, codeInternal, "internal error", 0}
	}
	if e.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.retry.Seconds()))))
	}
	answer(w, e.status, map[string]any{
		"code": e.code, "message": e.message, "status": e.status,
		"more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", e.code),
	})
}
