package migration

var module = Section{
	Title: "The module",
	Rows: []Row{
		{Name: "connect", Go: []string{"Connect", "ConnectContext"}, Note: "blocks instead of returning a promise"},
		{
			Name: "connect(…).cancel", Go: []string{"ConnectContext"},
			Note: "end its context; nothing is left behind",
		},
		{
			Name: "createLocalTracks", Go: []string{"media/device.Tracks", "NewLocalAudioTrack", "NewLocalVideoTrack", "media/file.Open"},
			Note: "`device.Tracks(ctx, nil)` is `{audio: true, video: true}`; tracks of files, generated media or your own are made one by one, with a `media.Source`",
		},
		{
			Name: "createLocalAudioTrack", Go: []string{"media/device.AudioTrack", "NewLocalAudioTrack", "media/file.Open", "media/synth.Tone"},
			Note: "a microphone, or any `media.Source`",
		},
		{
			Name: "createLocalVideoTrack", Go: []string{"media/device.VideoTrack", "NewLocalVideoTrack", "media/file.Open", "media/synth.Video"},
			Note: "a camera, or any `media.Source`",
		},
		{Name: "runPreflight", Status: Later},
		{Name: "LocalAudioTrack", Go: []string{"NewLocalAudioTrack"}, Note: "with a nil source, write to it with `WriteSample` or `WriteRTP`"},
		{Name: "LocalVideoTrack", Go: []string{"NewLocalVideoTrack"}, Note: "with a nil source, write to it with `WriteSample` or `WriteRTP`"},
		{Name: "LocalDataTrack", Go: []string{"NewLocalDataTrack"}},
		{Name: "isSupported", Status: Not, Note: "there is no browser to ask"},
		{Name: "version", Go: []string{"Version"}},
		{Name: "Logger", Go: []string{"ConnectOptions.Logger"}, Note: "a `*slog.Logger` for each room, silent without one"},
	},
}

var options = Section{
	Title: "Options of connect",
	Intro: "Fields of `ConnectOptions`. The zero value of each is the default. An option that is not there cannot be set, " +
		"so the compiler tells what is missing.",
	Rows: []Row{
		{Name: "name", Go: []string{"ConnectOptions.Name"}, Note: "default: the room that the token grants"},
		{Name: "tracks", Go: []string{"ConnectOptions.Tracks"}, Note: "the room never stops them; the program that made them does"},
		{
			Name: "audio", Go: []string{"ConnectOptions.Tracks"},
			Note: "true in JavaScript unless said otherwise; here nothing is captured unless it is put into `Tracks`",
		},
		{Name: "video", Go: []string{"ConnectOptions.Tracks"}, Note: "as `audio`"},
		{Name: "automaticSubscription", Go: []string{"ConnectOptions.ManualSubscribe"}, Note: "the opposite: `automaticSubscription: false` is `ManualSubscribe: true`"},
		{
			Name: "bandwidthProfile", Go: []string{"ConnectOptions.BandwidthProfile", "BandwidthProfile"},
			Note: "its `video` part, flat; `clientTrackSwitchOffControl` and `contentPreferencesMode` are always `\"manual\"`, also beside `MaxTracks` and `RenderDimensions`",
		},
		{Name: "dominantSpeaker", Go: []string{"ConnectOptions.DominantSpeaker"}},
		{Name: "networkQuality", Go: []string{"ConnectOptions.NetworkQuality", "NetworkQuality"}, Note: "`true` is `&NetworkQuality{}`"},
		{
			Name: "preferredAudioCodecs", Go: []string{"TrackOptions.Codec", "media.Source"},
			Note: "a track has the codec of its source; where there is none, `TrackOptions.Codec`",
		},
		{
			Name: "preferredVideoCodecs", Go: []string{"TrackOptions.Codec", "media.Source"},
			Note: "as `preferredAudioCodecs`; `simulcast: true` is `NewSimulcastVideoTrack`",
		},
		{Name: "maxAudioBitrate", Go: []string{"ConnectOptions.MaxAudioBitrate"}, Note: "reaches sources that are a `media.BitrateSetter`"},
		{Name: "maxVideoBitrate", Go: []string{"ConnectOptions.MaxVideoBitrate"}, Note: "as `maxAudioBitrate`"},
		{Name: "iceServers", Go: []string{"ConnectOptions.ICEServers"}, Note: "instead of those that the server names"},
		{Name: "iceTransportPolicy", Go: []string{"ConnectOptions.RelayOnly"}, Note: "`\"relay\"` is `RelayOnly: true`"},
		{
			Name: "rtcConfiguration", Go: []string{"ConnectOptions.ConfigureWebRTC", "ConnectOptions.Interfaces", "ConnectOptions.IPs", "ConnectOptions.NetworkTypes"},
			Note: "`ConfigureWebRTC` gets pion's `webrtc.SettingEngine`; the others are common wishes of programs without a browser",
		},
		{Name: "RTCPeerConnection", Status: Not, Note: "pion is the only implementation"},
		{Name: "MediaStream", Status: Not, Note: "see `media.Source` and `media.Sink`"},
		{Name: "getUserMedia", Status: Not, Note: "`media/device.Tracks` asks the system itself"},
		{Name: "enumerateDevices", Status: Not, Note: "`media/device.Devices` lists them"},
		{Name: "mapMediaElement", Status: Not, Note: "there are no elements; see `attach`"},
		{Name: "disposeMediaElement", Status: Not, Note: "there are no elements; see `detach`"},
		{Name: "region", Go: []string{"ConnectOptions.URL"}, Note: "the URL names the server"},
		{Name: "insights", Status: Not, Note: "nothing is reported to anybody"},
		{Name: "enableDscp", Status: Later},
		{Name: "receiveTranscriptions", Status: Later, Note: "`Transcription` is there for it"},
		{Name: "notifyWarnings", Status: Later, Note: "`TrackWarning` is there for it"},
		{Name: "networkMonitor", Go: []string{"Room.NetworkChanged"}, Note: "the program tells when it knows of another network; without that the loss is noticed"},
		{Name: "eventListener", Go: []string{"ConnectOptions.Logger"}},
		{
			Name: "logLevel", Go: []string{"ConnectOptions.Logger"},
			Note: "the level is the `slog.Handler`'s: `slog.HandlerOptions{Level: slog.LevelDebug}`; without a logger it is `\"off\"`",
		},
		{Name: "loggerName", Go: []string{"ConnectOptions.Logger"}, Note: "`logger.With(\"room\", name)`, or whatever tells your rooms apart"},
		{Name: "environment", Go: []string{"ConnectOptions.URL"}, Note: "the URL names the server"},
		{Name: "realm", Go: []string{"ConnectOptions.URL"}, Note: "the URL names the server"},
		{Name: "wsServer", Go: []string{"ConnectOptions.URL", "ConnectOptions.Transport"}, Note: "`ws://…/signaling` or `wss://…/signaling`, or another protocol"},
	},
}

