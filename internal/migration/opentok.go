package migration

// whose is the argument event.stream.
const whose = "one event for each track; `Stream()` of the publications says which belong together, where the publisher said so in `PublishOptions.Stream`"

var openTokEvents = Section{
	Title: "Events of an OpenTok session",
	Intro: "A connection is a participant there, a stream one audio and one video track together. Here each track is on its own: " +
		"what has both gives two events. Reasons: clientDisconnected is `ReasonLeft`, forceDisconnected `ReasonRemoved`, " +
		"networkDisconnected `ReasonTimeout`.",
	Events: true,
	Rows: []Row{
		{
			Name: "sessionConnected", Args: []Arg{arg("connections", "Room.Participants()"), arg("streams", "RemoteParticipant.Tracks()")},
			Go: []string{"Connect"}, Note: "`Connect` has returned; both lists come as events too, for a stream of events begins with the present",
		},
		{
			Name: "sessionDisconnected", Args: []Arg{arg("reason", "Disconnected.Reason", "Disconnected.Err")},
			Go: []string{"Room.Disconnected()"}, Types: []string{"Disconnected"},
		},
		{Name: "sessionReconnecting", Go: []string{"Room.Reconnecting()"}, Types: []string{"Reconnecting"}},
		{Name: "sessionReconnected", Go: []string{"Room.Reconnected()"}, Types: []string{"Reconnected"}},
		{
			Name: "connectionCreated (one's own)", Args: []Arg{arg("connection", "Room.LocalParticipant()")}, Go: []string{"Connect"},
			Note: "no event: `Connect` has returned",
		},
		{
			Name: "connectionCreated (others)", Args: []Arg{arg("connection", "ParticipantConnected.Participant")},
			Go: []string{"Room.ParticipantConnected()"}, Types: []string{"ParticipantConnected"}, Note: "those who are there already come first, as there",
		},
		{
			Name: "connectionDestroyed", Args: []Arg{arg("connection", "ParticipantDisconnected.Participant"), arg("reason", "ParticipantDisconnected.Reason")},
			Go: []string{"Room.ParticipantDisconnected()"}, Types: []string{"ParticipantDisconnected"},
		},
		{
			Name: "streamCreated (others)", Args: []Arg{arg("stream", "TrackPublished.Publication")},
			Go: []string{"Room.TrackPublished()"}, Types: []string{"TrackPublished"}, Note: whose,
		},
		{
			Name: "streamCreated (publisher)", Args: []Arg{arg("stream", "LocalTrackPublished.Publication")},
			Go: []string{"LocalParticipant.Events()"}, Types: []string{"LocalTrackPublished"},
		},
		{
			Name: "streamDestroyed (others)", Args: []Arg{arg("stream", "TrackUnpublished.Publication", "TrackUnsubscribed.Publication"), arg("reason", "ParticipantDisconnected.Reason")},
			Go: []string{"Room.TrackUnpublished()", "Room.TrackUnsubscribed()", "Room.ParticipantDisconnected()"}, Types: []string{"TrackUnpublished", "TrackUnsubscribed", "ParticipantDisconnected"},
			Note: "unpublished by somebody who stays, which has no reason; who leaves gives `TrackUnsubscribed` and then `ParticipantDisconnected`, with the reason",
		},
		{
			Name: "streamDestroyed (publisher)", Args: []Arg{arg("stream", "LocalTrackUnpublished.Publication"), says("reason", "the program did it; `Disconnected.Reason` where the room ended")},
			Go: []string{"LocalParticipant.Events()"}, Types: []string{"LocalTrackUnpublished"}, Note: "nothing to prevent: tracks are never stopped for the program",
		},
		{
			Name: "streamPropertyChanged hasAudio",
			Args: []Arg{
				arg("stream", "TrackEnabled.Publication", "TrackDisabled.Publication"), says("changedProperty", "`Publication.Kind()` is `KindAudio`"),
				says("oldValue", "false with `TrackEnabled`, true with `TrackDisabled`"), says("newValue", "true with `TrackEnabled`, false with `TrackDisabled`"),
			},
			Go: []string{"Room.TrackEnabled()", "Room.TrackDisabled()"}, Types: []string{"TrackEnabled", "TrackDisabled"},
		},
		{
			Name: "streamPropertyChanged hasVideo",
			Args: []Arg{
				arg("stream", "TrackEnabled.Publication", "TrackDisabled.Publication"), says("changedProperty", "`Publication.Kind()` is `KindVideo`"),
				says("oldValue", "false with `TrackEnabled`, true with `TrackDisabled`"), says("newValue", "true with `TrackEnabled`, false with `TrackDisabled`"),
			},
			Go: []string{"Room.TrackEnabled()", "Room.TrackDisabled()"}, Types: []string{"TrackEnabled", "TrackDisabled"},
		},
		{
			Name: "streamPropertyChanged videoDimensions",
			Args: []Arg{
				arg("stream", "TrackDimensionsChanged.Track.Publication()"), says("changedProperty", "the type of the event"),
				arg("oldValue", "TrackDimensionsChanged.OldWidth", "TrackDimensionsChanged.OldHeight"),
				arg("newValue", "TrackDimensionsChanged.Width", "TrackDimensionsChanged.Height"),
			},
			Go: []string{"Room.TrackDimensionsChanged()"}, Types: []string{"TrackDimensionsChanged"}, Note: "of what arrives, so of subscribed tracks",
		},
		{
			Name: "signal", Args: []Arg{arg("from", "SignalReceived.Participant"), arg("type", "SignalReceived.Type"), arg("data", "SignalReceived.Data")},
			Go: []string{"Room.SignalReceived()", "Room.SignalsMissed()"}, Types: []string{"SignalReceived", "SignalsMissed"},
			Note: "`signal:type` is a look at `Type`. `SignalsMissed` tells what a long outage cost",
		},
		{
			Name: "archiveStarted", Args: []Arg{says("id", "not told"), says("name", "not told")}, Go: []string{"Room.RecordingStarted()"},
			Types: []string{"RecordingStarted"}, Note: "as the server tells; the bundled one does where something else records (`--recorded-elsewhere`)",
		},
		{
			Name: "archiveStopped", Args: []Arg{says("id", "not told"), says("name", "not told")}, Go: []string{"Room.RecordingStopped()"},
			Types: []string{"RecordingStopped"}, Note: "as the server tells; the bundled one does where something else records (`--recorded-elsewhere`)",
		},
		{
			Name: "muteForced", Args: []Arg{arg("active", "MuteForced.Active")}, Go: []string{"Room.MuteForced()", "Room.LocalTrackForceMuted()"},
			Types: []string{"MuteForced", "LocalTrackForceMuted"}, Note: "the first is of the room, the second of each track that is muted",
		},
		{
			Name: "exception", Args: []Arg{arg("error", "TrackSubscriptionFailed.Err", "LocalTrackPublicationFailed.Err")},
			Go: []string{"Room.TrackSubscriptionFailed()", "LocalParticipant.Events()"}, Types: []string{"TrackSubscriptionFailed", "LocalTrackPublicationFailed"},
			Note: "calls return their errors",
		},
		{
			Name: "error", Args: []Arg{arg("error", "Disconnected.Err")}, Go: []string{"Connect", "Room.Err()"}, Types: []string{"Disconnected"},
			Note: "calls return their errors; what ends a room is in `Err` for ever",
		},
		{Name: "mediaStopped", Go: []string{"LocalVideoTrack.Done()", "LocalParticipant.Events()"}, Types: []string{"LocalTrackStopped"}},
		{Name: "audioLevelUpdated", Args: []Arg{says("audioLevel", "not told")}, Status: Later},
		{
			Name: "videoDisabled", Args: []Arg{says("reason", "publishVideo is `TrackDisabled`, quality is `TrackSwitchedOff`, subscribeToVideo is what `SetSubscribed` did")},
			Go: []string{"RemoteTrackPublication.Events()"}, Types: []string{"TrackDisabled", "TrackSwitchedOff", "TrackUnsubscribed"},
		},
		{
			Name: "videoEnabled", Args: []Arg{says("reason", "publishVideo is `TrackEnabled`, quality is `TrackSwitchedOn`, subscribeToVideo is what `SetSubscribed` did")},
			Go: []string{"RemoteTrackPublication.Events()"}, Types: []string{"TrackEnabled", "TrackSwitchedOn", "TrackSubscribed"},
		},
		{Name: "connected (subscriber)", Go: []string{"RemoteTrackPublication.Events()"}, Types: []string{"TrackSubscribed"}},
		{Name: "destroyed (subscriber)", Go: []string{"RemoteTrackPublication.Events()"}, Types: []string{"TrackUnsubscribed"}},
	},
}

