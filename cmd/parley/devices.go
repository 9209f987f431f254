package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/device"
)

// listTime bounds the listing of devices.
const listTime = 10 * time.Second

// deviceList is what there is to publish.
type deviceList struct {
	Cameras     []cameraEntry     `json:"cameras"`
	Microphones []microphoneEntry `json:"microphones"`
	Screens     []screenEntry     `json:"screens"`
}

type cameraEntry struct {
	ID      string        `json:"id"`
	Label   string        `json:"label"`
	Default bool          `json:"default,omitempty"`
	Formats []formatEntry `json:"formats"`
}

type formatEntry struct {
	Format     string    `json:"format"`
	Width      int       `json:"width"`
	Height     int       `json:"height"`
	MaxWidth   int       `json:"max_width,omitempty"`
	MaxHeight  int       `json:"max_height,omitempty"`
	FrameRates []float64 `json:"frame_rates"`

	text string
}

type microphoneEntry struct {
	ID      string       `json:"id"`
	Label   string       `json:"label"`
	Default bool         `json:"default,omitempty"`
	Formats []soundEntry `json:"formats"`
}

type soundEntry struct {
	Rate     int `json:"rate"`
	Channels int `json:"channels"`
}

type screenEntry struct {
	Display string `json:"display"`
}

// listDevices prints what there is. What cannot be listed is an error besides.
func listDevices(ctx context.Context, w io.Writer, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	all, err := device.Devices(ctx)
	l := deviceList{Cameras: []cameraEntry{}, Microphones: []microphoneEntry{}, Screens: displays()}
	for _, d := range all {
		l.add(d)
	}
	if asJSON {
		return errors.Join(err, json.NewEncoder(w).Encode(l))
	}
	l.print(w)
	return err
}

func (l *deviceList) add(d device.Device) {
	if d.Kind == media.Audio {
		m := microphoneEntry{ID: d.ID, Label: d.Label, Default: d.Default, Formats: []soundEntry{}}
		for _, f := range d.Audio {
			m.Formats = append(m.Formats, soundEntry{Rate: f.Rate, Channels: f.Channels})
		}
		l.Microphones = append(l.Microphones, m)
		return
	}
	c := cameraEntry{ID: d.ID, Label: d.Label, Default: d.Default, Formats: []formatEntry{}}
	for _, f := range d.Video {
		one := formatEntry{Format: f.Name, Width: f.Width, Height: f.Height, FrameRates: append([]float64{}, f.FrameRates...), text: f.String()}
		if f.MaxWidth > f.Width || f.MaxHeight > f.Height {
			one.MaxWidth, one.MaxHeight = f.MaxWidth, f.MaxHeight
		}
		c.Formats = append(c.Formats, one)
	}
	l.Cameras = append(l.Cameras, c)
}

// displays are the X11 displays of this machine.
func displays() []screenEntry {
	found := []screenEntry{}
	sockets, _ := filepath.Glob("/tmp/.X11-unix/X*") // the pattern is well formed
	var numbers []int
	for _, path := range sockets {
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "X"))
		if err == nil && answers(path) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		found = append(found, screenEntry{Display: fmt.Sprintf(":%d", n)})
	}
	return found
}

// answers reports whether somebody listens on the socket: servers that were
// killed leave theirs behind.
func answers(path string) bool {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

func (l *deviceList) print(w io.Writer) {
	fmt.Fprintln(w, title("cameras", len(l.Cameras)))
	for _, c := range l.Cameras {
		fmt.Fprintln(w, entry(c.Label, c.ID, c.Default))
		for _, f := range c.Formats {
			fmt.Fprintln(w, "    "+f.text)
		}
	}
	fmt.Fprintln(w, title("microphones", len(l.Microphones)))
	for _, m := range l.Microphones {
		fmt.Fprintln(w, entry(m.Label, m.ID, m.Default))
		for _, f := range m.Formats {
			fmt.Fprintf(w, "    %s Hz, %s\n", cmp.Or(number(f.Rate), "any"), cmp.Or(number(f.Channels), "any")+" channels")
		}
	}
	fmt.Fprintln(w, title("screens", len(l.Screens)))
	for _, s := range l.Screens {
		fmt.Fprintln(w, "  "+s.Display)
	}
}

func title(what string, n int) string {
	if n == 0 {
		return what + ": none"
	}
	return what + ":"
}

func entry(label, id string, preferred bool) string {
	text := fmt.Sprintf("  %s  %s", plain(label), plain(id))
	if preferred {
		text += "  (default)"
	}
	return text
}

// number is a number that zero says nothing about.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
