package sfu

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/signaling"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the server's figures, in a registry of its own.
type metrics struct {
	registry *prometheus.Registry
	joins    prometheus.Histogram
	refusals *prometheus.CounterVec
	ends     *prometheus.CounterVec
	dropped  prometheus.Counter
	made     prometheus.Counter
	insights prometheus.Counter
	server   *Server

	mu   sync.Mutex
	live map[*rtc.Peer]bool
	past traffic
}

// traffic counts media over all connections.
type traffic struct {
	packetsIn, packetsOut, lostIn, lostOut, resent   int64
	nacksIn, nacksOut, keyframesAsked, keyframesSent int64
}

func (t *traffic) add(pc *rtc.Peer) {
	out, in, _ := pc.Stats()
	for _, o := range out {
		t.addOutlet(o)
	}
	for _, i := range in {
		t.packetsIn += i.Packets
		t.lostIn += i.Lost
		t.nacksOut += i.Nacks
		t.keyframesSent += i.KeyframeAsked
	}
}

func (t *traffic) addOutlet(o rtc.OutletStats) {
	t.packetsOut += o.Packets
	t.lostOut += max(o.Lost, 0)
	t.resent += o.Resent
	t.nacksIn += o.Nacks
	t.keyframesAsked += o.Keyframes
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(), server: s, live: map[*rtc.Peer]bool{},
		joins: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "parley_join_seconds", Help: "Time from the open socket to the answer to the join.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_refusals_total", Help: "Joins, tracks and sessions refused or ended, by error code.",
		}, []string{"code"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_stays_ended_total", Help: "Participants that are gone, by reason; slow: they did not read what was sent.",
		}, []string{"reason"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_candidates_dropped_total", Help: "ICE candidates of clients that were not allowed.",
		}),
	}
	m.made = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "parley_peer_connections_total", Help: "Peer connections made; none for peer-to-peer rooms.",
	})
	m.insights = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "parley_insights_events_total", Help: "Events that npm clients told of on their side channel.",
	})
	m.registry.MustRegister(m.joins, m.refusals, m.ends, m.dropped, m.made, m.insights, gauges{m})
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) refused(code signaling.Code) {
	if code == 0 {
		return // a client that left without a word
	}
	m.refusals.WithLabelValues(strconv.Itoa(int(code))).Inc()
}

func (m *metrics) ended(reason signaling.DisconnectReason) {
	m.ends.WithLabelValues(string(reason)).Inc()
}

func (m *metrics) connected(pc *rtc.Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made.Inc()
	m.live[pc] = true
}

func (m *metrics) disconnected(pc *rtc.Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live[pc] {
		delete(m.live, pc)
		m.past.add(pc)
	}
}

// freed keeps the figures of a section that is about to be freed.
func (m *metrics) freed(o *rtc.Outlet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.past.addOutlet(o.Stats())
}

// traffic is the sum over all connections, those that are over included.
func (m *metrics) traffic() traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := m.past
	for pc := range m.live {
		sum.add(pc)
	}
	return sum
}

// gauges reads the figures that are kept elsewhere.
type gauges struct{ *metrics }

var (
	descRooms        = prometheus.NewDesc("parley_rooms", "Rooms.", nil, nil)
	descParticipants = prometheus.NewDesc("parley_participants", "Participants, those that reconnect included.", nil, nil)
	descTracks       = prometheus.NewDesc("parley_tracks", "Published tracks.", nil, nil)
	descPackets      = prometheus.NewDesc("parley_rtp_packets_total", "RTP packets received (in) and sent (out).", []string{"direction"}, nil)
	descLost         = prometheus.NewDesc("parley_rtp_lost", "RTP packets that never arrived here (in) or there (out).", []string{"direction"}, nil)
	descResent       = prometheus.NewDesc("parley_rtp_resent_total", "RTP packets sent again.", nil, nil)
	descNacks        = prometheus.NewDesc("parley_nack_total", "Packets asked for again (out) and requests received (in).", []string{"direction"}, nil)
	descTCP          = prometheus.NewDesc("parley_ice_tcp_connections", "TCP connections for media, those of strangers included.", nil, nil)
	descTCPRefused   = prometheus.NewDesc("parley_ice_tcp_refused_total", "TCP connections for media that were too many, or that nobody waited for.", nil, nil)
	descTCPDropped   = prometheus.NewDesc("parley_ice_tcp_dropped_total", "Packets that clients were too slow for by TCP.", nil, nil)
	descPLI          = prometheus.NewDesc("parley_pli_total", "Key frame requests received (in) and passed on (out).", []string{"direction"}, nil)
)

func (gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRooms, descParticipants, descTracks, descPackets, descLost, descResent, descNacks, descPLI, descTCP, descTCPRefused, descTCPDropped} {
		out <- d
	}
}

func (g gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	rooms, participants, tracks := g.server.census()
	gauge(descRooms, rooms)
	gauge(descParticipants, participants)
	gauge(descTracks, tracks)
	t := g.traffic()
	counter(descPackets, t.packetsIn, "in")
	counter(descPackets, t.packetsOut, "out")
	gauge(descLost, int(t.lostIn), "in")
	gauge(descLost, int(t.lostOut), "out")
	counter(descResent, t.resent)
	counter(descNacks, t.nacksIn, "in")
	counter(descNacks, t.nacksOut, "out")
	counter(descPLI, t.keyframesAsked, "in")
	counter(descPLI, t.keyframesSent, "out")
	if mux := g.server.tcp; mux != nil {
		f := mux.Figures()
		gauge(descTCP, f.Streams)
		counter(descTCPRefused, f.Refused)
		counter(descTCPDropped, f.Lost)
	}
}

// census counts what there is.
func (s *Server) census() (rooms, participants, tracks int) {
	for _, r := range s.Rooms() {
		rooms++
		for _, p := range s.Participants(r.SID) {
			participants++
			tracks += len(p.Tracks)
		}
	}
	return rooms, participants, tracks
}
