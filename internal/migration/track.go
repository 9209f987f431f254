package migration

var publications = Section{
	Title: "Publications: properties and methods",
	Rows: []Row{
		{Name: "trackSid", Go: []string{"RemoteTrackPublication.TrackSID()", "LocalTrackPublication.TrackSID()"}},
		{Name: "trackName", Go: []string{"RemoteTrackPublication.TrackName()", "LocalTrackPublication.TrackName()"}},
		{Name: "kind", Go: []string{"RemoteTrackPublication.Kind()", "LocalTrackPublication.Kind()"}, Note: "`KindAudio`, `KindVideo`, `KindData`; the same words"},
		{Name: "isTrackEnabled", Go: []string{"RemoteTrackPublication.IsTrackEnabled()", "LocalTrackPublication.IsTrackEnabled()"}},
		{Name: "track", Go: []string{"RemoteTrackPublication.Track()", "LocalTrackPublication.Track()"}, Note: "of a remote one nil while not subscribed"},
		{Name: "isSubscribed", Go: []string{"RemoteTrackPublication.IsSubscribed()", "RemoteTrackPublication.SetSubscribed"}, Note: "and `SetSubscribed` changes it, which JavaScript leaves to the server"},
		{Name: "publishPriority", Go: []string{"RemoteTrackPublication.PublishPriority()"}},
		{Name: "priority", Go: []string{"LocalTrackPublication.Priority()"}},
		{Name: "setPriority", Go: []string{"LocalTrackPublication.SetPriority"}},
		{Name: "unpublish", Go: []string{"LocalTrackPublication.Unpublish"}},
	},
}

var (
	ofRemote = []string{"RemoteTrackPublication.Events()"}
	ofLocal  = []string{"LocalTrackPublication.Events()"}
	ofBoth   = []string{"RemoteTrackPublication.Events()", "LocalTrackPublication.Events()"}
)

var publicationEvents = Section{
	Title:  "Events of publications",
	Intro:  "Read them from the publication's `Events()`.",
	Events: true,
	Rows: []Row{
		{Name: "subscribed", Args: []Arg{arg("track", "TrackSubscribed.Track")}, Go: ofRemote, Types: []string{"TrackSubscribed"}},
		{Name: "unsubscribed", Args: []Arg{arg("track", "TrackUnsubscribed.Track")}, Go: ofRemote, Types: []string{"TrackUnsubscribed"}},
		{Name: "subscriptionFailed", Args: []Arg{arg("error", "TrackSubscriptionFailed.Err")}, Go: ofRemote, Types: []string{"TrackSubscriptionFailed"}},
		{Name: "trackEnabled", Go: ofBoth, Types: []string{"TrackEnabled", "LocalTrackEnabled"}},
		{Name: "trackDisabled", Go: ofBoth, Types: []string{"TrackDisabled", "LocalTrackDisabled"}},
		{Name: "trackSwitchedOff", Args: []Arg{arg("track", "TrackSwitchedOff.Track")}, Go: ofRemote, Types: []string{"TrackSwitchedOff"}},
		{Name: "trackSwitchedOn", Args: []Arg{arg("track", "TrackSwitchedOn.Track")}, Go: ofRemote, Types: []string{"TrackSwitchedOn"}},
		{Name: "publishPriorityChanged", Args: []Arg{arg("priority", "TrackPublishPriorityChanged.Priority")}, Go: ofRemote, Types: []string{"TrackPublishPriorityChanged"}},
		{Name: "warning", Args: []Arg{arg("name", "TrackWarning.Name")}, Go: ofLocal, Types: []string{"TrackWarning"}, Status: Quiet},
		{Name: "warningsCleared", Go: ofLocal, Types: []string{"TrackWarningsCleared"}, Status: Quiet},
	},
}

