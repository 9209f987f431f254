package migration

var participant = Section{
	Title: "Participants: properties",
	Intro: "Of `LocalParticipant` and `RemoteParticipant` alike.",
	Rows: []Row{
		{Name: "sid", Go: []string{"RemoteParticipant.SID()", "LocalParticipant.SID()"}},
		{Name: "identity", Go: []string{"RemoteParticipant.Identity()", "LocalParticipant.Identity()"}},
		{Name: "state", Go: []string{"RemoteParticipant.State()", "LocalParticipant.State()"}},
		{
			Name: "tracks", Go: []string{"RemoteParticipant.Tracks()", "LocalParticipant.Tracks()"},
			Note: "publications, as a slice; `TrackSID` is the key that the map has there",
		},
		{Name: "audioTracks", Go: []string{"RemoteParticipant.AudioTracks()", "LocalParticipant.AudioTracks()"}},
		{Name: "videoTracks", Go: []string{"RemoteParticipant.VideoTracks()", "LocalParticipant.VideoTracks()"}},
		{Name: "dataTracks", Go: []string{"RemoteParticipant.DataTracks()", "LocalParticipant.DataTracks()"}},
		{Name: "networkQualityLevel", Go: []string{"RemoteParticipant.NetworkQualityLevel()", "LocalParticipant.NetworkQualityLevel()"}},
		{Name: "networkQualityStats", Go: []string{"NetworkQualityLevelChanged.Stats"}},
	},
}

var localParticipant = Section{
	Title: "LocalParticipant: properties and methods",
	Rows: []Row{
		{Name: "signalingRegion", Go: []string{"LocalParticipant.SignalingRegion()"}},
		{
			Name: "publishTrack", Go: []string{"LocalParticipant.PublishTrack"},
			Note: "waits for the server's word; priority and name are in `PublishOptions`",
		},
		{Name: "publishTracks", Go: []string{"LocalParticipant.PublishTracks"}},
		{Name: "unpublishTrack", Go: []string{"LocalParticipant.UnpublishTrack", "LocalTrackPublication.Unpublish"}, Note: "does not stop the track"},
		{Name: "unpublishTracks", Go: []string{"LocalParticipant.UnpublishTrack"}, Note: "one by one"},
		{Name: "addTrack", Go: []string{"LocalParticipant.AddTrack"}, Note: "the older name of publishTrack"},
		{Name: "addTracks", Go: []string{"LocalParticipant.PublishTracks"}},
		{Name: "removeTrack", Go: []string{"LocalParticipant.RemoveTrack"}, Note: "the older name of unpublishTrack; it does not stop the track"},
		{Name: "removeTracks", Go: []string{"LocalParticipant.RemoveTrack"}, Note: "one by one"},
		{Name: "setParameters", Go: []string{"LocalParticipant.SetParameters", "EncodingParameters"}, Note: "reaches sources that are a `media.BitrateSetter`, at once"},
		{Name: "setNetworkQualityConfiguration", Status: Later},
		{Name: "setBandwidthProfile", Go: []string{"LocalParticipant.SetBandwidthProfile"}, Note: "there it does nothing"},
	},
}

// mine is where the events about own tracks are read.
var mine = []string{"LocalParticipant.Events()"}

