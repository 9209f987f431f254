package signaling

import (
	"fmt"
	"strconv"
	"time"
)

// Error is a refusal or an ending with a numeric code. The codes are those of
// the hosted service whose protocol package rsp speaks, so that programs that
// switch on numbers keep working.
type Error struct {
	Code    Code
	Message string
	// RetryAfter is when the server wants to be asked again; negative:
	// never; zero: it did not say.
	RetryAfter time.Duration
	// Reason is set when the server ended the session and said why.
	Reason DisconnectReason
	// Cause is the local error behind it, or nil.
	Cause error
}

// NewError returns an error with the code and its standard text.
func NewError(code Code) *Error { return &Error{Code: code, Message: code.Text()} }

// Errorf returns an error with the code and a text of its own. A %w verb sets
// the cause.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	e := &Error{Code: code, Message: wrapped.Error()}
	if u, ok := wrapped.(interface{ Unwrap() error }); ok {
		e.Cause = u.Unwrap()
	}
	return e
}

func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = e.Code.Text()
	}
	if e.Code == 0 {
		return text
	}
	return text + " (" + strconv.Itoa(int(e.Code)) + ")"
}

func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code != 0 && t.Code == e.Code
}

// Temporary reports whether trying again later can succeed.
func (e *Error) Temporary() bool {
	if e.RetryAfter < 0 {
		return false
	}
	if e.RetryAfter > 0 {
		return true
	}
	switch e.Code {
	case CodeSignalingConnection, CodeSignalingDisconnected, CodeSignalingTimeout,
		CodeServerBusy, CodeMediaConnection, CodeRoomConnectFailed, CodeConfigurationFailed,
		CodeTURNFailed, CodeServerLocalDescription:
		return true
	}
	return false
}

// Code is a numeric error code.
type Code int

// The codes, by number. Text gives the standard wording of each.
const (
	CodeSignalTooLong     Code = 1413
	CodeSignalTypeInvalid Code = 1461

	CodeTokenInvalid          Code = 20101
	CodeTokenHeaderInvalid    Code = 20102
	CodeTokenIssuerInvalid    Code = 20103
	CodeTokenExpired          Code = 20104
	CodeTokenNotYetValid      Code = 20105
	CodeTokenGrantsInvalid    Code = 20106
	CodeTokenSignatureInvalid Code = 20107
	CodeNotFound              Code = 20404

	CodeSignalingConnection      Code = 53000
	CodeSignalingDisconnected    Code = 53001
	CodeSignalingTimeout         Code = 53002
	CodeSignalingIncomingInvalid Code = 53003
	CodeSignalingOutgoingInvalid Code = 53004
	CodeServerBusy               Code = 53006

	CodeRoomNameInvalid             Code = 53100
	CodeRoomNameTooLong             Code = 53101
	CodeRoomNameChars               Code = 53102
	CodeRoomCreateFailed            Code = 53103
	CodeRoomConnectFailed           Code = 53104
	CodeMaxParticipantsExceeded     Code = 53105
	CodeRoomNotFound                Code = 53106
	CodeMaxParticipantsOutOfRange   Code = 53107
	CodeRoomTypeInvalid             Code = 53108
	CodeTimeoutOutOfRange           Code = 53109
	CodeStatusCallbackMethodInvalid Code = 53110
	CodeStatusCallbackInvalid       Code = 53111
	CodeStatusInvalid               Code = 53112
	CodeRoomExists                  Code = 53113
	CodeRoomParametersIncompatible  Code = 53114
	CodeMediaRegionInvalid          Code = 53115
	CodeMediaRegionUnavailable      Code = 53116
	CodeSubscriptionNotSupported    Code = 53117
	CodeRoomCompleted               Code = 53118
	CodeAudioOnlyNotSupported       Code = 53124
	CodeTrackKindNotSupported       Code = 53125

	CodeIdentityInvalid       Code = 53200
	CodeIdentityTooLong       Code = 53201
	CodeIdentityChars         Code = 53202
	CodeMaxTracksExceeded     Code = 53203
	CodeParticipantNotFound   Code = 53204
	CodeDuplicateIdentity     Code = 53205
	CodeSubscribeRulesInvalid Code = 53215

	CodeTrackInvalid         Code = 53300
	CodeTrackNameInvalid     Code = 53301
	CodeTrackNameTooLong     Code = 53302
	CodeTrackNameChars       Code = 53303
	CodeTrackNameDuplicated  Code = 53304
	CodeTrackCapacityReached Code = 53305
	CodeTrackRemoved         Code = 53350 // no code of the hosted service

	CodeClientLocalDescription  Code = 53400
	CodeServerLocalDescription  Code = 53401
	CodeClientRemoteDescription Code = 53402
	CodeServerRemoteDescription Code = 53403
	CodeNoSupportedCodec        Code = 53404
	CodeMediaConnection         Code = 53405
	CodeMediaDTLSFailed         Code = 53407

	CodeConfigurationFailed Code = 53500
	CodeTURNFailed          Code = 53501
)

