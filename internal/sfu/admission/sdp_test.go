package admission_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
)

const (
	fingerprint = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
	pwd         = "abcdefghijklmnopqrstuv"
	transport   = "a=ice-ufrag:abcd\r\na=ice-pwd:" + pwd + "\r\na=fingerprint:" + fingerprint + "\r\na=setup:actpass\r\n"
)

func codeOf(err error) signaling.Code {
	var e *signaling.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// describe builds a description in a browser's form: a session with the group,
// and sections as they are given.
func describe(group string, sections ...string) string {
	head := "v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	if group != "" {
		head += "a=group:BUNDLE " + group + "\r\n"
	}
	return head + "a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n" + strings.Join(sections, "")
}

func audio(mid string, lines ...string) string { return section("audio 9", mid, "111 63", lines) }
func video(mid string, lines ...string) string { return section("video 9", mid, "96 97", lines) }

func section(kindPort, mid, formats string, lines []string) string {
	s := "m=" + kindPort + " UDP/TLS/RTP/SAVPF " + formats + "\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n" + transport
	if mid != "" {
		s += "a=mid:" + mid + "\r\n"
	}
	for _, l := range lines {
		s += l + "\r\n"
	}
	return s
}

func data(mid string) string {
	return "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n" + transport + "a=mid:" + mid + "\r\na=sctp-port:5000\r\n"
}

// tracks is an offer of n tracks with the codecs and feedback that a browser
// lists.
func tracks(n int) string {
	var codecs []string
	for pt := 96; pt < 116; pt += 2 {
		codecs = append(codecs, fmt.Sprintf("a=rtpmap:%d VP8/90000", pt), fmt.Sprintf("a=rtcp-fb:%d goog-remb", pt),
			fmt.Sprintf("a=rtcp-fb:%d transport-cc", pt), fmt.Sprintf("a=rtcp-fb:%d ccm fir", pt), fmt.Sprintf("a=rtcp-fb:%d nack", pt),
			fmt.Sprintf("a=rtcp-fb:%d nack pli", pt), fmt.Sprintf("a=fmtp:%d level-asymmetry-allowed=1;packetization-mode=1", pt),
			fmt.Sprintf("a=rtpmap:%d rtx/90000", pt+1), fmt.Sprintf("a=fmtp:%d apt=%d", pt+1, pt))
	}
	var sections, mids []string
	for i := range n {
		lines := append([]string{
			"a=sendrecv", fmt.Sprintf("a=msid:- 0d5c1c6e-0000-4000-8000-%012d", i),
			fmt.Sprintf("a=ssrc-group:FID %d %d", 2*i+1, 2*i+2), fmt.Sprintf("a=ssrc:%d cname:x", 2*i+1), fmt.Sprintf("a=ssrc:%d cname:x", 2*i+2),
		}, codecs...)
		mids = append(mids, fmt.Sprint(i))
		sections = append(sections, video(fmt.Sprint(i), lines...))
	}
	return describe(strings.Join(mids, " "), sections...)
}

func TestCheckSDPSummarizes(t *testing.T) {
	offer := describe("0 1 2",
		audio("0", "a=recvonly", "a=candidate:1 1 udp 2113937151 203.0.113.7 50000 typ host", "a=end-of-candidates"),
		video("1", "a=sendonly", "a=msid:- cam", "a=rid:q send", "a=rid:h send pt=96", "a=rid:f recv", "a=simulcast:send q;h",
			"a=ssrc-group:SIM 11 12 13", "a=ssrc-group:FID 11 21", "a=ssrc:11 cname:x", "a=ssrc:11 msid:- cam", "a=ssrc:12 cname:x",
			"a=ssrc:13 cname:x", "a=ssrc:21 cname:x"),
		data("2"), section("video 0", "3", "96", []string{"a=inactive"}))
	want := &admission.Offer{Ufrag: "abcd", Sections: []admission.Section{
		{Mid: "0", Kind: admission.SectionAudio, Direction: admission.RecvOnly, Candidates: 1},
		{
			Mid: "1", Kind: admission.SectionVideo, Direction: admission.SendOnly, MsidTrack: "cam",
			SSRCs: []uint32{11, 12, 13, 21}, SIM: []uint32{11, 12, 13}, RIDs: []string{"q", "h"},
		},
		{Mid: "2", Kind: admission.SectionApplication, Direction: admission.SendRecv},
		{Mid: "3", Kind: admission.SectionVideo, Direction: admission.Inactive, Rejected: true},
	}}
	got, err := admission.CheckSDP(offer, admission.Limits{})
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.True(t, got.Section("1").HasSimulcastSIM())
	require.False(t, got.Section("0").HasSimulcastSIM())
	require.Nil(t, got.Section("9"))
	require.Nil(t, got.Section(""))

	got, err = admission.CheckSDP(strings.ReplaceAll(offer, "\r\n", "\n"), admission.Limits{})
	require.NoError(t, err)
	require.Equal(t, want, got, "bare line feeds")
}

