package parley_test

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/internal/migration"
	"github.com/stretchr/testify/require"
)

// wanted is what programs for the other SDKs name, by sections of the table:
// for events with the listener's arguments in their order. It was written down
// from the documents of those SDKs, apart from the table.
var wanted = map[string]string{
	"The module": `
		connect
		createLocalTracks
		createLocalAudioTrack
		createLocalVideoTrack
		runPreflight
		LocalAudioTrack
		LocalVideoTrack
		LocalDataTrack
		isSupported
		version
		Logger`,
	"Options of connect": `
		name
		tracks
		audio
		video
		automaticSubscription
		bandwidthProfile
		dominantSpeaker
		networkQuality
		preferredAudioCodecs
		preferredVideoCodecs
		maxAudioBitrate
		maxVideoBitrate
		iceServers
		iceTransportPolicy
		rtcConfiguration
		region
		insights
		enableDscp
		receiveTranscriptions
		notifyWarnings
		networkMonitor
		eventListener
		logLevel
		loggerName
		environment
		realm
		wsServer
		RTCPeerConnection
		MediaStream
		getUserMedia
		enumerateDevices
		mapMediaElement
		disposeMediaElement`,
	"Room: properties and methods": `
		sid
		name
		state
		localParticipant
		participants
		dominantSpeaker
		isRecording
		mediaRegion
		disconnect
		getStats
		refreshInactiveMedia
		toJSON`,
	"Events of a room": `
		disconnected room error
		reconnecting error
		reconnected
		participantConnected participant
		participantDisconnected participant
		participantReconnecting participant
		participantReconnected participant
		dominantSpeakerChanged participant
		recordingStarted
		recordingStopped
		trackPublished publication participant
		trackUnpublished publication participant
		trackEnabled publication participant
		trackDisabled publication participant
		trackSubscribed track publication participant
		trackUnsubscribed track publication participant
		trackSwitchedOff track publication participant
		trackSwitchedOn track publication participant
		trackSubscriptionFailed error publication participant
		trackPublishPriorityChanged priority publication participant
		trackStarted track participant
		trackDimensionsChanged track participant
		trackMessage data track participant
		trackWarning name publication localParticipant
		trackWarningsCleared publication localParticipant
		transcription message
		trackAdded track participant
		trackRemoved track participant`,
	"Participants: properties": `
		sid
		identity
		state
		tracks
		audioTracks
		videoTracks
		dataTracks
		networkQualityLevel
		networkQualityStats`,
	"LocalParticipant: properties and methods": `
		signalingRegion
		publishTrack
		publishTracks
		unpublishTrack
		unpublishTracks
		addTrack
		addTracks
		removeTrack
		removeTracks
		setParameters
		setNetworkQualityConfiguration
		setBandwidthProfile`,
	"Events of the LocalParticipant": `
		trackAdded track
		trackDimensionsChanged track
		trackDisabled track
		trackEnabled track
		trackPublicationFailed error localTrack
		trackPublished publication
		trackRemoved track
		trackStarted track
		trackStopped track
		trackWarning name publication
		trackWarningsCleared publication
		disconnected participant
		reconnecting participant
		reconnected participant
		networkQualityLevelChanged level stats`,
	"Events of a RemoteParticipant": `
		trackAdded track
		trackDimensionsChanged track
		trackDisabled publication
		trackEnabled publication
		trackMessage data track
		trackRemoved track
		trackStarted track
		trackPublished publication
		trackUnpublished publication
		trackSubscribed track publication
		trackSubscriptionFailed error publication
		trackUnsubscribed track publication
		trackSwitchedOff track publication
		trackSwitchedOn track publication
		trackPublishPriorityChanged priority publication
		disconnected participant
		reconnecting participant
		reconnected participant
		networkQualityLevelChanged level stats`,
	"Publications: properties and methods": `
		trackSid
		trackName
		kind
		isTrackEnabled
		track
		priority
		setPriority
		unpublish
		isSubscribed
		publishPriority`,
	"Events of publications": `
		trackEnabled
		trackDisabled
		warning name
		warningsCleared
		subscribed track
		unsubscribed track
		subscriptionFailed error
		trackSwitchedOff track
		trackSwitchedOn track
		publishPriorityChanged priority`,
	"Tracks: properties and methods": `
		sid
		id
		name
		kind
		isEnabled
		isStarted
		isMuted
		isStopped
		isSubscribed
		isSwitchedOff
		enable
		disable
		stop
		restart
		attach
		detach
		mediaStreamTrack
		dimensions
		processor
		addProcessor
		removeProcessor
		noiseCancellation
		send
		ordered
		reliable
		maxPacketLifeTime
		maxRetransmits
		priority
		setPriority
		switchOn
		switchOff
		setContentPreferences`,
	"Events of tracks": `
		message data track
		dimensionsChanged track
		disabled track
		enabled track
		started track
		stopped track
		unsubscribed track
		muted track
		unmuted track
		switchedOff track
		switchedOn track`,
	"Events of an OpenTok session": `
		connectionCreated (one's own): connection
		connectionCreated (others): connection
		connectionDestroyed connection reason
		sessionConnected connections streams
		sessionDisconnected reason
		sessionReconnecting
		sessionReconnected
		streamCreated (others): stream
		streamCreated (publisher): stream
		streamDestroyed (others): stream reason
		streamDestroyed (publisher): stream reason
		streamPropertyChanged hasAudio: stream changedProperty oldValue newValue
		streamPropertyChanged hasVideo: stream changedProperty oldValue newValue
		streamPropertyChanged videoDimensions: stream changedProperty oldValue newValue
		error error
		exception error
		signal from type data
		archiveStarted id name
		archiveStopped id name
		muteForced active`,
	"Calls of an OpenTok client": `
		session.disconnect
		session.subscribe
		session.unsubscribe
		session.signal`,
}

