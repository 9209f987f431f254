package arch

import (
	"fmt"
	"slices"
	"strings"
)

// A Ban says what packages may not import, neither themselves nor through
// other packages of the module.
type Ban struct {
	Packages  string   // "media" is media and all below it; "media!" media alone
	Except    string   // likewise; they may
	Imports   []string // likewise; those of the module begin with "./"
	OnlyStd   bool     // nothing but the standard library
	Rationale string
}

// Bans is the plan of the house.
var Bans = []Ban{
	{
		Packages: ".!", Imports: []string{"./media/device", "./media/codec", "./internal/sfu", "./roomtest", "./service"},
		Rationale: "a client links no server, no capture and no codec",
	},
	{Packages: "signaling!", OnlyStd: true, Rationale: "third parties implement it without taking our dependencies"},
	{Packages: "signaling/rsp", Imports: []string{"./.!", "./internal/engine"}, Rationale: "a transport knows no room"},
	{Packages: "signaling/signalingtest", Imports: []string{"./.!"}, Rationale: "it tests transports and not the client"},
	{Packages: "internal/rtc", Imports: []string{"./.!", "./internal/engine", "./internal/sfu"}, Rationale: "client and server share it"},
	{Packages: "internal/engine", Imports: []string{"./.!"}, Rationale: "it reports notices and knows no Room"},
	{Packages: "internal/sfu", Imports: []string{"./.!", "./internal/engine"}, Rationale: "client and server are each other's honest test"},
	{Packages: "roomtest", Imports: []string{"./.!"}, Rationale: "the root's own tests use it"},
	{
		Packages: "media", Except: "media/device", Imports: []string{"./.!", "github.com/pion/webrtc"},
		Rationale: "media knows no WebRTC; device makes tracks, which are the root's",
	},
}

// Homes says which packages alone may import a module: each dependency has its
// place. "C" is cgo.
var Homes = map[string][]string{
	"github.com/gorilla/websocket":   {"signaling/rsp", "internal/sfu/insights"},
	"github.com/golang-jwt/jwt":      {"signaling/accesstoken"},
	"github.com/prometheus":          {"internal/sfu"},
	"github.com/pion/turn":           {"internal/sfu"},
	"github.com/at-wat/ebml-go":      {"media/record"},
	"github.com/vishvananda/netlink": {"internal/rtc"},
	"github.com/pion/mediadevices":   {"media/device"},
	"github.com/gen2brain/malgo":     {"media/device", "media/play/speaker"},
	"github.com/jezek/xgb":           {"media/screen", "media/play/window"},
	"github.com/pion/opus":           {"media/codec/opus"},
	"github.com/spf13/cobra":         {"cmd/parley"},
	"github.com/goccy/go-yaml":       {"cmd/parley"},
	"github.com/stretchr/testify":    {"signaling/signalingtest", "roomtest"}, // they are for tests
	"go.uber.org/goleak":             {"signaling/signalingtest", "roomtest"},
	"C":                              {"media/device", "media/codec"},
}

// Check returns a sentence for each import that breaks a rule.
func (g Graph) Check() []string {
	var broken []string
	for pkg, imports := range g {
		for _, ban := range Bans {
			if !under(pkg, ban.Packages) || ban.Except != "" && under(pkg, ban.Except) {
				continue
			}
			if chain := g.Reaches(pkg, ban.forbids); chain != nil {
				broken = append(broken, fmt.Sprintf("%s: %s", strings.Join(chain, " -> "), ban.Rationale))
			}
		}
		for imported := range imports {
			for home, allowed := range Homes {
				if under(imported, home) && !slices.ContainsFunc(allowed, func(p string) bool { return under(pkg, p) }) {
					broken = append(broken, fmt.Sprintf("./%s -> %s: it belongs into %v", pkg, imported, allowed))
				}
			}
		}
	}
	slices.Sort(broken)
	return broken
}

func (b Ban) forbids(imported string) bool {
	if b.OnlyStd && !std(imported) {
		return true
	}
	return slices.ContainsFunc(b.Imports, func(p string) bool { return under(imported, p) })
}