var tracks = Section{
	Title: "Tracks: properties and methods",
	Rows: []Row{
		{Name: "sid", Go: []string{"RemoteTrack.SID()", "LocalTrackPublication.TrackSID()"}, Note: "a local track has one for each room that it is published in"},
		{Name: "id", Go: []string{"LocalTrack.ID()", "RemoteTrack.SID()"}, Note: "remote tracks have the SID alone"},
		{Name: "name", Go: []string{"LocalTrack.Name()", "RemoteTrack.Name()"}},
		{Name: "kind", Go: []string{"LocalTrack.Kind()", "RemoteTrack.Kind()"}},
		{Name: "isEnabled", Go: []string{"LocalAudioTrack.IsEnabled()", "LocalVideoTrack.IsEnabled()", "RemoteTrack.IsEnabled()"}},
		{Name: "enable", Go: []string{"LocalAudioTrack.Enable()", "LocalVideoTrack.Enable()", "LocalVideoTrack.SetEnabled"}, Note: "`enable(false)` is `SetEnabled(false)`; nothing is negotiated"},
		{Name: "disable", Go: []string{"LocalAudioTrack.Disable()", "LocalVideoTrack.Disable()"}, Note: "nothing at all is sent then, where browsers send silence and black"},
		{Name: "isStarted", Go: []string{"RemoteAudioTrack.IsStarted()", "RemoteVideoTrack.IsStarted()"}, Note: "of local tracks `LocalTrackStarted` tells"},
		{Name: "isStopped", Go: []string{"LocalAudioTrack.IsStopped()", "LocalVideoTrack.IsStopped()", "LocalVideoTrack.Done()"}},
		{Name: "stop", Go: []string{"LocalAudioTrack.Stop()", "LocalVideoTrack.Stop()"}, Note: "closes the source"},
		{Name: "restart", Go: []string{"media/device.Restart"}, Note: "of tracks that `media/device` made"},
		{Name: "isMuted", Go: []string{"LocalAudioTrack.IsMuted()", "LocalVideoTrack.IsMuted()"}, Note: "while the source gives nothing; see `TrackOptions.MutedAfter`"},
		{Name: "dimensions", Go: []string{"RemoteVideoTrack.Dimensions()", "LocalVideoTrack.Dimensions()"}, Note: "zero instead of null; nothing is decoded"},
		{
			Name: "mediaStreamTrack", Go: []string{"RemoteVideoTrack.ReadRTP()", "RemoteVideoTrack.Samples", "RemoteAudioTrack.ReadRTP()", "RemoteAudioTrack.Samples"},
			Note: "packets, or whole frames",
		},
		{
			Name: "attach", Go: []string{"RemoteAudioTrack.Attach", "RemoteVideoTrack.Attach", "media.Sink"},
			Note: "to a `media.Sink` instead of an element: a recording, a file, your own. All three forms of the argument are this one",
		},
		{Name: "detach", Go: []string{"RemoteVideoTrack.Detach", "RemoteVideoTrack.DetachAll", "RemoteAudioTrack.Detach", "RemoteAudioTrack.DetachAll"}, Note: "`detach()` is `DetachAll`, which returns the sinks"},
		{Name: "isSubscribed", Go: []string{"RemoteTrackPublication.IsSubscribed()", "RemoteTrack.Done()"}},
		{Name: "isSwitchedOff", Go: []string{"RemoteTrack.IsSwitchedOff()"}},
		{Name: "switchOn", Go: []string{"RemoteVideoTrack.SwitchOn"}, Note: "needs a `BandwidthProfile`, and no control mode"},
		{Name: "switchOff", Go: []string{"RemoteVideoTrack.SwitchOff"}, Note: "likewise; nothing is switched off by itself because nobody looks"},
		{Name: "setContentPreferences", Go: []string{"RemoteVideoTrack.SetContentPreferences"}, Note: "likewise; 0, 0 asks for the best again"},
		{Name: "priority", Go: []string{"RemoteVideoTrack.Priority()", "RemoteAudioTrack.Priority()"}, Note: "the subscriber's own priority; the publisher's is `PublishPriority`"},
		{Name: "setPriority", Go: []string{"RemoteVideoTrack.SetPriority", "RemoteAudioTrack.SetPriority"}, Note: `"" instead of null`},
		{Name: "processor", Status: Not, Note: "process before encoding, in the source"},
		{Name: "addProcessor", Status: Not, Note: "process before encoding, in the source"},
		{Name: "removeProcessor", Status: Not, Note: "process before encoding, in the source"},
		{Name: "noiseCancellation", Status: Not, Note: "process before encoding, in the source"},
		{Name: "send", Go: []string{"LocalDataTrack.Send", "LocalDataTrack.SendText"}, Note: "waits while too much is on its way, and refuses more than 16 KiB"},
		{Name: "ordered", Go: []string{"LocalDataTrack.Ordered()", "RemoteDataTrack.Ordered()"}, Note: "the option is `DataTrackOptions.Unordered`"},
		{Name: "reliable", Go: []string{"LocalDataTrack.Reliable()", "RemoteDataTrack.Reliable()"}},
		{Name: "maxPacketLifeTime", Go: []string{"LocalDataTrack.MaxPacketLifeTime()", "RemoteDataTrack.MaxPacketLifeTime()"}, Note: "a `time.Duration`"},
		{Name: "maxRetransmits", Go: []string{"LocalDataTrack.MaxRetransmits()", "RemoteDataTrack.MaxRetransmits()"}},
	},
}