// absent is the part of wanted that may be without a counterpart. Everything
// else has one today.
var absent = []string{
	"The module: runPreflight", "The module: isSupported",
	"Options of connect: insights",
	"Options of connect: enableDscp", "Options of connect: receiveTranscriptions", "Options of connect: notifyWarnings",
	"Options of connect: RTCPeerConnection", "Options of connect: MediaStream", "Options of connect: getUserMedia",
	"Options of connect: enumerateDevices", "Options of connect: mapMediaElement", "Options of connect: disposeMediaElement",
	"Room: properties and methods: refreshInactiveMedia", "Room: properties and methods: toJSON",
	"LocalParticipant: properties and methods: setNetworkQualityConfiguration",
	"Tracks: properties and methods: processor", "Tracks: properties and methods: addProcessor",
	"Tracks: properties and methods: removeProcessor", "Tracks: properties and methods: noiseCancellation",
}

func TestEveryNameOfTheOtherSDKsIsInTheTable(t *testing.T) {
	sections := map[string]migration.Section{}
	for _, s := range migration.Table() {
		require.NotContains(t, sections, s.Title)
		sections[s.Title] = s
	}
	var without []string
	for title, lines := range wanted {
		require.Contains(t, sections, title)
		s := sections[title]
		for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
			name, args := split(strings.TrimSpace(line))
			i := slices.IndexFunc(s.Rows, func(r migration.Row) bool { return r.Name == name })
			if !(i >= 0) {
				t.Errorf("%s lacks %s", title, name)
				continue
			}
			row := s.Rows[i]
			var got []string
			for _, a := range row.Args {
				got = append(got, a.Name)
			}
			require.Equal(t, args, got, "arguments of %s, %s", title, name)
			if row.Status == migration.Later || row.Status == migration.Not {
				without = append(without, title+": "+name)
			}
		}
	}
	require.ElementsMatch(t, absent, without, "what has no counterpart")
}

// split takes a line of wanted apart; a name of several words ends in a colon.
func split(line string) (name string, args []string) {
	if name, rest, ok := strings.Cut(line, ": "); ok {
		return name, strings.Fields(rest)
	}
	name, rest, _ := strings.Cut(line, " ")
	if rest == "" {
		return name, nil
	}
	return name, strings.Fields(rest)
}

func TestEveryRowSaysSomething(t *testing.T) {
	for _, s := range migration.Table() {
		seen := map[string]bool{}
		for _, r := range s.Rows {
			at := s.Title + ": " + r.Name
			require.False(t, seen[r.Name], "%s is there twice", at)
			seen[r.Name] = true
			require.Equal(t, s.Events, s.Events || len(r.Args)+len(r.Types) > 0, "%s is no event", at)
			switch r.Status {
			case migration.Not:
				require.NotEmpty(t, r.Note, "%s: why not?", at)
				require.Empty(t, r.Go, at)
			case migration.Later:
			default:
				require.NotEmpty(t, r.Go, "%s leads nowhere", at)
			}
			for _, a := range r.Args {
				require.NotEqual(t, a.Says == "", len(a.In) == 0, "%s, argument %s: a carrier or a word", at, a.Name)
			}
		}
	}
}

