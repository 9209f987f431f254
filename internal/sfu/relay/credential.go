package relay

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC with SHA-1 is what TURN servers understand, and sound
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/turn/v5"
)

// keepTime is how long an allocation can be kept with the credential that it
// was made with: it needs one all its life, and gets no other.
const keepTime = 24 * time.Hour

// allocateMethod is what pion calls the request for an allocation.
const allocateMethod = "Allocate"

// Credential returns a user name and a password for an identity that end at a
// time, as TURN servers with a shared secret know them: the name is
// "seconds:identity", and the password its HMAC.
func Credential(secret []byte, identity string, ends time.Time) (username, password string) {
	username = strconv.FormatInt(ends.Unix(), 10) + ":" + identity
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return username, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ICEServers returns what a client with the identity is to use the relay with,
// the quickest way first. It is good for CredentialTime. By UDP the relay also
// tells clients their own address, as a STUN server.
func (s *Server) ICEServers(identity string) []signaling.ICEServer {
	c := &s.cfg
	server := signaling.ICEServer{}
	server.Username, server.Credential = Credential(c.Secret, identity, c.Now().Add(CredentialTime))
	at := func(scheme, host string, addr net.Addr, transport string) {
		own, port, _ := net.SplitHostPort(addr.String()) // of a listener: it has one
		if host == "" {
			host = c.PublicIP.String()
			if ip := net.ParseIP(own); ip != nil && !ip.IsUnspecified() && c.PublicIP == c.IP {
				host = own
			}
		}
		server.URLs = append(server.URLs, scheme+":"+net.JoinHostPort(host, port)+"?transport="+transport)
	}
	if c.UDP != nil {
		at("turn", c.Host, c.UDP.LocalAddr(), "udp")
	}
	if c.TCP != nil {
		at("turn", c.Host, c.TCP.Addr(), "tcp")
	}
	if c.TLS != nil {
		at("turns", c.TLSHost, c.TLS.Addr(), "tcp")
	}
	servers := []signaling.ICEServer{server}
	if c.UDP != nil {
		stun, _, _ := strings.Cut(strings.TrimPrefix(server.URLs[0], "turn:"), "?")
		servers = append(servers, signaling.ICEServer{URLs: []string{"stun:" + stun}})
	}
	return servers
}

// authorize returns whose request it is and the key that signs it.
func (s *Server) authorize(r *turn.RequestAttributes) (identity string, key []byte, ok bool) {
	seconds, identity, ok := strings.Cut(r.Username, ":")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil {
		return "", nil, false
	}
	ends := time.Unix(unix, 0)
	username, password := Credential(s.cfg.Secret, identity, ends)
	if r.Method.String() != allocateMethod {
		// For all other requests there has to be an allocation that was made
		// in time, by the same identity.
		ends = ends.Add(keepTime)
	}
	if username != r.Username || s.cfg.Now().After(ends) {
		return "", nil, false
	}
	return identity, turn.GenerateAuthKey(username, r.Realm, password), true
}
