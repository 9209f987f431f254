package rtc

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/pion/logging"
)

// levelTrace is where pion's trace messages go: below debug.
const levelTrace = slog.LevelDebug - 4

// logFactory gives pion loggers that write to a slog.Logger, at most at debug:
// what pion calls an error is seldom one for the user, and those that are come
// back as errors.
type logFactory struct{ log *slog.Logger }

func (f logFactory) NewLogger(scope string) logging.LeveledLogger {
	if f.log == nil {
		return pionLogger{slog.New(slog.DiscardHandler)}
	}
	return pionLogger{f.log.With("scope", "pion/"+scope)}
}

// secrets finds the passwords of ICE and TURN, which pion's trace messages tell,
// by the words before them.
var secrets = regexp.MustCompile(`(?i)((?:pwd|passw[a-z]*|credential|secret)"?[:= ]+"?)[^\s",;]+`)

func redact(msg string) string { return secrets.ReplaceAllString(msg, "${1}[redacted]") }

type pionLogger struct{ log *slog.Logger }

func (l pionLogger) write(level slog.Level, format string, args ...any) {
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	l.log.Log(ctx, level, redact(format))
}

func (l pionLogger) Trace(msg string)                  { l.write(levelTrace, msg) }
func (l pionLogger) Tracef(format string, args ...any) { l.write(levelTrace, format, args...) }
func (l pionLogger) Debug(msg string)                  { l.write(levelTrace, msg) }
func (l pionLogger) Debugf(format string, args ...any) { l.write(levelTrace, format, args...) }
func (l pionLogger) Info(msg string)                   { l.write(slog.LevelDebug, msg) }
func (l pionLogger) Infof(format string, args ...any)  { l.write(slog.LevelDebug, format, args...) }
func (l pionLogger) Warn(msg string)                   { l.write(slog.LevelDebug, msg) }
func (l pionLogger) Warnf(format string, args ...any)  { l.write(slog.LevelDebug, format, args...) }
func (l pionLogger) Error(msg string)                  { l.write(slog.LevelDebug, msg) }
func (l pionLogger) Errorf(format string, args ...any) { l.write(slog.LevelDebug, format, args...) }

// LoggerFactory makes pion's parts write to the logger, without secrets; nil
// silences them.
func LoggerFactory(logger *slog.Logger) logging.LoggerFactory { return logFactory{logger} }