func TestCheckSDPAdmits(t *testing.T) {
	bare := func(kind, mid string) string {
		return "m=" + kind + " 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:" + mid + "\r\n"
	}
	session := "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + transport
	for name, sdp := range map[string]string{
		"nothing":                          describe(""),
		"one section needs no group":       describe("", audio("0")),
		"16 tracks":                        tracks(16),
		"256 sections":                     describe(mids(256), sections(256)...),
		"credentials in the session":       session + "a=group:BUNDLE 0 1\r\n" + bare("audio", "0") + bare("video", "1"),
		"credentials in the first section": describe("0 1", audio("0"), bare("video", "1")),
		"bundle-only has port 0":           describe("0 1", audio("0"), section("video 0", "1", "96", []string{"a=bundle-only"})),
		"rejected without mid":             describe("0", audio("0"), "m=video 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n"),
		"all rejected":                     describe("", section("audio 0", "0", "0", nil)),
		"second data section rejected":     describe("1", strings.Replace(data("0"), " 9 ", " 0 ", 1), data("1")),
		"SSRC of a section that is idle":   describe("0 1", audio("0", "a=inactive", "a=ssrc:5 cname:x"), audio("1", "a=ssrc:5 cname:x")),
		"unknown attributes":               describe("0", audio("0", "a=x", "a=x-google-flag:conference", "b=AS:64", "i=title é")),
	} {
		t.Run(name, func(t *testing.T) {
			offer, err := admission.CheckSDP(sdp, admission.Limits{})
			require.NoError(t, err)
			if strings.Contains(sdp, " 9 ") {
				require.Equal(t, "abcd", offer.Ufrag)
			}
		})
	}
}

func mids(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return strings.Join(list, " ")
}

func sections(n int) []string {
	var list []string
	for i := range n {
		list = append(list, audio(fmt.Sprint(i)))
	}
	return list
}

