//go:build !amd64

package media

// blocks converts as much as the machine does at once: here nothing.
func (packedRows) blocks(int) int { return 0 }

func (rgbRows) blocks(uint) int { return 0 }
