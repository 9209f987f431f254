package admission

// Len returns how many networks have a bucket.
func (r *Rate) Len() int { return len(r.buckets) }

// Len returns how many networks hold connections.
func (s *Sockets) Len() int { return len(s.open) }