// T12: what is refused, and that the reason is the one meant.
func TestT12Refuses(t *testing.T) {
	good := describe("0", audio("0"))
	change := func(from, to string) string {
		require.Contains(t, good, from)
		return strings.Replace(good, from, to, 1)
	}
	var ssrcs, lines []string
	for i := range 600 {
		ssrcs = append(ssrcs, fmt.Sprintf("a=ssrc:%d cname:x", i+1))
		lines = append(lines, "a=x")
	}
	for _, c := range []struct{ name, sdp, reason string }{
		{"empty", "", "v=0"},
		{"not a description", "hello", "v=0"},
		{"too large", good + strings.Repeat("a=x\r\n", 80_000), "bytes"},
		{"257 sections", describe(mids(257), sections(257)...), "257 media sections"},
		{"many lines", describe("0", audio("0", lines...)), "too many lines"},
		{"many lines before the sections", strings.Repeat("a=x\r\n", 1) + good, "v=0"},
		{"many session lines", change("t=0 0\r\n", strings.Repeat("a=x\r\n", 65)), "too many lines"},
		{"endless line", describe("0", audio("0", "a="+strings.Repeat("x", 20_000))), "a line of"},
		{"no equals sign", describe("0", audio("0", "axmid")), "type=value"},
		{"NUL", describe("0", audio("0", "a=x\x00")), "control"},
		{"line hidden behind a carriage return", describe("0", audio("0", "a=x\ra=mid:1")), "control"},

		{"unknown kind", change("m=audio", "m=text"), "unknown kind"},
		{"no port", change("m=audio 9 ", "m=audio "), "media line"},
		{"port too large", change("m=audio 9 ", "m=audio 65536 "), "media line"},
		{"no formats", change(" 111 63", ""), "media line"},
		{"many formats", change(" 111 63", strings.Repeat(" 111", 200)), "formats"},

		{"two sections with one mid", describe("0", audio("0"), video("0")), "one mid"},
		{"two mids in one section", describe("0", audio("0", "a=mid:1")), "mid"},
		{"no mid", describe("", audio("")), "without a mid"},
		{"empty mid", change("a=mid:0", "a=mid:"), "mid"},
		{"mid with a space", change("a=mid:0", "a=mid:0 1"), "mid"},
		{"mid too long", change("a=mid:0", "a=mid:"+strings.Repeat("0", 33)), "mid"},
		{"mid that is no token", change("a=mid:0", "a=mid:<0>"), "mid"},

		{"no ufrag", change("a=ice-ufrag:abcd\r\n", ""), "no ice-ufrag"},
		{"ufrag too short", change("abcd\r\n", "abc\r\n"), "ice-ufrag"},
		{"ufrag too long", change("abcd\r\n", strings.Repeat("a", 257)+"\r\n"), "ice-ufrag"},
		{"ufrag with a colon", change("abcd\r\n", "ab:d\r\n"), "ice-ufrag"},
		{"two ufrags", describe("0", audio("0", "a=ice-ufrag:efgh")), "two values"},
		{"no pwd", change("a=ice-pwd:"+pwd+"\r\n", ""), "no ice-pwd"},
		{"pwd too short", change(pwd, pwd[1:]), "ice-pwd"},
		{"no fingerprint", change("a=fingerprint:"+fingerprint+"\r\n", ""), "no fingerprint"},
		{"weak fingerprint", change(fingerprint, "md5 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"), "weak"},
		{"fingerprint too short", change(fingerprint, fingerprint[:len(fingerprint)-3]), "fingerprint"},
		{"fingerprint not hex", change("00:11", "0g:11"), "fingerprint"},
		{"fingerprint without colons", change("00:11", "00-11"), "fingerprint"},
		{"many fingerprints", describe("0", audio("0", strings.Split(strings.Repeat("a=fingerprint:"+fingerprint+"\n", 4), "\n")[:4]...)), "too many fingerprints"},
		{"unknown role", change("a=setup:actpass", "a=setup:boss"), "role"},

		{"not bundled", describe("", audio("0"), video("1")), "outside"},
		{"outside of the bundle", describe("0", audio("0"), video("1")), "outside"},
		{"bundle of strangers", describe("0 7", audio("0")), "unknown section"},
		{"bundle names one twice", describe("0 0", audio("0")), "twice"},
		{"empty bundle", change("a=group:BUNDLE 0", "a=group:BUNDLE"), "outside"},
		{"two spaces", change("BUNDLE 0", "BUNDLE  0"), "unknown section"},
		{"two bundles", change("a=group:BUNDLE 0\r\n", "a=group:BUNDLE 0\r\na=group:BUNDLE 0\r\n"), "two BUNDLE"},
		{"bundle in a section", describe("", audio("0", "a=group:BUNDLE 0")), "other than BUNDLE"},
		{"bundle in disguise", change("a=group:BUNDLE 0", "a=group:LS BUNDLE 0"), "other than BUNDLE"},
		{"bundle begins with a rejected section", describe("0 1", section("audio 0", "0", "0", nil), video("1")), "rejected"},
		{"other ufrag", describe("0 1", audio("0"), strings.Replace(video("1"), "abcd", "efgh", 1)), "two transports"},
		{"other pwd", describe("0 1", audio("0"), strings.Replace(video("1"), pwd, pwd+"x", 1)), "two transports"},
		{"other fingerprint", describe("0 1", audio("0"), strings.Replace(video("1"), "00:11", "01:11", 1)), "two transports"},
		{"other session", change("t=0 0\r\n", "t=0 0\r\na=ice-ufrag:efgh\r\n"), "two transports"},

		{"two directions", describe("0", audio("0", "a=sendonly", "a=recvonly")), "two directions"},
		{"two tracks", describe("0", audio("0", "a=msid:- a", "a=msid:- b")), "two tracks"},
		{"msid too long", describe("0", audio("0", "a=msid:- "+strings.Repeat("a", 129))), "msid"},
		{"msid with a space", describe("0", audio("0", "a=msid:- a b")), "msid"},
		{"many SSRCs", describe("0", audio("0", ssrcs[:17]...)), "SSRCs in one section"},
		{"SSRC 0", describe("0", audio("0", "a=ssrc:0 cname:x")), "malformed SSRC"},
		{"SSRC too large", describe("0", audio("0", "a=ssrc:4294967296 cname:x")), "malformed SSRC"},
		{"SSRC with a sign", describe("0", audio("0", "a=ssrc:+5 cname:x")), "malformed SSRC"},
		{"one SSRC in two sections", describe("0 1", audio("0", ssrcs[0]), audio("1", ssrcs[0])), "one SSRC"},
		{"SIM of unknown SSRCs", describe("0", video("0", "a=ssrc-group:SIM 1 2", ssrcs[0])), "unknown SSRCs"},
		{"SIM twice", describe("0", video("0", "a=ssrc-group:SIM 1 2", "a=ssrc-group:SIM 1 2")), "two simulcast"},
		{"SIM repeats", describe("0", video("0", "a=ssrc-group:SIM 1 1", ssrcs[0])), "group of SSRCs"},
		{"SIM empty", describe("0", video("0", "a=ssrc-group:SIM")), "group of SSRCs"},
		{"SIM endless", describe("0", video("0", "a=ssrc-group:SIM"+strings.Repeat(" 1", 17))), "too many SSRCs"},
		{"rid twice", describe("0", video("0", "a=rid:q send", "a=rid:q send")), "rid"},
		{"two data sections", describe("0 1", data("0"), data("1")), "data channels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			offer, err := admission.CheckSDP(c.sdp, admission.Limits{})
			require.Equal(t, signaling.CodeServerRemoteDescription, codeOf(err), "%v", err)
			require.ErrorContains(t, err, c.reason)
			require.NotContains(t, err.Error(), pwd)
			require.Nil(t, offer)
		})
	}
}