func TestEveryGoNameInTheTableExists(t *testing.T) {
	pkgs := load(t)
	for _, s := range migration.Table() {
		for _, r := range s.Rows {
			refs := slices.Concat(r.Go, r.Types)
			for _, a := range r.Args {
				refs = append(refs, a.In...)
			}
			for _, ref := range refs {
				_, err := resolve(pkgs, ref)
				require.NoError(t, err, "%s: %s", s.Title, r.Name)
			}
			for _, typ := range r.Types {
				require.True(t, isEvent(pkgs, typ), "%s: %s: %s is no event", s.Title, r.Name, typ)
			}
		}
	}
	for ref, want := range map[string]string{
		"Room.Nothing":                "Nothing",
		"Nowhere":                     "Nowhere",
		"Room.SID":                    "", // a method, its brackets may be left out at the end
		"Room.SID.Len":                "SID",
		"TrackSubscribed.Track()":     "Track()",
		"media/file.Openn":            "Openn",
		"media/files.Open":            "media/files",
		"TrackEnabled.Track.Missing":  "Missing",
		"TrackEnabled.Track.Kind()":   "",
		"LocalTrackPublished.Missing": "Missing",
		"RemoteVideoTrack.ReadRTP()":  "", // through an embedded type
		"RemoteVideoTrack.recv":       "recv",
	} {
		_, err := resolve(pkgs, ref)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want, "the check sees what is missing")
		}
	}
}

// An event that cannot be found from what people know is not finished.
func TestEveryEventIsInTheTableAndHasAChannel(t *testing.T) {
	pkgs := load(t)
	told := map[string]bool{}
	for _, s := range migration.Table() {
		for _, r := range s.Rows {
			for _, typ := range r.Types {
				told[typ] = true
			}
		}
	}
	scope := pkgs[""].Scope()
	events := 0
	for _, name := range scope.Names() {
		if !token.IsExported(name) || name == "Event" || !isEvent(pkgs, name) {
			continue
		}
		events++
		require.True(t, told[name], "%s is in no row", name)
		if alias := scope.Lookup(name).(*types.TypeName).IsAlias(); alias || strings.HasPrefix(name, "Local") {
			continue // one of another name, or of LocalParticipant.Events
		}
		method, err := resolve(pkgs, "Room."+name+"()")
		require.NoError(t, err, "%s has no channel", name)
		require.Equal(t, "<-chan github.com/parley-rtc/parley."+name, method.String())
	}
	require.Greater(t, events, 30, "the package was not read")
}

func TestEventTableIsUpToDate(t *testing.T) {
	got, err := os.ReadFile("docs/events.md")
	require.NoError(t, err)
	require.Equal(t, migration.Markdown(), string(got), "run: go generate .")
}

// packages are the type-checked packages of the module, by their path in it.
type packages map[string]*types.Package

// load takes the packages' exported names as the compiler wrote them down.
func load(t *testing.T) packages {
	t.Helper()
	const module = "github.com/parley-rtc/parley"
	paths := []string{"", "/media", "/media/device", "/media/file", "/media/synth", "/signaling"}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, p := range paths {
		args = append(args, module+p)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	require.NoError(t, err)
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
	pkgs := packages{}
	for _, p := range paths {
		pkg, err := imp.Import(module + p)
		require.NoError(t, err)
		pkgs[strings.TrimPrefix(p, "/")] = pkg
	}
	return pkgs
}

// resolve follows a reference of the table and returns the type it ends at.
func resolve(pkgs packages, ref string) (types.Type, error) {
	where := ""
	names := strings.Split(ref, ".")
	if !token.IsExported(strings.TrimSuffix(names[0], "()")) {
		where, names = names[0], names[1:]
	}
	pkg := pkgs[where]
	if pkg == nil {
		return nil, fmt.Errorf("%s: no package %q", ref, where)
	}
	obj := pkg.Scope().Lookup(names[0])
	if obj == nil || !obj.Exported() {
		return nil, fmt.Errorf("%s: no %s", ref, names[0])
	}
	typ := obj.Type()
	for i, name := range names[1:] {
		name, call := strings.CutSuffix(name, "()")
		member, _, _ := types.LookupFieldOrMethod(typ, true, pkg, name)
		if member == nil || !member.Exported() {
			return nil, fmt.Errorf("%s: no %s", ref, name)
		}
		typ = member.Type()
		sig, method := typ.(*types.Signature)
		switch {
		case method && call && sig.Results().Len() > 0:
			typ = sig.Results().At(0).Type()
		case method && call:
		case method && i == len(names)-2:
		case method:
			return nil, fmt.Errorf("%s: %s is a method", ref, name)
		case call:
			return nil, fmt.Errorf("%s: %s() is a field", ref, name)
		}
	}
	return typ, nil
}

func isEvent(pkgs packages, name string) bool {
	obj, ok := pkgs[""].Scope().Lookup(name).(*types.TypeName)
	event := pkgs[""].Scope().Lookup("Event").Type().Underlying().(*types.Interface)
	return ok && types.Implements(obj.Type(), event)
}