var localEvents = Section{
	Title: "Events of the LocalParticipant",
	Intro: "Read them from `LocalParticipant.Events()` or `Room.Events()`. They carry the publication; its `Track()` is the track.",

	Events: true,
	Rows: []Row{
		{
			Name: "trackAdded", Args: []Arg{arg("track", "LocalTrackPublished.Publication.Track()")}, Go: mine, Types: []string{"LocalTrackPublished"},
			Note: "told once the server has accepted the track, and not before",
		},
		{Name: "trackRemoved", Args: []Arg{arg("track", "LocalTrackUnpublished.Publication.Track()")}, Go: mine, Types: []string{"LocalTrackUnpublished"}},
		{
			Name: "trackPublished", Args: []Arg{arg("publication", "LocalTrackPublished.Publication")}, Go: mine, Types: []string{"LocalTrackPublished"},
			Note: "also for what was published while connecting",
		},
		{
			Name: "trackPublicationFailed", Args: []Arg{arg("error", "LocalTrackPublicationFailed.Err"), arg("localTrack", "LocalTrackPublicationFailed.Track")},
			Go: mine, Types: []string{"LocalTrackPublicationFailed"}, Note: "`PublishTrack` returns the same error",
		},
		{Name: "trackEnabled", Args: []Arg{arg("track", "LocalTrackEnabled.Publication.Track()")}, Go: mine, Types: []string{"LocalTrackEnabled"}},
		{Name: "trackDisabled", Args: []Arg{arg("track", "LocalTrackDisabled.Publication.Track()")}, Go: mine, Types: []string{"LocalTrackDisabled"}},
		{Name: "trackStarted", Args: []Arg{arg("track", "LocalTrackStarted.Publication.Track()")}, Go: mine, Types: []string{"LocalTrackStarted"}, Note: "the first sample was sent"},
		{
			Name: "trackStopped", Args: []Arg{arg("track", "LocalTrackStopped.Publication.Track()")}, Go: mine, Types: []string{"LocalTrackStopped"},
			Note: "with the error with which the source ended, if it did",
		},
		{
			Name: "trackDimensionsChanged", Args: []Arg{arg("track", "LocalTrackDimensionsChanged.Publication.Track()")}, Go: mine,
			Types: []string{"LocalTrackDimensionsChanged"}, Note: "the new size and the former are in it",
		},
		{Name: "trackWarning", Args: []Arg{arg("name", "TrackWarning.Name"), arg("publication", "TrackWarning.Publication")}, Go: mine, Types: []string{"TrackWarning"}, Status: Quiet},
		{Name: "trackWarningsCleared", Args: []Arg{arg("publication", "TrackWarningsCleared.Publication")}, Go: mine, Types: []string{"TrackWarningsCleared"}, Status: Quiet},
		{
			Name: "disconnected", Args: []Arg{itself("participant")}, Go: []string{"LocalParticipant.Done()", "Room.Disconnected()"},
			Types: []string{"Disconnected"}, Note: "stop your own tracks here, as there",
		},
		{Name: "reconnecting", Args: []Arg{itself("participant")}, Go: []string{"Room.Reconnecting()"}, Types: []string{"Reconnecting"}, Note: "the room's and the participant's are one"},
		{Name: "reconnected", Args: []Arg{itself("participant")}, Go: []string{"Room.Reconnected()"}, Types: []string{"Reconnected"}},
		{
			Name: "networkQualityLevelChanged", Args: []Arg{arg("level", "NetworkQualityLevelChanged.Level"), arg("stats", "NetworkQualityLevelChanged.Stats")},
			Go: []string{"Room.NetworkQualityLevelChanged()"}, Types: []string{"NetworkQualityLevelChanged"},
			Note: "of all participants; `SID` tells whose",
		},
	},
}

// theirs is where the events about a remote participant are read.
var theirs = []string{"RemoteParticipant.Events()"}