var (
	ofRemoteTrack = []string{"RemoteTrack.Events()"}
	ofLocalTrack  = []string{"LocalTrack.Events()"}
	ofAnyTrack    = []string{"RemoteTrack.Events()", "LocalTrack.Events()"}
)

var trackEvents = Section{
	Title: "Events of tracks",
	Intro: "Read them from the track's `Events()`. Those of a local track carry the publication: one track may be published in several rooms.",

	Events: true,
	Rows: []Row{
		{
			Name: "message", Args: []Arg{arg("data", "Message.Data"), itself("track")},
			Go: []string{"RemoteDataTrack.Receive", "Room.Messages()"}, Note: "pulled from the track; `Text` tells a string from bytes",
		},
		{
			Name: "dimensionsChanged", Args: []Arg{arg("track", "TrackDimensionsChanged.Track", "LocalTrackDimensionsChanged.Publication.Track()")},
			Go: ofAnyTrack, Types: []string{"TrackDimensionsChanged", "LocalTrackDimensionsChanged"},
		},
		{Name: "enabled", Args: []Arg{arg("track", "TrackEnabled.Track", "LocalTrackEnabled.Publication.Track()")}, Go: ofAnyTrack, Types: []string{"TrackEnabled", "LocalTrackEnabled"}},
		{Name: "disabled", Args: []Arg{arg("track", "TrackDisabled.Track", "LocalTrackDisabled.Publication.Track()")}, Go: ofAnyTrack, Types: []string{"TrackDisabled", "LocalTrackDisabled"}},
		{Name: "started", Args: []Arg{arg("track", "TrackStarted.Track", "LocalTrackStarted.Publication.Track()")}, Go: ofAnyTrack, Types: []string{"TrackStarted", "LocalTrackStarted"}},
		{
			Name: "unsubscribed", Args: []Arg{arg("track", "TrackUnsubscribed.Track")}, Go: []string{"RemoteTrack.Done()", "RemoteTrack.Events()"},
			Types: []string{"TrackUnsubscribed"}, Note: "readers of the track get `io.EOF`",
		},
		{
			Name: "stopped", Args: []Arg{arg("track", "LocalTrackStopped.Publication.Track()")},
			Go: []string{"LocalTrack.Done()", "LocalTrack.Events()"}, Types: []string{"LocalTrackStopped"},
		},
		{Name: "switchedOff", Args: []Arg{arg("track", "TrackSwitchedOff.Track")}, Go: ofRemoteTrack, Types: []string{"TrackSwitchedOff"}},
		{Name: "switchedOn", Args: []Arg{arg("track", "TrackSwitchedOn.Track")}, Go: ofRemoteTrack, Types: []string{"TrackSwitchedOn"}},
		{
			Name: "muted", Args: []Arg{arg("track", "LocalTrackMuted.Publication.Track()")}, Go: ofLocalTrack, Types: []string{"LocalTrackMuted"},
			Note: "after `TrackOptions.MutedAfter` without anything from the source",
		},
		{Name: "unmuted", Args: []Arg{arg("track", "LocalTrackUnmuted.Publication.Track()")}, Go: ofLocalTrack, Types: []string{"LocalTrackUnmuted"}},
	},
}
