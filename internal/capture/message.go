package capture

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// messages keeps what was signaled.
type messages struct {
	mu        sync.Mutex
	list      []message
	bytes     int
	forgotten int
	conns     int
}

type message struct {
	at   time.Time
	conn int
	dir  string
	text []byte
}

// The directions of messages, as the server sees them.
const (
	dirIn  = "in"
	dirOut = "out"
)

func (m *messages) conn() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns++
	return m.conns
}

func (m *messages) add(conn int, dir string, text []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, message{time.Now(), conn, dir, bytes.Clone(text)})
	m.bytes += len(text)
	for m.bytes > maxMessages && len(m.list) > 1 {
		m.bytes -= len(m.list[0].text)
		m.list[0] = message{}
		m.list = m.list[1:]
		m.forgotten++
	}
}

// line is a message as it is written.
type line struct {
	Time string          `json:"time"`
	Conn int             `json:"conn"`
	Who  string          `json:"who,omitempty"` // who joined on this connection
	Dir  string          `json:"dir"`           // of the server
	Msg  json.RawMessage `json:"msg,omitempty"`
	Raw  string          `json:"raw,omitempty"` // where it is no JSON
}

// WriteMessages writes each message on a line, without tokens, passwords and
// other secrets.
func (r *Recorder) WriteMessages(w io.Writer) error {
	m := &r.messages
	m.mu.Lock()
	defer m.mu.Unlock()
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if m.forgotten > 0 {
		if err := enc.Encode(map[string]int{"forgotten": m.forgotten}); err != nil {
			return err
		}
	}
	who := map[int]string{}
	for _, e := range m.list {
		l := line{Time: e.at.UTC().Format(time.RFC3339Nano), Conn: e.conn, Dir: e.dir}
		if msg, id, ok := redact(e.text); ok {
			l.Msg = msg
			if id != "" {
				who[e.conn] = id
			}
		} else {
			l.Raw = "(no JSON)" // whatever it is, it may hold a secret
		}
		l.Who = who[e.conn]
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

const hidden = "(redacted)"

// secrets are the fields that nobody should find in the files of a test run.
var secrets = map[string]bool{
	"token": true, "password": true, "credential": true, "pwd": true, "secret": true,
}

// secretLines are the lines of a session description that are as secret.
var secretLines = regexp.MustCompile(`(?m)^(a=(?:ice-pwd|crypto):)[^\r\n]*`)

// redact takes the secrets out of a message and returns whose token was in it.
func redact(text []byte) (clean json.RawMessage, identity string, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, "", false
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				s, isText := value.(string)
				if key == "token" && isText {
					identity = identityOf(s)
				}
				if secrets[strings.ToLower(key)] && value != nil {
					v[key] = hidden
					continue
				}
				v[key] = walk(value)
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case string:
			return secretLines.ReplaceAllString(v, "${1}"+hidden)
		}
		return v
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(walk(v)) != nil {
		return nil, "", false
	}
	return bytes.TrimSpace(buf.Bytes()), identity, true
}

// identityOf reads who a token is for; whether it is true does not matter here.
func identityOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var c struct {
		Grants struct {
			Identity string `json:"identity"`
		} `json:"grants"`
	}
	_ = json.Unmarshal(claims, &c) // a token of nobody otherwise
	return c.Grants.Identity
}