var remoteEvents = Section{
	Title: "Events of a RemoteParticipant",
	Intro: "Read them from `RemoteParticipant.Events()`, its part of the room's events. The types are those of the room's.",

	Events: true,
	Rows: []Row{
		{Name: "trackAdded", Args: []Arg{arg("track", "TrackAdded.Track")}, Go: theirs, Types: []string{"TrackAdded"}, Note: "the older name of trackSubscribed"},
		{Name: "trackRemoved", Args: []Arg{arg("track", "TrackRemoved.Track")}, Go: theirs, Types: []string{"TrackRemoved"}, Note: "the older name of trackUnsubscribed"},
		{Name: "trackPublished", Args: []Arg{arg("publication", "TrackPublished.Publication")}, Go: theirs, Types: []string{"TrackPublished"}},
		{Name: "trackUnpublished", Args: []Arg{arg("publication", "TrackUnpublished.Publication")}, Go: theirs, Types: []string{"TrackUnpublished"}},
		{Name: "trackSubscribed", Args: []Arg{arg("track", "TrackSubscribed.Track"), arg("publication", "TrackSubscribed.Publication")}, Go: theirs, Types: []string{"TrackSubscribed"}},
		{Name: "trackUnsubscribed", Args: []Arg{arg("track", "TrackUnsubscribed.Track"), arg("publication", "TrackUnsubscribed.Publication")}, Go: theirs, Types: []string{"TrackUnsubscribed"}},
		{
			Name: "trackSubscriptionFailed", Args: []Arg{arg("error", "TrackSubscriptionFailed.Err"), arg("publication", "TrackSubscriptionFailed.Publication")},
			Go: theirs, Types: []string{"TrackSubscriptionFailed"}, Note: "version 1 passes the error alone",
		},
		{Name: "trackEnabled", Args: []Arg{arg("publication", "TrackEnabled.Publication")}, Go: theirs, Types: []string{"TrackEnabled"}, Note: "version 1 passes the track: `TrackEnabled.Track`"},
		{Name: "trackDisabled", Args: []Arg{arg("publication", "TrackDisabled.Publication")}, Go: theirs, Types: []string{"TrackDisabled"}, Note: "version 1 passes the track: `TrackDisabled.Track`"},
		{Name: "trackSwitchedOff", Args: []Arg{arg("track", "TrackSwitchedOff.Track"), arg("publication", "TrackSwitchedOff.Publication")}, Go: theirs, Types: []string{"TrackSwitchedOff"}},
		{Name: "trackSwitchedOn", Args: []Arg{arg("track", "TrackSwitchedOn.Track"), arg("publication", "TrackSwitchedOn.Publication")}, Go: theirs, Types: []string{"TrackSwitchedOn"}},
		{
			Name: "trackPublishPriorityChanged", Args: []Arg{arg("priority", "TrackPublishPriorityChanged.Priority"), arg("publication", "TrackPublishPriorityChanged.Publication")},
			Go: theirs, Types: []string{"TrackPublishPriorityChanged"},
		},
		{
			Name: "trackMessage", Args: []Arg{arg("data", "TrackMessage.Data"), arg("track", "TrackMessage.Track")},
			Go: []string{"RemoteParticipant.Messages()"}, Note: "apart from events, as the room's",
		},
		{Name: "trackStarted", Args: []Arg{arg("track", "TrackStarted.Track")}, Go: theirs, Types: []string{"TrackStarted"}},
		{Name: "trackDimensionsChanged", Args: []Arg{arg("track", "TrackDimensionsChanged.Track")}, Go: theirs, Types: []string{"TrackDimensionsChanged"}},
		{
			Name: "disconnected", Args: []Arg{arg("participant", "ParticipantDisconnected.Participant")},
			Go: []string{"RemoteParticipant.Done()", "RemoteParticipant.Events()"}, Types: []string{"ParticipantDisconnected"},
			Note: "`Done` is closed when the room ends, too",
		},
		{Name: "reconnecting", Args: []Arg{arg("participant", "ParticipantReconnecting.Participant")}, Go: theirs, Types: []string{"ParticipantReconnecting"}},
		{Name: "reconnected", Args: []Arg{arg("participant", "ParticipantReconnected.Participant")}, Go: theirs, Types: []string{"ParticipantReconnected"}},
		{
			Name: "networkQualityLevelChanged", Args: []Arg{arg("level", "NetworkQualityLevelChanged.Level"), arg("stats", "NetworkQualityLevelChanged.Stats")},
			Go: []string{"Room.NetworkQualityLevelChanged()"}, Types: []string{"NetworkQualityLevelChanged"},
			Note: "from the room only; `SID` tells whose",
		},
	},
}