var room = Section{
	Title: "Room: properties and methods",
	Rows: []Row{
		{Name: "sid", Go: []string{"Room.SID()"}},
		{Name: "name", Go: []string{"Room.Name()"}},
		{Name: "state", Go: []string{"Room.State()"}, Note: "`StateConnected`, `StateReconnecting`, `StateDisconnected`; the same words"},
		{Name: "localParticipant", Go: []string{"Room.LocalParticipant()"}},
		{
			Name: "participants", Go: []string{"Room.Participants()", "Room.Participant"},
			Note: "a copy, in order of arrival; events begin with those who are there, so a program need not walk it first. It still answers after the end",
		},
		{Name: "dominantSpeaker", Go: []string{"Room.DominantSpeaker()"}, Note: "with `ConnectOptions.DominantSpeaker`"},
		{Name: "isRecording", Go: []string{"Room.IsRecording()"}, Note: "as the server tells; the bundled one does where something else records (`--recorded-elsewhere`)"},
		{Name: "mediaRegion", Go: []string{"Room.MediaRegion()"}, Note: `"" instead of null`},
		{Name: "disconnect", Go: []string{"Room.Disconnect()"}, Note: "returns within a second, may be called from anywhere and again"},
		{Name: "getStats", Go: []string{"Room.Stats", "Room.StatsEvery", "LocalTrackPublication.Stats()", "RemoteVideoTrack.Stats()", "RemoteAudioTrack.Stats()"}},
		{Name: "refreshInactiveMedia", Status: Not, Note: "it mends what browsers do to tracks in the background"},
		{Name: "toJSON", Status: Not, Note: "read what you need"},
		{Name: "on", Go: []string{"Room.Events()"}, Note: "and a channel for each kind, named like it"},
	},
}