// Text returns the standard wording of the code, or "error <number>".
func (c Code) Text() string {
	if text, ok := texts[c]; ok {
		return text
	}
	return "error " + strconv.Itoa(int(c))
}

var texts = map[Code]string{
	CodeSignalTooLong:     "signal is too long",
	CodeSignalTypeInvalid: "signal type contains invalid characters",

	CodeTokenInvalid:          "access token is invalid",
	CodeTokenHeaderInvalid:    "access token header is invalid",
	CodeTokenIssuerInvalid:    "access token issuer or subject is invalid",
	CodeTokenExpired:          "access token has expired or its expiration is invalid",
	CodeTokenNotYetValid:      "access token is not yet valid",
	CodeTokenGrantsInvalid:    "access token grants are invalid",
	CodeTokenSignatureInvalid: "access token signature is invalid",
	CodeNotFound:              "resource not found",

	CodeSignalingConnection:      "signaling connection failed",
	CodeSignalingDisconnected:    "signaling connection was lost",
	CodeSignalingTimeout:         "signaling connection timed out",
	CodeSignalingIncomingInvalid: "received an invalid signaling message",
	CodeSignalingOutgoingInvalid: "sent an invalid signaling message",
	CodeServerBusy:               "server is busy",

	CodeRoomNameInvalid:             "room name is invalid",
	CodeRoomNameTooLong:             "room name is too long",
	CodeRoomNameChars:               "room name contains invalid characters",
	CodeRoomCreateFailed:            "room could not be created",
	CodeRoomConnectFailed:           "room could not be joined",
	CodeMaxParticipantsExceeded:     "room is full",
	CodeRoomNotFound:                "room not found",
	CodeMaxParticipantsOutOfRange:   "maximum of participants is out of range",
	CodeRoomTypeInvalid:             "room type is invalid",
	CodeTimeoutOutOfRange:           "timeout is out of range",
	CodeStatusCallbackMethodInvalid: "status callback method is invalid",
	CodeStatusCallbackInvalid:       "status callback is invalid",
	CodeStatusInvalid:               "status is invalid",
	CodeRoomExists:                  "room exists",
	CodeRoomParametersIncompatible:  "parameters do not fit the room type",
	CodeMediaRegionInvalid:          "media region is invalid",
	CodeMediaRegionUnavailable:      "media region is unavailable",
	CodeSubscriptionNotSupported:    "subscription operation does not fit the room type",
	CodeRoomCompleted:               "room was completed",
	CodeAudioOnlyNotSupported:       "audio-only does not fit the room type",
	CodeTrackKindNotSupported:       "track kind is not supported by the room",

	CodeIdentityInvalid:       "participant identity is invalid",
	CodeIdentityTooLong:       "participant identity is too long",
	CodeIdentityChars:         "participant identity contains invalid characters",
	CodeMaxTracksExceeded:     "too many tracks are published",
	CodeParticipantNotFound:   "participant not found",
	CodeDuplicateIdentity:     "disconnected because the identity joined again",
	CodeSubscribeRulesInvalid: "subscribe rules are invalid",

	CodeTrackInvalid:         "track is invalid",
	CodeTrackNameInvalid:     "track name is invalid",
	CodeTrackNameTooLong:     "track name is too long",
	CodeTrackNameChars:       "track name contains invalid characters",
	CodeTrackNameDuplicated:  "track name is already in use",
	CodeTrackRemoved:         "track was taken out of the room",
	CodeTrackCapacityReached: "server has no capacity for the track",

	CodeClientLocalDescription:  "client could not make its media description",
	CodeServerLocalDescription:  "server could not make its media description",
	CodeClientRemoteDescription: "client could not apply the server's media description",
	CodeServerRemoteDescription: "server could not apply the client's media description",
	CodeNoSupportedCodec:        "no supported codec",
	CodeMediaConnection:         "media connection failed or went silent",
	CodeMediaDTLSFailed:         "media connection failed its DTLS handshake",

	CodeConfigurationFailed: "configuration could not be acquired",
	CodeTURNFailed:          "TURN credentials could not be acquired",
}