var openTokCalls = Section{
	Title: "Calls of an OpenTok client",
	Rows: []Row{
		{Name: "initSession, session.connect", Go: []string{"Connect"}, Note: "one step; the session is the room that the token grants"},
		{Name: "session.disconnect", Go: []string{"Room.Disconnect()"}},
		{Name: "initPublisher, session.publish", Go: []string{"NewLocalVideoTrack", "NewLocalAudioTrack", "LocalParticipant.PublishTracks"}, Note: "any number of tracks"},
		{Name: "session.unpublish", Go: []string{"LocalParticipant.UnpublishTrack"}},
		{Name: "publisher.publishAudio, publishVideo", Go: []string{"LocalAudioTrack.SetEnabled", "LocalVideoTrack.SetEnabled"}},
		{Name: "session.subscribe", Go: []string{"RemoteTrackPublication.SetSubscribed"}, Note: "with `ManualSubscribe`; otherwise every track is subscribed"},
		{Name: "session.unsubscribe", Go: []string{"RemoteTrackPublication.SetSubscribed"}},
		{Name: "subscriber.subscribeToAudio, subscribeToVideo", Go: []string{"RemoteTrackPublication.SetSubscribed"}, Note: "for the one track"},
		{Name: "subscriber.setPreferredResolution, setPreferredFrameRate", Status: Later},
		{Name: "session.signal", Go: []string{"Room.Signal", "Signal"}, Note: "`retryAfterReconnect: false` is `NoRetry: true`"},
		{
			Name: "session.forceDisconnect, forceUnpublish, forceMuteStream, forceMuteAll",
			Go:   []string{"Room.Moderate", "Moderation.Disconnect", "Moderation.Unpublish", "Moderation.Mute", "Moderation.MuteAll"},
			Note: "`disableForceMute` is `ClearMute`; exceptions are participants",
		},
		{Name: "session.capabilities", Go: []string{"Room.Capabilities()"}, Note: "from the role in the token, which the server enforces"},
		{Name: "connection.connectionId", Go: []string{"RemoteParticipant.SID()"}},
		{Name: "connection.data", Status: Later, Note: "tokens carry metadata already; `Identity` is what others see of it today"},
	},
}
