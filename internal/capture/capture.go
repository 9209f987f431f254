// Package capture remembers what crossed a wire, within bounds, and writes it
// down for people: UDP packets as pcapng for Wireshark, with the keys to read
// them, and signaling as lines of JSON.
//
// The pcapng writer is our own. What we write of the format is four kinds of
// blocks; a module that writes it too brings decoders of every protocol with it
// and raises the versions of what everybody else uses.
package capture

import (
	"bytes"
	"io"
	"net/netip"
	"sync"
	"time"
)

// Limits of what is kept; what came last stays.
const (
	DefaultLimit = 4 << 20   // of packets
	maxMessages  = 1 << 20   // bytes of signaling
	maxKeys      = 256 << 10 // bytes of key log
	chunkSize    = 128 << 10 // more than the largest packet
)

// Packet is a UDP packet at an interface.
type Packet struct {
	Interface int // see Recorder.Interface
	Time      time.Time
	Inbound   bool
	From, To  netip.AddrPort
	Data      []byte
	Comment   string
}

// Recorder keeps packets, keys and messages. It is safe for concurrent use, and
// cheap: packets are copied once, into memory that is used again.
type Recorder struct {
	limit    int
	messages messages

	mu         sync.Mutex
	interfaces []string
	chunks     []chunk // the last one is written to
	forgotten  int
	keys       bytes.Buffer
}

// chunk holds encoded packets.
type chunk struct {
	blocks []byte
	count  int
}

// NewRecorder returns a recorder that keeps about so many bytes of packets, at
// least 256 KiB; 0 is DefaultLimit.
func NewRecorder(limit int) *Recorder {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Recorder{limit: max(limit, 2*chunkSize)}
}

// Interface adds an interface with the name, by which packets can be told
// apart.
func (r *Recorder) Interface(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interfaces = append(r.interfaces, name)
	return len(r.interfaces) - 1
}

// Packet keeps a copy of the packet.
func (r *Recorder) Packet(p Packet) {
	need := packetSize(&p)
	if need > chunkSize || !p.From.IsValid() || !p.To.IsValid() {
		return // nothing that UDP could carry
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.chunks)
	if n == 0 || len(r.chunks[n-1].blocks)+need > chunkSize {
		r.addChunk()
		n = len(r.chunks)
	}
	c := &r.chunks[n-1]
	c.blocks = appendPacket(c.blocks, &p)
	c.count++
}

// addChunk begins a chunk, with the memory of the oldest if there are enough.
func (r *Recorder) addChunk() {
	if (len(r.chunks)+1)*chunkSize <= r.limit {
		r.chunks = append(r.chunks, chunk{blocks: make([]byte, 0, chunkSize)})
		return
	}
	oldest := r.chunks[0]
	r.forgotten += oldest.count
	copy(r.chunks, r.chunks[1:])
	r.chunks[len(r.chunks)-1] = chunk{blocks: oldest.blocks[:0]}
}

// Forgotten counts the packets that had to make room for later ones.
func (r *Recorder) Forgotten() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.forgotten
}

// WritePackets writes a pcapng file with the packets and the keys.
func (r *Recorder) WritePackets(w io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	head := appendSection(nil, r.forgotten)
	for _, name := range r.interfaces {
		head = appendInterface(head, name)
	}
	if r.keys.Len() > 0 {
		head = appendSecrets(head, r.keys.Bytes())
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, c := range r.chunks {
		if _, err := w.Write(c.blocks); err != nil {
			return err
		}
	}
	return nil
}

// KeyLog takes keys as NSS key logs have them, one line for each handshake.
func (r *Recorder) KeyLog() io.Writer { return keyLog{r} }

type keyLog struct{ of *Recorder }

// Write takes whole lines. A log that is full keeps its oldest keys.
func (k keyLog) Write(line []byte) (int, error) {
	k.of.mu.Lock()
	defer k.of.mu.Unlock()
	if k.of.keys.Len()+len(line) <= maxKeys {
		k.of.keys.Write(line) // never fails
	}
	return len(line), nil
}

// WriteKeys writes the key log, as SSLKEYLOGFILE has it.
func (r *Recorder) WriteKeys(w io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := w.Write(r.keys.Bytes())
	return err
}