func TestCheckSDPLimitsAreSettings(t *testing.T) {
	sdp := describe("0 1", audio("0", "a=ssrc:1 cname:x", "a=ssrc:2 cname:x"), video("1"))
	for want, l := range map[string]admission.Limits{
		"bytes": {Bytes: len(sdp) - 1}, "media sections": {Sections: 1}, "SSRCs": {SSRCs: 1}, "lines": {Lines: 5},
	} {
		_, err := admission.CheckSDP(sdp, l)
		require.ErrorContains(t, err, want)
	}
	_, err := admission.CheckSDP(sdp, admission.Limits{Bytes: len(sdp), Sections: 2, SSRCs: 2})
	require.NoError(t, err)
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// R28: descriptions that cost pion seconds and gigabytes cost next to nothing.
func TestR28SDPBombRefusedCheaply(t *testing.T) {
	pad := strings.Repeat("a=rtpmap:96 VP8/90000\r\n", 200)
	var bomb strings.Builder
	bomb.WriteString(describe(mids(1000)))
	for i := range 1000 {
		bomb.WriteString(video(fmt.Sprint(i)) + pad)
	}
	require.Greater(t, bomb.Len(), 4_600_000)

	head := describe(mids(256))
	for name, sdp := range map[string]string{
		"1000 sections, 4.6 MB":   bomb.String(),
		"the same without a size": strings.Repeat("\nm=", 120_000),
		"tiny sections":           "v=0\r\n" + strings.Repeat("m=audio 9 X 0\r\n", 25_000),
		"one endless line":        "v=0\r\na=" + strings.Repeat("x", 380<<10),
		"lines without end":       describe("0", audio("0")) + strings.Repeat("a=x\n", 90_000),
		"SSRCs without end":       describe("0", audio("0")) + strings.Repeat("a=ssrc:7 x\na=ssrc:8 x\n", 15_000),
		"mids without end":        head + strings.Join(sections(256), "") + "a=mid:0\r\n",
	} {
		allocs := testing.AllocsPerRun(3, func() {
			_, err := admission.CheckSDP(sdp, admission.Limits{})
			require.Error(t, err)
		})
		require.Less(t, allocs, 1000.0, name)
		used := allocated(func() { _, _ = admission.CheckSDP(sdp, admission.Limits{}) })
		require.Less(t, used, uint64(512<<10), "%s: bytes allocated", name)
	}
}

// What pion itself writes is admitted: an offer with all kinds, and an answer
// that rejects a section.
func TestCheckSDPAdmitsPion(t *testing.T) {
	connection := func() *webrtc.PeerConnection {
		pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, pc.Close()) })
		return pc
	}
	a := connection()
	for _, c := range []webrtc.RTPCodecCapability{{MimeType: webrtc.MimeTypeVP8}, {MimeType: webrtc.MimeTypeOpus}} {
		track, err := webrtc.NewTrackLocalStaticRTP(c, "track-"+c.MimeType[:5], "stream")
		require.NoError(t, err)
		_, err = a.AddTrack(track)
		require.NoError(t, err)
	}
	_, err := a.CreateDataChannel("x", nil)
	require.NoError(t, err)
	offer, err := a.CreateOffer(nil)
	require.NoError(t, err)
	got, err := admission.CheckSDP(offer.SDP, admission.Limits{})
	require.NoError(t, err)
	require.Len(t, got.Sections, 3)
	require.Equal(t, "track-video", got.Sections[0].MsidTrack)
	require.NotEmpty(t, got.Sections[0].SSRCs)
	require.NotEmpty(t, got.Ufrag)

	b := connection()
	require.NoError(t, b.SetRemoteDescription(offer))
	answer, err := b.CreateAnswer(nil)
	require.NoError(t, err)
	got, err = admission.CheckSDP(answer.SDP, admission.Limits{})
	require.NoError(t, err)
	require.Len(t, got.Sections, 3)
	require.Equal(t, admission.RecvOnly, got.Sections[1].Direction)
}

