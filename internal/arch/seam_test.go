package arch

import (
	"reflect"
	"testing"

	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// Whoever brings another protocol has six methods to write.
func TestTheSeamIsSmall(t *testing.T) {
	methods := 0
	for _, typ := range []reflect.Type{reflect.TypeFor[signaling.Transport](), reflect.TypeFor[signaling.Session]()} {
		methods += typ.NumMethod()
	}
	require.LessOrEqual(t, methods, 6)
}
