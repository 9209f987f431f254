package rtc

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestT27PionTellsNoPasswords(t *testing.T) {
	for _, msg := range []string{
		`Started agent: isControlling? false, remoteUfrag: "abcd", remotePwd: "hunter2"`,
		"v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:hunter2\r\n",
		"allocating with username bob, password=hunter2; again",
		`{"username":"bob","credential":"hunter2"}`,
		"Password: hunter2",
	} {
		var out strings.Builder
		f := logFactory{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: levelTrace}))}
		f.NewLogger("ice").Tracef("%s", msg)
		f.NewLogger("ice").Error(msg)
		require.NotContains(t, out.String(), "hunter2")
		require.Equal(t, 2, strings.Count(out.String(), "[redacted]"), "%s", &out)
	}
}
