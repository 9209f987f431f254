package parley

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-rtc/parley/internal/engine"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// Error is a refusal or an ending with a numeric code; see the sentinels and
// package signaling for the codes. Match it with errors.Is and errors.As.
type Error = signaling.Error

// DisconnectReason says why a participant, or the program itself, is out of the
// room.
type DisconnectReason = signaling.DisconnectReason

// The reasons; an empty one is unknown.
const (
	ReasonLeft      = signaling.DisconnectLeft
	ReasonRemoved   = signaling.DisconnectRemoved
	ReasonDuplicate = signaling.DisconnectDuplicate
	ReasonTimeout   = signaling.DisconnectTimeout
	ReasonCompleted = signaling.DisconnectCompleted
	ReasonDuration  = signaling.DisconnectDuration
	ReasonShutdown  = signaling.DisconnectShutdown
	ReasonProtocol  = signaling.DisconnectProtocol
	ReasonSlow      = signaling.DisconnectSlow
)

// Sentinels for what programs branch on. Each matches, with errors.Is, every
// error of its code.
var (
	ErrSignalTooLong           error = signaling.NewError(signaling.CodeSignalTooLong)
	ErrSignalType              error = signaling.NewError(signaling.CodeSignalTypeInvalid)
	ErrTokenInvalid            error = signaling.NewError(signaling.CodeTokenInvalid)
	ErrTokenHeader             error = signaling.NewError(signaling.CodeTokenHeaderInvalid)
	ErrTokenIssuer             error = signaling.NewError(signaling.CodeTokenIssuerInvalid)
	ErrTokenExpired            error = signaling.NewError(signaling.CodeTokenExpired)
	ErrTokenNotYetValid        error = signaling.NewError(signaling.CodeTokenNotYetValid)
	ErrTokenGrants             error = signaling.NewError(signaling.CodeTokenGrantsInvalid)
	ErrTokenSignature          error = signaling.NewError(signaling.CodeTokenSignatureInvalid)
	ErrSignalingConnection     error = signaling.NewError(signaling.CodeSignalingConnection)
	ErrSignalingDisconnected   error = signaling.NewError(signaling.CodeSignalingDisconnected)
	ErrSignalingMessage        error = signaling.NewError(signaling.CodeSignalingIncomingInvalid)
	ErrServerBusy              error = signaling.NewError(signaling.CodeServerBusy)
	ErrRoomFull                error = signaling.NewError(signaling.CodeMaxParticipantsExceeded)
	ErrRoomNotFound            error = signaling.NewError(signaling.CodeRoomNotFound)
	ErrRoomCompleted           error = signaling.NewError(signaling.CodeRoomCompleted)
	ErrDuplicateIdentity       error = signaling.NewError(signaling.CodeDuplicateIdentity)
	ErrTooManyTracks           error = signaling.NewError(signaling.CodeMaxTracksExceeded)
	ErrTrackNameTooLong        error = signaling.NewError(signaling.CodeTrackNameTooLong)
	ErrTrackNameChars          error = signaling.NewError(signaling.CodeTrackNameChars)
	ErrTrackNameDuplicated     error = signaling.NewError(signaling.CodeTrackNameDuplicated)
	ErrTrackKindNotSupported   error = signaling.NewError(signaling.CodeTrackKindNotSupported)
	ErrNoSupportedCodec        error = signaling.NewError(signaling.CodeNoSupportedCodec)
	ErrMediaConnection         error = signaling.NewError(signaling.CodeMediaConnection)
	ErrMediaDTLS               error = signaling.NewError(signaling.CodeMediaDTLSFailed)
	ErrTURN                    error = signaling.NewError(signaling.CodeTURNFailed)
	ErrParticipantNotFound     error = signaling.NewError(signaling.CodeParticipantNotFound)
	ErrServerDescription       error = signaling.NewError(signaling.CodeClientRemoteDescription)
	ErrTrackCapacityReached    error = signaling.NewError(signaling.CodeTrackCapacityReached)
	ErrClientLocalDescription  error = signaling.NewError(signaling.CodeClientLocalDescription)
	ErrServerRemoteDescription error = signaling.NewError(signaling.CodeServerRemoteDescription)
)

var (
	// ErrOption says that an argument or option cannot be used.
	ErrOption = errors.New("invalid option")
	// ErrRoomClosed says that the room has ended; it is wrapped together
	// with the cause.
	ErrRoomClosed = errors.New("room is closed")
	// ErrSlowConsumer ended the room because 65 536 events waited in one of
	// its event channels.
	ErrSlowConsumer = errors.New("event channel was not read")
	// ErrUnpublished says that the track was unpublished meanwhile.
	ErrUnpublished = errors.New("track was unpublished")
	// ErrUnsubscribed says that the track was unsubscribed or unpublished
	// meanwhile.
	ErrUnsubscribed = errors.New("track was unsubscribed")
	// ErrTrackStopped says that the local track has been stopped.
	ErrTrackStopped = errors.New("track is stopped")
	// ErrNotPublished says that the local data track is published nowhere.
	ErrNotPublished = errors.New("track is not published")
	// ErrMessageTooLarge says that a data message is larger than 16 KiB.
	ErrMessageTooLarge = engine.ErrMessageTooLarge
	// ErrCodec says that a codec is unknown or does not fit its track.
	ErrCodec = media.ErrCodec
)

// LostError is the cause with which a room ends that could not be restored. It
// tells what was tried, for whoever has to find out why.
type LostError struct {
	Err           error         // ErrSignalingDisconnected or ErrMediaConnection
	Last          error         // what the last attempt met, or nil
	Attempts      int           // to connect again
	Elapsed       time.Duration // since the connection was lost
	CandidatePair string        // the last one that carried media, or ""
}

func (e *LostError) Error() string {
	text := fmt.Sprintf("%v; gave up after %d attempts in %v", e.Err, e.Attempts, e.Elapsed.Round(time.Millisecond))
	if e.CandidatePair != "" {
		text += "; last candidate pair " + e.CandidatePair
	}
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	return text
}

// Unwrap returns both causes.
func (e *LostError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Last}
}

// inContext says what was being done when the error is one of an answer.
func inContext(err error, doing string) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return wrap("%s: %w", doing, err)
	}
	return err
}

func wrap(format string, args ...any) error {
	return fmt.Errorf("parley: "+format, args...)
}
