package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"time"

	"github.com/parley-rtc/parley/media"
)

// clipFrames is how many pictures a clip has; it is played in a loop.
const clipFrames = 60

// writeClip writes pictures as a camera gives them, in YUYV: slopes that move,
// a square that moves faster, and noise.
func writeClip(path string, width, height int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	row := make([]byte, 2*width)
	seed := uint32(1)
	for n := range clipFrames {
		phase := 2 * math.Pi * float64(n) / clipFrames
		left, top := width/2+int(float64(width)/3*math.Cos(phase)), height/2+int(float64(height)/3*math.Sin(phase))
		for y := range height {
			for x := range width {
				seed = seed*1664525 + 1013904223
				luma := 120 + 50*math.Sin(float64(x)/50+phase)*math.Cos(float64(y)/70) + float64(seed>>29)
				if x > left-40 && x < left+40 && y > top-40 && y < top+40 {
					luma += 50
				}
				row[2*x] = byte(luma)
				row[2*x+1] = byte(128 + 30*math.Sin(float64(x+y)/90+phase))
			}
			_, _ = w.Write(row) // Flush tells
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// writeH264 makes ten seconds of 2 Mbit/s.
func writeH264(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30,noise=alls=6:allf=t",
		"-t", "10", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-tune", "zerolatency",
		"-b:v", "2M", "-minrate", "2M", "-maxrate", "2M", "-bufsize", "400k", "-g", "60", "-f", "h264", "-y", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	return nil
}

// The time of a picture is drawn into it: one bit in each square.
const (
	square   = 16
	timeBits = 40
)

// stamp draws the time into a YUYV picture.
func stamp(f *media.VideoFrame, at time.Time) {
	us := at.UnixMicro()
	for y := range square {
		row := f.Planes[0][y*f.Strides[0]:]
		for bit := range timeBits {
			luma := byte(16 + 219*(us>>bit&1))
			for x := bit * square; x < (bit+1)*square; x++ {
				row[2*x], row[2*x+1] = luma, 128
			}
		}
	}
}

// stamped reads the time out of a decoded picture, which arrived then.
func stamped(f *media.VideoFrame, arrived time.Time) (age time.Duration, ok bool) {
	var us int64
	for bit := range timeBits {
		sum := 0
		for i := range 16 {
			sum += int(f.Planes[0][(square/2-2+i/4)*f.Strides[0]+bit*square+square/2-2+i%4])
		}
		if sum > 16*126 {
			us |= 1 << bit
		}
	}
	age = time.Duration((arrived.UnixMicro()-us)&(1<<timeBits-1)) * time.Microsecond
	return age, age < 10*time.Second
}