var roomEvents = Section{
	Title: "Events of a room",
	Intro: "`Room.Events()` is the one ordered stream of all of them. The accessors named here are parts of it, " +
		"one kind each. Every one begins with the present.",
	Events: true,
	Rows: []Row{
		{
			Name: "disconnected", Args: []Arg{itself("room"), arg("error", "Disconnected.Err")},
			Go: []string{"Room.Disconnected()", "Room.Done()", "Room.Err()"}, Types: []string{"Disconnected"},
			Note: "the last event; the error is nil when the program left by itself. `Reason` tells more",
		},
		{Name: "reconnecting", Args: []Arg{arg("error", "Reconnecting.Err")}, Go: []string{"Room.Reconnecting()"}, Types: []string{"Reconnecting"}, Note: "53001 or 53405, as there"},
		{Name: "reconnected", Go: []string{"Room.Reconnected()"}, Types: []string{"Reconnected"}},
		{
			Name: "participantConnected", Args: []Arg{arg("participant", "ParticipantConnected.Participant")},
			Go: []string{"Room.ParticipantConnected()"}, Types: []string{"ParticipantConnected"},
			Note: "also for those who are there already when it is first called",
		},
		{
			Name: "participantDisconnected", Args: []Arg{arg("participant", "ParticipantDisconnected.Participant")},
			Go: []string{"Room.ParticipantDisconnected()"}, Types: []string{"ParticipantDisconnected"},
			Note: "with a `Reason`; not told when the program itself leaves, as there",
		},
		{Name: "participantReconnecting", Args: []Arg{arg("participant", "ParticipantReconnecting.Participant")}, Go: []string{"Room.ParticipantReconnecting()"}, Types: []string{"ParticipantReconnecting"}},
		{Name: "participantReconnected", Args: []Arg{arg("participant", "ParticipantReconnected.Participant")}, Go: []string{"Room.ParticipantReconnected()"}, Types: []string{"ParticipantReconnected"}},
		{
			Name: "dominantSpeakerChanged", Args: []Arg{arg("participant", "DominantSpeakerChanged.Participant")},
			Go: []string{"Room.DominantSpeakerChanged()"}, Types: []string{"DominantSpeakerChanged"},
			Note: "with `ConnectOptions.DominantSpeaker`; nil instead of null; only the newest waits",
		},
		{Name: "recordingStarted", Go: []string{"Room.RecordingStarted()"}, Types: []string{"RecordingStarted"}, Note: "as the server tells; the bundled one does where something else records (`--recorded-elsewhere`)"},
		{Name: "recordingStopped", Go: []string{"Room.RecordingStopped()"}, Types: []string{"RecordingStopped"}, Note: "as the server tells; the bundled one does where something else records (`--recorded-elsewhere`)"},
		{
			Name: "trackPublished", Args: []Arg{arg("publication", "TrackPublished.Publication"), arg("participant", "TrackPublished.Participant")},
			Go: []string{"Room.TrackPublished()"}, Types: []string{"TrackPublished"},
			Note: "also for what a participant publishes when it connects, which JavaScript keeps silent about",
		},
		{Name: "trackUnpublished", Args: []Arg{arg("publication", "TrackUnpublished.Publication"), arg("participant", "TrackUnpublished.Participant")}, Go: []string{"Room.TrackUnpublished()"}, Types: []string{"TrackUnpublished"}},
		{
			Name: "trackSubscribed", Args: []Arg{arg("track", "TrackSubscribed.Track"), arg("publication", "TrackSubscribed.Publication"), arg("participant", "TrackSubscribed.Participant")},
			Go: []string{"Room.TrackSubscribed()"}, Types: []string{"TrackSubscribed"},
		},
		{
			Name: "trackUnsubscribed", Args: []Arg{arg("track", "TrackUnsubscribed.Track"), arg("publication", "TrackUnsubscribed.Publication"), arg("participant", "TrackUnsubscribed.Participant")},
			Go: []string{"Room.TrackUnsubscribed()"}, Types: []string{"TrackUnsubscribed"},
		},
		{
			Name: "trackAdded", Args: []Arg{arg("track", "TrackAdded.Track"), arg("participant", "TrackAdded.Participant")},
			Go: []string{"Room.TrackSubscribed()"}, Types: []string{"TrackAdded"},
			Note: "the older name of trackSubscribed; `TrackAdded` is the same type under two names, not a second event",
		},
		{
			Name: "trackRemoved", Args: []Arg{arg("track", "TrackRemoved.Track"), arg("participant", "TrackRemoved.Participant")},
			Go: []string{"Room.TrackUnsubscribed()"}, Types: []string{"TrackRemoved"},
			Note: "the older name of trackUnsubscribed, likewise",
		},
		{
			Name: "trackSubscriptionFailed",
			Args: []Arg{arg("error", "TrackSubscriptionFailed.Err"), arg("publication", "TrackSubscriptionFailed.Publication"), arg("participant", "TrackSubscriptionFailed.Participant")},
			Go:   []string{"Room.TrackSubscriptionFailed()"}, Types: []string{"TrackSubscriptionFailed"},
		},
		{
			Name: "trackEnabled", Args: []Arg{arg("publication", "TrackEnabled.Publication"), arg("participant", "TrackEnabled.Participant")},
			Go: []string{"Room.TrackEnabled()"}, Types: []string{"TrackEnabled"},
			Note: "version 1 passes the track in the place of the publication: `TrackEnabled.Track`, nil while not subscribed",
		},
		{
			Name: "trackDisabled", Args: []Arg{arg("publication", "TrackDisabled.Publication"), arg("participant", "TrackDisabled.Participant")},
			Go: []string{"Room.TrackDisabled()"}, Types: []string{"TrackDisabled"},
			Note: "version 1 passes the track in the place of the publication: `TrackDisabled.Track`, nil while not subscribed",
		},
		{
			Name: "trackSwitchedOff", Args: []Arg{arg("track", "TrackSwitchedOff.Track"), arg("publication", "TrackSwitchedOff.Publication"), arg("participant", "TrackSwitchedOff.Participant")},
			Go: []string{"Room.TrackSwitchedOff()"}, Types: []string{"TrackSwitchedOff"},
		},
		{
			Name: "trackSwitchedOn", Args: []Arg{arg("track", "TrackSwitchedOn.Track"), arg("publication", "TrackSwitchedOn.Publication"), arg("participant", "TrackSwitchedOn.Participant")},
			Go: []string{"Room.TrackSwitchedOn()"}, Types: []string{"TrackSwitchedOn"},
		},
		{
			Name: "trackPublishPriorityChanged",
			Args: []Arg{arg("priority", "TrackPublishPriorityChanged.Priority"), arg("publication", "TrackPublishPriorityChanged.Publication"), arg("participant", "TrackPublishPriorityChanged.Participant")},
			Go:   []string{"Room.TrackPublishPriorityChanged()"}, Types: []string{"TrackPublishPriorityChanged"},
		},
		{
			Name: "trackStarted", Args: []Arg{arg("track", "TrackStarted.Track"), arg("participant", "TrackStarted.Participant")},
			Go: []string{"Room.TrackStarted()"}, Types: []string{"TrackStarted"},
			Note: "the first audio packet, or the first key frame",
		},
		{
			Name: "trackDimensionsChanged", Args: []Arg{arg("track", "TrackDimensionsChanged.Track"), arg("participant", "TrackDimensionsChanged.Participant")},
			Go: []string{"Room.TrackDimensionsChanged()"}, Types: []string{"TrackDimensionsChanged"},
			Note: "the new size and the former are in it",
		},
		{
			Name: "trackMessage", Args: []Arg{arg("data", "TrackMessage.Data"), arg("track", "TrackMessage.Track"), arg("participant", "TrackMessage.Participant")},
			Go:   []string{"Room.Messages()"},
			Note: "messages are apart from events, so that many of them delay none: a `TrackMessage`, whose `Text` tells a string from bytes",
		},
		{
			Name: "trackWarning",
			Args: []Arg{arg("name", "TrackWarning.Name"), arg("publication", "TrackWarning.Publication"), arg("localParticipant", "Room.LocalParticipant()")},
			Go:   []string{"Room.TrackWarning()"}, Types: []string{"TrackWarning"}, Status: Quiet,
		},
		{
			Name: "trackWarningsCleared",
			Args: []Arg{arg("publication", "TrackWarningsCleared.Publication"), arg("localParticipant", "Room.LocalParticipant()")},
			Go:   []string{"Room.TrackWarningsCleared()"}, Types: []string{"TrackWarningsCleared"}, Status: Quiet,
		},
		{
			Name: "transcription", Args: []Arg{arg("message", "Transcription")}, Go: []string{"Room.Transcription()"},
			Types: []string{"Transcription"}, Status: Quiet,
		},
		{
			Name: "(none)", Args: []Arg{}, Go: []string{"Room.MessagesUnconfirmed()"}, Types: []string{"MessagesUnconfirmed"},
			Note: "JavaScript does not tell that data messages may have been lost when a session had to be made anew",
		},
	},
}
