// Package rsp is the default signaling transport: RSP version 2 messages in
// TCMP version 2 frames on a WebSocket, the protocol of the npm package
// twilio-video. PROTOCOL.md, one directory up, describes every byte of it.
//
// A client uses [Transport]:
//
//	transport := rsp.NewTransport(rsp.Options{URL: "wss://example.com/signaling"})
//
// and hands it to whatever speaks package signaling. A server accepts with
// [Upgrade] inside an http.Handler, then reads the join with
// [ServerConn.ReadJoin] and answers it with [ServerConn.Accept] or
// [ServerConn.Reject].
//
// Both halves treat what they receive as hostile: sizes and counts are checked
// before anything is allocated for them, unknown message types and fields are
// ignored, and a message that breaks the protocol ends the connection that it
// came on with a typed error. Access tokens are never logged.
package rsp
