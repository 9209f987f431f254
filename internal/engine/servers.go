package engine

import "github.com/pion/webrtc/v4"

// UseServers has all connections gather their next candidates with these ICE
// servers. With Config.AwaitServers it lets the first offer take effect.
func (e *Engine) UseServers(servers []webrtc.ICEServer) error {
	e.cfg.ICEServers = servers
	for _, l := range e.links {
		if err := l.peer.UseServers(servers); err != nil {
			return err
		}
		if !l.held {
			continue
		}
		l.held = false
		if l.offer != nil {
			if err := l.apply(); err != nil {
				return err
			}
		}
	}
	return nil
}

// RenewICE begins an ICE restart on every connection, with candidates of the
// servers that UseServers was given last.
func (e *Engine) RenewICE() error {
	for _, l := range e.links {
		l.renew = true
	}
	return e.RestartICE()
}

// renewed makes the offer of RenewICE that had to wait.
func (e *Engine) renewed(l *link) {
	if !l.renew || l.peer.ServersWait() || e.mesh != nil {
		return
	}
	if d, err := l.negotiate(); err == nil && d != nil { // an error comes again with the next restart
		e.queue(l).Description = d
	}
}

// unrelayed reports whether a connection that may only be relayed has asked all
// TURN servers in vain.
func (e *Engine) unrelayed() bool {
	if !e.cfg.RelayOnly {
		return false
	}
	for _, l := range e.links {
		if l.peer.GatheredNone() {
			return true
		}
	}
	return false
}
