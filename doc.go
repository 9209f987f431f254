// Package parley joins rooms: it publishes and receives audio, video and data
// over WebRTC, from programs without a browser.
//
// # Rooms
//
// A room has participants, a participant publishes tracks, and whoever
// subscribes to a track receives it. [Connect] joins with an access token, which
// says who the program is and which room it may enter. It blocks until the
// server has let the program in:
//
//	room, err := parley.Connect(token, &parley.ConnectOptions{URL: url})
//	if err != nil {
//		return err
//	}
//	defer room.Disconnect()
//
// The program is the room's [LocalParticipant]. It publishes what it puts into
// ConnectOptions.Tracks, or gives to PublishTrack later; nothing is captured by
// itself. A [LocalVideoTrack] or [LocalAudioTrack] sends the encoded samples of a
// media.Source, such as a file of package media/file, or what the program writes
// to it. A [LocalDataTrack] sends messages.
//
// The others are [RemoteParticipant] objects. What one of them publishes is a
// [RemoteTrackPublication]; while it is subscribed, it has a [RemoteTrack]. Every
// track is subscribed by itself unless ConnectOptions.ManualSubscribe is set. A
// track is read where it is: ReadRTP gives packets, Samples whole frames,
// Receive messages, and Attach feeds a media.Sink, such as a recording of
// package media/record.
//
// # Events
//
// What happens comes as values from channels:
//
//	for ev := range room.Events() {
//		switch ev := ev.(type) {
//		case parley.ParticipantConnected:
//			log.Printf("%s joined", ev.Participant.Identity())
//		case parley.TrackSubscribed:
//			go record(ev.Track)
//		}
//	}
//	return room.Err()
//
// A room has one timeline, and every channel is an ordered part of it: Events
// has all of it, [Room.TrackSubscribed] one kind, [RemoteParticipant.Events] what
// is about one participant. Two channels are not in step with each other, so a
// program that needs the order of two kinds reads them from one channel.
//
// A channel begins with the present. What is already the case when it is first
// asked for comes as events, then it goes on live, without gap or repetition:
// nothing can be missed between Connect and the first reading, and there is no
// need to enumerate first and listen then. Asking again gives the same channel;
// two goroutines that read it share its events.
//
// An event is a fact: when it is read, the getters of the objects in it tell
// that state already, or a later one. Events of one thing lie inside those of
// what it belongs to: ParticipantConnected, TrackPublished, TrackSubscribed,
// TrackUnsubscribed, TrackUnpublished, ParticipantDisconnected. A participant
// that leaves unpublishes nothing.
//
// Reading slowly delays nobody else. Unread events wait, with a warning in the
// log from 1000 on; 65 536 of them in one channel end the room with
// [ErrSlowConsumer]. A channel that was never asked for costs nothing; one that
// was asked for has to be read. Media and messages are not events: they wait in
// their tracks, in bounded queues that drop the oldest and count it.
//
// # Lifetime
//
// The context of [ConnectContext] bounds the joining and nothing else. A room
// ends by [Room.Disconnect], which may be called from anywhere and returns
// within a second, or by itself: the server removed the program or completed
// the room, or the connection could not be restored.
//
// A connection that is lost is restored by the room: [Reconnecting] is followed
// by [Reconnected], or by the end. Participants, publications and tracks stay
// the same objects through it; what changed meanwhile is told as ordinary
// events.
//
// At the end each subscribed track ends with TrackUnsubscribed, its readers get
// io.EOF, then comes [Disconnected], the last event, and the channels close. Events
// that are still unread wait for a reader that makes progress, and one second
// beyond. [Room.Done] is closed once everything is released, and [Room.Err] says
// why the room ended, nil when the program left by itself. All objects stay
// readable. Local tracks belong to the program, which stops them.
//
// # Signals and moderation
//
// [Room.Signal] sends a small typed message to everybody in the room or to one,
// through the server; [SignalReceived] is among the events. [Room.Capabilities]
// tells what the role in the access token allows, and the server holds everybody
// to it. A moderator's program removes participants, takes tracks out of the room
// and mutes one or all through [Room.Moderate].
//
// # Errors
//
// A refusal of the server is an [*Error] with a numeric code. The sentinels, such
// as [ErrDuplicateIdentity], match with errors.Is.
//
// # Concurrency
//
// All methods may be called from any goroutine, also by the reader of the
// events. The library calls back into the program only where the program gave
// it something to call: a source, a sink, a transport, RefreshToken, and the
// filters of the options.
//
// The folder docs has a table from the names of JavaScript SDKs to those here.
package parley

//go:generate go run ./internal/tools/eventtable
