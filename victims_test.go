package parley_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// liar is a transport that tells the server of addresses that are others', in
// its first description and in a message behind it.
type liar struct {
	signaling.Transport
	addresses []string
}

func (l liar) Dial(ctx context.Context, join signaling.Join) (signaling.Session, error) {
	var lines strings.Builder
	var list []signaling.Candidate
	for i, a := range l.addresses {
		host, port, _ := net.SplitHostPort(a) // they are the test's own
		c := fmt.Sprintf("candidate:%d 1 udp 2130706431 %s %s typ host", 100+i, host, port)
		lines.WriteString("a=" + c + "\r\n")
		list = append(list, signaling.Candidate{Candidate: c})
	}
	pc := &join.PeerConnections[0]
	said := *pc.Description
	said.SDP = strings.Replace(said.SDP, "a=ice-pwd", lines.String()+"a=ice-pwd", 1)
	pc.Description = &said
	session, err := l.Transport.Dial(ctx, join)
	if err != nil {
		return nil, err
	}
	ufrag := regexp.MustCompile(`a=ice-ufrag:(\S+)`).FindStringSubmatch(said.SDP)[1]
	return session, session.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{{
		ID: pc.ID, ICE: &signaling.ICE{Ufrag: ufrag, Revision: 1000, Candidates: list},
	}}})
}

// A participant names others' machines as its own addresses: not one packet
// reaches those that nobody may name, nor other programs of the server's own
// machine. On a network in memory private addresses may be named, so that some
// of the packets do come.
func TestR29NothingIsSentToForbiddenAddresses(t *testing.T) {
	inLab(t, 29, func(l *lab) {
		victims := map[string]net.PacketConn{}
		var addresses []string
		listen := func(host *faultnet.Host, ip string) {
			conn, err := host.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip), Port: 9999})
			require.NoError(l.t, err)
			l.t.Cleanup(func() { _ = conn.Close() }) // nothing was written
			victims[ip] = conn
			addresses = append(addresses, conn.LocalAddr().String())
		}
		own := l.config.Media.IPs[0]
		listen(l.host, own)
		allowed := map[string]bool{own: false, "10.9.9.9": true, "192.168.9.9": true}
		for _, ip := range []string{
			"10.9.9.9", "192.168.9.9", "169.254.169.254", "169.254.1.1", "0.1.2.3", "100.100.100.200", "192.0.0.9", "168.63.129.16", "240.0.0.9",
		} {
			listen(l.world.Host("victim "+ip, ip), ip)
		}
		host := l.world.Host("eve")
		host.BlockUDP(true) // her own address never answers: the server tries the others
		_, err := l.dialFrom(l.t.Context(), host, "eve", publishing(picture(l.t)), func(o *parley.ConnectOptions) {
			o.Transport = liar{o.Transport, addresses}
		})
		require.NoError(l.t, err)
		time.Sleep(10 * time.Second)
		for ip, victim := range victims {
			require.NoError(l.t, victim.SetReadDeadline(time.Now().Add(time.Second)))
			_, from, err := victim.ReadFrom(make([]byte, 1500))
			if allowed[ip] {
				require.NoError(l.t, err, "%s gets packets", ip)
				require.Equal(l.t, own, from.(*net.UDPAddr).IP.String())
			} else {
				require.ErrorIs(l.t, err, os.ErrDeadlineExceeded, "%s gets none", ip)
			}
		}
	})
}