// What is admitted means the same to us as to the parser behind us.
func FuzzCheckSDP(f *testing.F) {
	f.Add(describe("0 1 2", audio("0", "a=candidate:1 1 udp 1 10.0.0.1 9 typ host"), video("1", "a=ssrc:1 cname:x", "a=msid:- x"), data("2")))
	f.Add(describe("", audio("0")))
	f.Add(describe("0", audio("0"), section("video 0", "", "0", nil)))
	f.Add("v=0\n\n\nm=audio 0 x 0\n")
	f.Add(describe("0", audio("0", "a=x\ra=mid:1")))
	f.Fuzz(func(t *testing.T, in string) {
		offer, err := admission.CheckSDP(in, admission.Limits{})
		if err != nil {
			require.Equal(t, signaling.CodeServerRemoteDescription, codeOf(err))
			return
		}
		filtered, _ := admission.FilterSDPCandidates(in, admission.AddressPolicy{}.Allows, 50)
		again, err := admission.CheckSDP(filtered, admission.Limits{})
		require.NoError(t, err, "filtering makes nothing worse")
		require.Equal(t, offer.Ufrag, again.Ufrag)
		var theirs sdp.SessionDescription
		if theirs.UnmarshalString(filtered) != nil {
			return
		}
		require.Len(t, theirs.MediaDescriptions, len(offer.Sections))
		for i, m := range theirs.MediaDescriptions {
			ours := again.Sections[i]
			mid, _ := m.Attribute("mid")
			require.Equal(t, mid, ours.Mid)
			require.Equal(t, m.MediaName.Media, string(ours.Kind))
			var candidates int
			for _, a := range m.Attributes {
				if a.IsICECandidate() {
					candidates++
				}
			}
			require.Equal(t, candidates, ours.Candidates)
		}
	})
}

func BenchmarkCheckSDP16Tracks(b *testing.B) {
	sdp := tracks(16)
	b.SetBytes(int64(len(sdp)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := admission.CheckSDP(sdp, admission.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
