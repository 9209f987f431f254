//go:build tools

// Package deps keeps modules in go.mod until their users exist.
package deps

import (
	_ "github.com/at-wat/ebml-go/webm"
	_ "github.com/goccy/go-yaml"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/google/uuid"
	_ "github.com/gorilla/websocket"
	_ "github.com/pion/ice/v4"
	_ "github.com/pion/rtcp"
	_ "github.com/pion/transport/v4/vnet"
	_ "github.com/pion/webrtc/v4"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/spf13/cobra"
	_ "github.com/stretchr/testify/require"
	_ "github.com/vishvananda/netlink"
	_ "go.uber.org/goleak"
	_ "golang.org/x/time/rate"
	_ "golang.org/x/sys/unix"
)
