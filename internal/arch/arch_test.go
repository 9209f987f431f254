package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

func TestImportsFollowThePlan(t *testing.T) {
	g, err := Read(root)
	require.NoError(t, err)
	require.Contains(t, g, "signaling", "the graph was read from the wrong place")
	require.Empty(t, strings.Join(g.Check(), "\n"))
}

// A rule that nothing could break would prove nothing.
func TestRulesCatchWhatTheyForbid(t *testing.T) {
	set := func(list ...string) map[string]bool {
		m := map[string]bool{}
		for _, s := range list {
			m[s] = true
		}
		return m
	}
	for name, c := range map[string]struct {
		graph Graph
		want  string
	}{
		"root to capture":          {Graph{".": set("./media/device")}, "./. -> ./media/device"},
		"root to a codec":          {Graph{".": set("./media/codec/x264")}, "./. -> ./media/codec/x264"},
		"root to the server":       {Graph{".": set("./internal/engine"), "internal/engine": set("./internal/sfu/admission")}, "./. -> ./internal/engine -> ./internal/sfu/admission"},
		"signaling to a module":    {Graph{"signaling": set("github.com/google/uuid")}, "./signaling -> github.com/google/uuid"},
		"signaling to our own":     {Graph{"signaling": set("./internal/sid")}, "./signaling -> ./internal/sid"},
		"transport to the root":    {Graph{"signaling/rsp": set("./.")}, "./signaling/rsp -> ./."},
		"conformance to the root":  {Graph{"signaling/signalingtest": set("./.")}, "./signaling/signalingtest -> ./."},
		"rtc to the server":        {Graph{"internal/rtc": set("./internal/sfu")}, "./internal/rtc -> ./internal/sfu"},
		"engine to the root":       {Graph{"internal/engine": set("./.")}, "./internal/engine -> ./."},
		"server to the client":     {Graph{"internal/sfu/relay": set("./internal/engine")}, "./internal/sfu/relay -> ./internal/engine"},
		"test server to the root":  {Graph{"roomtest": set("./x"), "x": set("./.")}, "./roomtest -> ./x -> ./."},
		"media to WebRTC":          {Graph{"media/file": set("github.com/pion/webrtc/v4/pkg/media")}, "./media/file -> github.com/pion/webrtc/v4/pkg/media"},
		"WebSocket elsewhere":      {Graph{"service": set("github.com/gorilla/websocket")}, "./service -> github.com/gorilla/websocket"},
		"tokens elsewhere":         {Graph{"service": set("github.com/golang-jwt/jwt/v5")}, "./service -> github.com/golang-jwt/jwt/v5"},
		"cgo elsewhere":            {Graph{"media/file": set("C")}, "./media/file -> C"},
		"test library in products": {Graph{"internal/sfu": set("go.uber.org/goleak")}, "./internal/sfu -> go.uber.org/goleak"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := c.graph.Check()
			require.NotEmpty(t, broken)
			require.True(t, slices.ContainsFunc(broken, func(s string) bool { return strings.HasPrefix(s, c.want+": ") }), "%q", broken)
		})
	}
	fine := Graph{
		".":                     set("./internal/engine", "./media", "./signaling", "context"),
		"internal/sfu/relay":    set("./internal/rtc", "./signaling/rsp"),
		"media/device":          set("C", "./media"),
		"signaling":             set("context", "encoding/json"),
		"signaling/rsp":         set("github.com/gorilla/websocket", "./signaling"),
		"signaling/accesstoken": set("github.com/golang-jwt/jwt/v5"),
	}
	require.Empty(t, fine.Check())
}

// Who takes the client takes at most eight projects with it.
func TestRootLinksFewProjects(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	require.NoError(t, err)
	projects := map[string]bool{}
	for pkg := range strings.FieldsSeq(string(out)) {
		if p := project(pkg); p != project(Module) {
			projects[p] = true
		}
	}
	require.Contains(t, projects, "github.com/pion")
	require.LessOrEqual(t, len(projects), 8, "%v", sorted(projects))
}

// Timers, interface list and loss recovery are tuned in one place; a peer
// connection that is made elsewhere has none of it.
func TestOnlyRTCBuildsPeerConnections(t *testing.T) {
	var builders []string
	require.NoError(t, walk(root, func(pkg, file string) error {
		if calls, err := buildsAPI(file, nil); err != nil || !calls {
			return err
		}
		builders = append(builders, pkg)
		return nil
	}))
	builders = slices.DeleteFunc(builders, func(pkg string) bool { return pkg == "internal/rtc" })
	require.Empty(t, builders)
}

func TestBuildsAPIIsSeen(t *testing.T) {
	for src, want := range map[string]bool{
		`package x; import "github.com/pion/webrtc/v4"; var a = webrtc.NewAPI()`:                                               true,
		`package x; import w "github.com/pion/webrtc/v4"; func f() { w.NewPeerConnection(w.Configuration{}) }`:                 true,
		`package x; import . "github.com/pion/webrtc/v4"; var a = NewAPI()`:                                                    true,
		`package x; import "github.com/pion/webrtc/v4"; var a *webrtc.API`:                                                     false,
		`package x; import webrtc "example.com/other"; var a = webrtc.NewAPI()`:                                                false,
		`package x; import "github.com/pion/webrtc/v4"; func f(a *webrtc.API) { a.NewPeerConnection(webrtc.Configuration{}) }`: false,
	} {
		got, err := buildsAPI(filepath.Join(t.TempDir(), "x.go"), src)
		require.NoError(t, err)
		require.Equal(t, want, got, src)
	}
}

// buildsAPI reports whether the file calls one of pion's constructors.
func buildsAPI(file string, src any) (bool, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
	if err != nil {
		return false, err
	}
	name := ""
	for _, spec := range parsed.Imports {
		if spec.Path.Value == `"github.com/pion/webrtc/v4"` {
			if name = "webrtc"; spec.Name != nil {
				name = spec.Name.Name
			}
		}
	}
	found := false
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			found = found || ok && name != "" && pkg.Name == name && constructor(n.Sel.Name)
		case *ast.Ident:
			found = found || name == "." && constructor(n.Name)
		}
		return !found
	})
	return found, nil
}

func constructor(name string) bool { return name == "NewAPI" || name == "NewPeerConnection" }
