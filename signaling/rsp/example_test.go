package rsp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
)

// A server for one that greets whoever comes, and a client of it.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := rsp.Upgrade(w, r, rsp.ServerOptions{})
		if err != nil {
			return // Upgrade has answered
		}
		defer conn.Close()
		join, err := conn.ReadJoin(r.Context(), nil)
		if err != nil {
			return
		}
		if join.Token == "" {
			_ = conn.Reject(signaling.NewError(signaling.CodeTokenInvalid))
			return
		}
		err = conn.Accept(signaling.State{
			Session:     "session-1",
			Room:        signaling.Room{SID: "RM1", Name: join.Room},
			Participant: signaling.Identity{SID: "PA1", Identity: "alice"},
		})
		for err == nil {
			_, err = conn.Receive(context.Background())
		}
	}))
	defer server.Close()

	transport := rsp.NewTransport(rsp.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http")})
	_, err := transport.Dial(context.Background(), signaling.Join{Room: "lobby"})
	fmt.Println(err)
	session, err := transport.Dial(context.Background(), signaling.Join{Room: "lobby", Token: "token"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Initial().Participant.Identity, "is in", session.Initial().Room.Name)
	_ = session.Close(context.Background(), signaling.ReasonLeave)
	// Output:
	// access token is invalid (20101)
	// alice is in lobby
}
